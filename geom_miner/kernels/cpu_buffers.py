"""Buffers of the fused CPU kernel: everything about a block in one flat array per thread.

Features are padded to rows of four, samples to whole tiles. Sums hold a number per lane; lanes are
added up once per step.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.kernels.cpu_tile import STRIDE, TILE
from geom_miner.kernels.simd import LANES, load, total

Floats = npt.NDArray[np.float32]


class ActiveSamples(NamedTuple):
    """The samples of a block that are run through its MLP: all of them, or those with bounds."""

    kept: int
    line: int
    """Samples of a lattice line, as in the plan; 0 where samples were left out."""
    positions: int
    """Where their coordinates are: the plan's ``positions`` or ``chosen``."""
    wide: bool
    """Whether for less than half of them both bounds are one number, which is hardly ever met."""


class BufferPlan(NamedTuple):
    """Sizes of a block's problem, and offsets of its parts in a thread's buffer.

    ``rows`` is the width and ``inputs`` the dimensions plus one, both padded to fours. Offsets
    are in the order in which the parts lie; each names an array of the shape given.
    """

    ndim: int
    width: int
    depth: int
    channels: int
    samples: int
    rows: int
    inputs: int
    line: int
    """Samples of a lattice line along the last axis; 0 where the positions form no lattice whose
    lines fit tiles evenly."""
    lines: int
    """Lattice lines, padded to whole tiles."""
    # What stays the same for every block.
    positions: int
    """(tile, inputs, TILE): the coordinates, then ones, whose gradient is that of the biases."""
    outer: int
    """(chunk of lines, ndim - 1, TILE): each line's coordinates on the other axes."""
    inner: int
    """(1, TILE): coordinates along a line."""
    zeros: int
    """(rows,)"""
    # A block's parameters, scaled for sines of pi z, and what it is to become.
    first: int
    """(ndim, rows)"""
    hidden: int
    """(depth - 1, rows, rows)"""
    back: int
    """(depth - 1, rows, rows): the same without the scaling to half turns."""
    biases: int
    """(depth, rows)"""
    last: int
    """(rows, channels)"""
    last_bias: int
    """(channels,)"""
    lower: int
    """(tile, channels, TILE)"""
    upper: int
    """(tile, channels, TILE)"""
    chosen: int
    """(tile, inputs, TILE): the positions of samples with bounds, where others have none."""
    # The first layer's angles on a lattice, from which every sample's are put together.
    outer_sines: int
    """(chunk of lines, rows, TILE)"""
    outer_cosines: int
    """(chunk of lines, rows, TILE)"""
    inner_sines: int
    """(rows, TILE)"""
    inner_cosines: int
    """(rows, TILE)"""
    # The tile at hand.
    sines: int
    """(depth, rows, TILE)"""
    cosines: int
    """(depth, rows, TILE)"""
    slopes: int
    """(rows, TILE)"""
    below: int
    """(rows, TILE)"""
    outputs: int
    """(channels, TILE)"""
    # Samples of several tiles, where only some are trained on.
    kept_positions: int
    """(inputs, TILE)"""
    kept_errors: int
    """(channels, TILE)"""
    # Sums over the samples of a step, with a lane each; one stretch, to be cleared at once.
    first_sums: int
    """(inputs, rows)"""
    hidden_sums: int
    """(depth - 1, rows, rows)"""
    bias_sums: int
    """(depth, rows); the first layer's are in first_sums."""
    last_sums: int
    """(rows, channels)"""
    last_bias_sums: int
    """(channels,)"""
    squares: int
    """(1,)"""
    end: int


def up(n: int, multiple: int) -> int:
    """The next multiple that is not less than n."""
    return -(-n // multiple) * multiple


def plan(ndim: int, width: int, depth: int, channels: int, coordinates: Floats) -> BufferPlan:
    """Lay out a block of that architecture, sampled at coordinates (sample, ndim)."""
    samples, line = len(coordinates), _line_length(coordinates)
    rows, inputs = up(width, 4), up(ndim + 1, 4)
    lines = up(samples // line, TILE) if line else 0
    tiles, square, tile = up(samples, TILE), (depth - 1) * rows**2, rows * TILE
    table = tile if line else 0
    shared = [tiles * inputs, lines * (ndim - 1), TILE if line else 0, rows]
    weights = [ndim * rows, square, square, depth * rows, rows * channels, channels]
    angles = [lines * rows, lines * rows, table, table]
    values = [depth * tile, depth * tile, tile, tile, channels * TILE]
    kept = [inputs * TILE, channels * TILE]
    sums = [inputs * rows, square, depth * rows, rows * channels, channels, 1]
    bounds = [tiles * channels, tiles * channels, tiles * inputs]
    work = [*weights, *bounds, *angles, *values, *kept]
    sizes = [*shared, *work, *(LANES * n for n in sums)]
    # Whole vectors, so that aligned buffers have aligned parts.
    offsets = accumulate((up(size, LANES) for size in sizes), initial=0)
    return BufferPlan(ndim, width, depth, channels, samples, rows, inputs, line, lines, *offsets)


def workspace(layout: BufferPlan, coordinates: Floats, threads: int) -> Floats:
    """Buffers (thread, float), zero but for the coordinates."""
    pitch = up(layout.end, 64)
    raw = np.zeros(threads * pitch + 16, dtype=np.float32)
    # A vector that straddles two cache lines costs two accesses.
    buffers = raw[-(raw.ctypes.data // 4) % 16 :][: threads * pitch].reshape(threads, pitch)
    ndim, line = layout.ndim, layout.line
    positions = np.ones((layout.samples, ndim + 1), dtype=np.float32)
    positions[:, :ndim] = coordinates
    put_tiles(buffers, layout.positions, layout.inputs, positions)
    if line:
        put_tiles(buffers, layout.outer, ndim - 1, coordinates[::line, : ndim - 1])
        put_tiles(buffers, layout.inner, 1, coordinates[:line, -1:])
    return buffers


def put_tiles(buffers: Floats, at: int, rows: int, values: Floats) -> None:
    """Write values (sample, row) as (tile, rows, TILE), zero where padded."""
    samples, given = values.shape
    tiles = up(samples, TILE) // TILE
    padded = np.zeros((tiles * TILE, rows), dtype=np.float32)
    padded[:samples, :given] = values
    tiled = padded.reshape(tiles, TILE, rows).transpose(0, 2, 1)
    buffers[:, at : at + tiled.size] = tiled.reshape(-1)


def _line_length(coordinates: Floats) -> int:
    """Samples per lattice line, 0 if there is no lattice or its lines do not fit tiles."""
    count = len(coordinates)
    turns = np.flatnonzero((np.diff(coordinates[:, :-1], axis=0) != 0).any(axis=1))
    line = int(turns[0]) + 1 if len(turns) else count
    if line % LANES or TILE % line or count % line:
        return 0
    grid = coordinates.reshape(count // line, line, -1)
    flat = (grid[:, :, :-1] == grid[:, :1, :-1]).all() and (grid[..., -1] == grid[:1, :, -1]).all()
    return line if flat else 0


@njit(forceinline=True)
def padded(samples: int) -> int:
    """Samples rounded up to what the inner loops work on at once."""
    return (samples + STRIDE - 1) // STRIDE * STRIDE


@njit(nogil=True, cache=True)
def pack(parameters: Floats, o: BufferPlan, omega: float, work: Floats) -> None:
    """Spread a block's flat parameters into padded matrices, scaled for sines of pi z."""
    rows, width = o.rows, o.width
    forward, plain = np.float32(omega / np.pi), np.float32(omega)
    at = 0
    for i in range(o.ndim):
        for j in range(width):
            work[o.first + i * rows + j] = forward * parameters[at]
            at += 1
    for layer in range(o.depth):
        if layer:
            base = (layer - 1) * rows * rows
            for i in range(width):
                for j in range(width):
                    work[o.hidden + base + i * rows + j] = forward * parameters[at]
                    work[o.back + base + i * rows + j] = plain * parameters[at]
                    at += 1
        for j in range(width):
            work[o.biases + layer * rows + j] = forward * parameters[at]
            at += 1
    for k in range(width * o.channels):
        work[o.last + k] = parameters[at]
        at += 1
    for channel in range(o.channels):
        work[o.last_bias + channel] = parameters[at]
        at += 1


@njit(forceinline=True)
def all_samples(o: BufferPlan) -> ActiveSamples:
    return ActiveSamples(o.samples, o.line, o.positions, False)


@njit(nogil=True, cache=True)
def put_bounds(lower: Floats, upper: Floats, o: BufferPlan, work: Floats) -> ActiveSamples:
    """A block's intervals (sample, channel) as tiles, and which samples they are of.

    Samples without any bound are left out, together with their positions.
    """
    low, high = lower.reshape(-1), upper.reshape(-1)
    numbers, unbounded = 0, 0
    for k in range(len(low)):
        numbers += low[k] == high[k]
        unbounded += (low[k] == -np.inf) & (high[k] == np.inf)
    if unbounded:
        kept = _choose(lower, upper, o, work)
        s = ActiveSamples(kept, 0, o.chosen, 2 * numbers < kept * o.channels)
    else:
        s = ActiveSamples(o.samples, o.line, o.positions, 2 * numbers < len(low))
        for start in range(0, o.samples, TILE):
            for channel in range(o.channels):
                count = min(TILE, o.samples - start)
                a = o.lower + start * o.channels + channel * TILE
                b = o.upper + start * o.channels + channel * TILE
                work[a : a + count] = lower[start : start + count, channel]
                work[b : b + count] = upper[start : start + count, channel]
    # Whatever the MLP says in the padding, it is no error.
    for sample in range(s.kept, padded(s.kept)):
        at = sample // TILE * (o.channels * TILE) + sample % TILE
        for channel in range(o.channels):
            work[o.lower + at + channel * TILE] = -np.inf
            work[o.upper + at + channel * TILE] = np.inf
    return s


@njit(nogil=True, cache=True)
def _choose(lower: Floats, upper: Floats, o: BufferPlan, work: Floats) -> int:
    """Put positions and bounds of the samples that have any one after another; returns how many."""
    kept = 0
    for sample in range(o.samples):
        bounded = False
        for channel in range(o.channels):
            bounded |= lower[sample, channel] != -np.inf or upper[sample, channel] != np.inf
        if not bounded:
            continue
        source = o.positions + sample // TILE * (o.inputs * TILE) + sample % TILE
        into = o.chosen + kept // TILE * (o.inputs * TILE) + kept % TILE
        for i in range(0, o.inputs * TILE, TILE):
            work[into + i] = work[source + i]
        at = kept // TILE * (o.channels * TILE) + kept % TILE
        for channel in range(o.channels):
            work[o.lower + at + channel * TILE] = lower[sample, channel]
            work[o.upper + at + channel * TILE] = upper[sample, channel]
        kept += 1
    return kept


@njit(nogil=True, cache=True)
def unpack_gradient(
    o: BufferPlan, omega: float, factor: float, work: Floats, gradient: Floats
) -> None:
    """Add up the lanes in the order of the flat parameters."""
    rows, width = o.rows, o.width
    scale, plain = np.float32(omega * factor), np.float32(factor)
    at = 0
    for i in range(o.ndim):
        for j in range(width):
            gradient[at] = scale * total(load(work, o.first_sums + LANES * (i * rows + j)))
            at += 1
    for layer in range(o.depth):
        biases = o.bias_sums + LANES * layer * rows
        if layer:
            base = o.hidden_sums + LANES * (layer - 1) * rows * rows
            for i in range(width):
                for j in range(width):
                    gradient[at] = scale * total(load(work, base + LANES * (i * rows + j)))
                    at += 1
        else:
            biases = o.first_sums + LANES * o.ndim * rows
        for j in range(width):
            gradient[at] = scale * total(load(work, biases + LANES * j))
            at += 1
    for k in range(width * o.channels):
        gradient[at] = plain * total(load(work, o.last_sums + LANES * k))
        at += 1
    for channel in range(o.channels):
        gradient[at] = plain * total(load(work, o.last_bias_sums + LANES * channel))
        at += 1
