"""Cosine blocks on the CPU, compiled by Numba; twin of ``reference``.

Rows are taken ``LANES`` at once, one in each lane of a vector register, and tiles of them are
spread over the cores. A lane's arithmetic does not depend on the others, so a row's result does not
depend on which rows are beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numba import parallel_chunksize, prange
from torch import Tensor

from geom_miner.compile_notice import announce_compiling
from geom_miner.compiled_cache import drop_if_stale, njit
from geom_miner.errors import BackendUnavailable
from geom_miner.kernels.cosines.cpu_lines import Floats, half_matrices, transform_axes
from geom_miner.kernels.cosines.cpu_solver import (
    Tile,
    Transform,
    largest_gradients,
    new_tile,
    solve_tile,
)
from geom_miner.kernels.cosines.problem import CosineProblem, momenta
from geom_miner.kernels.simd import LANES

drop_if_stale(
    Path(__file__).parent, "cpu.py", "cpu_lines.py", "cpu_solver.py", "problem.py", "../simd.py"
)


def prepare() -> None:
    """Compile the kernel, or load it from the cache, before any time is measured."""
    bounds, steps = torch.zeros(1, 4), torch.ones(1)
    with announce_compiling("the CPU kernel of cosine blocks", 30):
        fit(CosineProblem((2, 2), bounds, bounds.clone(), bounds, steps, 0.1, 1))
        evaluate((2, 2), bounds)


@announce_compiling("the decoding part of the CPU kernel of cosine blocks", 10)
def evaluate(block_shape: tuple[int, ...], coefficients: Tensor) -> Tensor:
    """See ``reference.evaluate``; float32 on the CPU only."""
    out = torch.empty_like(coefficients)
    if len(coefficients):
        with parallel_chunksize(1):
            _evaluate_all(_array(coefficients), _transform(block_shape), _array(out))
    return out


def fit(problem: CosineProblem) -> Tensor:
    """See ``reference.fit``; float32 on the CPU only."""
    levels = torch.zeros(problem.lower.shape, dtype=torch.int32)
    if not len(levels):
        return levels
    transform = _transform(problem.block_shape)
    weights = torch.ones(1, 1) if problem.weights is None else problem.weights
    bounds = _array(problem.lower), _array(problem.upper), _array(weights)
    steps = _array(problem.steps)
    iterations = 1 if problem.is_exact else problem.iterations
    factors = np.array(momenta(max(iterations, 16)), dtype=np.float32)
    with parallel_chunksize(1):
        largest = _screen(*bounds, steps, transform)
        # Where no coefficient would leave zero, zero is the minimum.
        rows = np.flatnonzero(largest > np.float32(problem.sparsity))
        _fit_rows(
            rows,
            *bounds,
            steps,
            transform,
            factors,
            iterations,
            problem.sparsity,
            levels.numpy(),
        )
    return levels


def _transform(block_shape: tuple[int, ...]) -> Transform:
    matrices = [half_matrices(size).reshape(-1) for size in block_shape]
    offsets = np.cumsum([0, *map(len, matrices)]).astype(np.int64)
    return Transform(np.array(block_shape, dtype=np.int64), np.concatenate(matrices), offsets)


def _array(tensor: Tensor) -> Floats:
    if tensor.device.type != "cpu" or tensor.dtype != torch.float32 or not tensor.is_contiguous():
        raise BackendUnavailable(
            "backend cpu must be given contiguous float32 tensors on the CPU, got "
            f"{tensor.dtype} on {tensor.device}; use backend reference"
        )
    array: Floats = tensor.numpy()
    return array


@njit(nogil=True)
def _load_rows(
    rows: npt.NDArray[np.int64],
    lower: Floats,
    upper: Floats,
    weights: Floats,
    steps: Floats,
    tile: Tile,
) -> None:
    """Lay rows out lane by lane; lanes without a row have nothing to fit."""
    samples = lower.shape[1]
    for lane in range(LANES):
        if lane >= len(rows):
            for s in range(samples):
                at = s * LANES + lane
                tile.lower[at], tile.upper[at], tile.weights[at] = 0, 0, 0
            tile.steps[lane] = 1
            continue
        row = rows[lane]
        tile.steps[lane] = steps[row]
        for s in range(samples):
            at = s * LANES + lane
            tile.lower[at] = lower[row, s]
            tile.upper[at] = upper[row, s]
            tile.weights[at] = weights[row, s] if len(weights) == len(lower) else np.float32(1)


@njit(nogil=True, cache=True, parallel=True)
def _screen(
    lower: Floats, upper: Floats, weights: Floats, steps: Floats, transform: Transform
) -> Floats:
    """Of each row the largest coefficient of the first step of descent, over the step."""
    count, samples = lower.shape
    largest = np.empty(count, dtype=np.float32)
    tiles = (count + LANES - 1) // LANES
    for number in prange(tiles):
        first = number * LANES
        rows = np.arange(first, min(first + LANES, count))
        tile = new_tile(samples, transform.shape.max())
        found = np.empty(LANES, dtype=np.float32)
        _load_rows(rows, lower, upper, weights, steps, tile)
        largest_gradients(tile, transform, found)
        largest[first : first + len(rows)] = found[: len(rows)]
    return largest


@njit(nogil=True, cache=True, parallel=True)
def _fit_rows(
    rows: npt.NDArray[np.int64],
    lower: Floats,
    upper: Floats,
    weights: Floats,
    steps: Floats,
    transform: Transform,
    factors: Floats,
    iterations: int,
    sparsity: float,
    levels: npt.NDArray[np.int32],
) -> None:
    samples = lower.shape[1]
    tiles = (len(rows) + LANES - 1) // LANES
    for number in prange(tiles):
        some = rows[number * LANES : (number + 1) * LANES]
        tile = new_tile(samples, transform.shape.max())
        _load_rows(some, lower, upper, weights, steps, tile)
        solve_tile(tile, transform, factors, iterations, sparsity)
        for lane in range(len(some)):
            for s in range(samples):
                value = tile.fixed[s * LANES + lane] / tile.steps[lane]
                levels[some[lane], s] = np.int32(np.rint(value))


@njit(nogil=True, cache=True, parallel=True)
def _evaluate_all(coefficients: Floats, transform: Transform, out: Floats) -> None:
    count, samples = coefficients.shape
    longest = transform.shape.max() * LANES
    tiles = (count + LANES - 1) // LANES
    for number in prange(tiles):
        first = number * LANES
        x = np.zeros(samples * LANES, dtype=np.float32)
        scratch = np.empty(longest, dtype=np.float32)
        present = min(LANES, count - first)
        for lane in range(present):
            for s in range(samples):
                x[s * LANES + lane] = coefficients[first + lane, s]
        transform_axes(
            x, 0, transform.shape, 0, transform.matrices, transform.offsets, False, scratch
        )
        for lane in range(present):
            for s in range(samples):
                out[first + lane, s] = x[s * LANES + lane]
