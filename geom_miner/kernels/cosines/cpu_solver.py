"""The sparse fit of ``LANES`` rows at once, within one core's cache."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.kernels.cosines.cpu_lines import (
    Floats,
    transform_axes,
    transform_axis,
)
from geom_miner.kernels.cosines.problem import DROPPED, REFIT_STEPS, ROUNDED
from geom_miner.kernels.simd import (
    LANES,
    constant,
    fma,
    load,
    maximum,
    minimum,
    multiply,
    store,
    subtract,
)

Integers = npt.NDArray[np.int64]

_REFIT_STEPS = REFIT_STEPS
_DROPPED = DROPPED
_FIRST_ROUND, _SECOND_ROUND = ROUNDED


class Transform(NamedTuple):
    """The block's shape and the half matrices of its axes; see ``transform_axes``."""

    shape: Integers
    matrices: Floats
    offsets: Integers


class Tile(NamedTuple):
    """Arrays of ``LANES`` rows; sample or coefficient s of all of them begins at s * LANES."""

    lower: Floats
    upper: Floats
    weights: Floats
    samples: Floats
    current: Floats
    ahead: Floats
    free: Floats
    fixed: Floats
    steps: Floats
    threshold: Floats
    scratch: Floats


@njit(nogil=True)
def new_tile(samples: int, longest: int) -> Tile:
    size = samples * LANES
    return Tile(
        np.zeros(size, dtype=np.float32),
        np.zeros(size, dtype=np.float32),
        np.zeros(size, dtype=np.float32),
        np.zeros(size, dtype=np.float32),
        np.zeros(size, dtype=np.float32),
        np.zeros(size, dtype=np.float32),
        np.zeros(size, dtype=np.float32),
        np.zeros(size, dtype=np.float32),
        np.ones(LANES, dtype=np.float32),
        np.zeros(LANES, dtype=np.float32),
        np.zeros(longest * LANES, dtype=np.float32),
    )


@njit(nogil=True)
def largest_gradients(tile: Tile, transform: Transform, out: Floats) -> None:
    """Of each row the largest coefficient that the first step of descent gives, over the step."""
    x, samples = tile.samples, len(tile.samples) // LANES
    x[:] = 0
    _errors(tile, 0, samples)
    transform_axes(
        x, 0, transform.shape, 0, transform.matrices, transform.offsets, True, tile.scratch
    )
    zero = constant(np.float32(0))
    largest = zero
    for s in range(samples):
        value = load(x, s * LANES)
        largest = maximum(largest, maximum(value, subtract(zero, value)))
    store(tile.scratch, 0, largest)
    for lane in range(LANES):
        out[lane] = tile.scratch[lane] / tile.steps[lane]


@njit(nogil=True)
def solve_tile(
    tile: Tile, transform: Transform, momenta: Floats, iterations: int, sparsity: float
) -> None:
    """Leave the rounded coefficients, multiples of the steps, in ``tile.fixed``."""
    current, free, fixed = tile.current, tile.free, tile.fixed
    current[:] = 0
    free[:] = 1
    fixed[:] = 0
    for lane in range(LANES):
        tile.threshold[lane] = np.float32(sparsity) * tile.steps[lane]
    _descend(tile, transform, momenta, iterations)
    for s in range(len(free)):
        free[s] = np.float32(1) if current[s] != 0 else np.float32(0)
    tile.threshold[:] = 0
    for share in (_DROPPED, _DROPPED + sparsity):
        _descend(tile, transform, momenta, _REFIT_STEPS)
        for s in range(len(free)):
            if abs(current[s]) <= np.float32(share) * tile.steps[s % LANES]:
                free[s] = 0
                current[s] = 0
    for share in (_FIRST_ROUND, _SECOND_ROUND):
        _round(tile, share)
        _descend(tile, transform, momenta, _REFIT_STEPS)
    _round(tile, 1.0)


@njit(nogil=True)
def _descend(tile: Tile, transform: Transform, momenta: Floats, count: int) -> None:
    """Accelerated proximal descent from ``tile.current``, which it replaces."""
    shape, matrices, offsets = transform
    x, size = tile.samples, shape[0]
    plane = len(x) // size
    half = matrices[offsets[0] : offsets[1]]
    inner = plane // LANES
    x[:] = tile.current
    tile.ahead[:] = tile.current
    for step in range(count):
        # A plane stays in the first-level cache through the axes behind the first, both ways.
        transform_axis(x, 0, 1, size, inner, half, False, tile.scratch)
        for index in range(size):
            at = index * plane
            transform_axes(x, at, shape, 1, matrices, offsets, False, tile.scratch)
            _errors(tile, at, inner)
            transform_axes(x, at, shape, 1, matrices, offsets, True, tile.scratch)
        transform_axis(x, 0, 1, size, inner, half, True, tile.scratch)
        _move(tile, momenta[step])


@njit(nogil=True)
def _move(tile: Tile, factor: float) -> None:
    """A proximal step against the gradient in ``tile.samples``, and the point ahead of it."""
    x, current, ahead = tile.samples, tile.current, tile.ahead
    free, fixed = tile.free, tile.fixed
    momentum = constant(np.float32(factor))
    highest = load(tile.threshold, 0)
    lowest = subtract(constant(np.float32(0)), highest)
    for at in range(0, len(x), LANES):
        here = load(current, at)
        moved = subtract(load(ahead, at), load(x, at))
        moved = subtract(moved, minimum(maximum(moved, lowest), highest))
        moved = fma(moved, load(free, at), load(fixed, at))
        point = fma(momentum, subtract(moved, here), moved)
        store(current, at, moved)
        store(ahead, at, point)
        store(x, at, point)


@njit(nogil=True)
def _errors(tile: Tile, at: int, samples: int) -> None:
    """Replace samples by their weighted distances to their intervals."""
    x = tile.samples
    for s in range(samples):
        here = at + s * LANES
        value = load(x, here)
        nearest = minimum(maximum(value, load(tile.lower, here)), load(tile.upper, here))
        store(x, here, multiply(subtract(value, nearest), load(tile.weights, here)))


@njit(nogil=True)
def _round(tile: Tile, share: float) -> None:
    """Fix the given share of each row's free coefficients, those nearest to whole numbers."""
    current, free, fixed = tile.current, tile.free, tile.fixed
    samples = len(current) // LANES
    distances = np.empty(samples, dtype=np.float32)
    for lane in range(LANES):
        step, count = tile.steps[lane], 0
        for s in range(samples):
            at = s * LANES + lane
            if free[at] != 0:
                scaled = current[at] / step
                distances[count] = abs(scaled - np.rint(scaled))
                count += 1
        wanted = count if share == 1.0 else int(count * share)
        if wanted == 0:
            continue
        limit = np.sort(distances[:count])[wanted - 1]
        for s in range(samples):
            at = s * LANES + lane
            if free[at] != 0:
                scaled = current[at] / step
                whole = np.rint(scaled)
                if abs(scaled - whole) <= limit:
                    fixed[at] = whole * step
                    current[at] = fixed[at]
                    free[at] = 0
