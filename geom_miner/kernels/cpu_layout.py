"""Where the fused CPU kernel keeps a block: padded matrices, tiles and sums in one buffer.

Features are padded to rows of four. Sums hold eight lanes per number; they are added up once per
step.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from geom_miner.kernels.cpu_tile import TILE

Floats = npt.NDArray[np.float32]

# (inputs, width, depth, channels): what the compiled code needs of an architecture.
Dims = tuple[int, int, int, int]


def up(n: int, multiple: int) -> int:
    """The next multiple that is not less than n."""
    return -(-n // multiple) * multiple


class Samples(NamedTuple):
    """The places where a block is sampled, as the compiled code reads them.

    Attributes
    ----------
    rows : (ndim padded to four, samples padded to sixteen), coordinates, zero where padded.
    line : samples of a line along the last axis if the places form a lattice whose lines fit a
        tile evenly, else 0.
    outer : (ndim, lines padded), each line's coordinates on the other axes.
    inner : (1, line padded), coordinates along a line.
    """

    rows: Floats
    line: int
    outer: Floats
    inner: Floats


def samples_of(coordinates: npt.NDArray[Any]) -> Samples:
    """Lay out coordinates (sample, ndim) and find their lattice, if they have one."""
    count, ndim = coordinates.shape
    rows = np.zeros((up(ndim, 4), up(count, 16)), dtype=np.float32)
    rows[:ndim, :count] = coordinates.T
    line = _line_length(coordinates)
    lines = count // line if line else 0
    outer = np.zeros((ndim, up(lines, 16)), dtype=np.float32)
    inner = np.zeros((1, up(line, 16)), dtype=np.float32)
    if line:
        outer[: ndim - 1, :lines] = coordinates[::line, : ndim - 1].T
        inner[0, :line] = coordinates[:line, -1]
    return Samples(rows, line, outer, inner)


def _line_length(coordinates: npt.NDArray[Any]) -> int:
    """Samples per lattice line, 0 if there is no lattice or its lines do not fit tiles."""
    count = len(coordinates)
    turns = np.flatnonzero((np.diff(coordinates[:, :-1], axis=0) != 0).any(axis=1))
    line = int(turns[0]) + 1 if len(turns) else count
    if line % 8 or TILE % line or count % line:
        return 0
    grid = coordinates.reshape(count // line, line, -1)
    flat = (grid[:, :, :-1] == grid[:, :1, :-1]).all() and (grid[..., -1] == grid[:1, :, -1]).all()
    return line if flat else 0


def workspace(dims: Dims, samples: Samples, threads: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """A buffer (thread, float) and the offsets of its parts, in the order of ``parts``."""
    inputs, width, depth, channels = dims
    rows = up(width, 4)
    square, tile = (depth - 1) * rows**2, rows * TILE
    weights = [inputs * rows, square, square, depth * rows, rows * channels, channels]
    tiles = [depth * tile, depth * tile, tile, tile, channels * TILE, channels * TILE]
    sums = [up(inputs, 4) * rows, square, depth * rows, rows * channels, channels, 1]
    lines = tile if samples.line else 0
    outer = up(samples.outer.shape[1], TILE) // TILE * tile
    tables = [outer, outer, lines, lines, rows]
    sizes = [*weights, *tiles, *[8 * n for n in sums], *tables]
    offsets = np.array([0, *accumulate(sizes)], dtype=np.int64)
    return np.empty((threads, offsets[-1]), dtype=np.float32), offsets


@njit(inline="always")
def ceil4(n: int) -> int:
    """n rounded up to a multiple of four."""
    return (n + 3) // 4 * 4


@njit(nogil=True, cache=True)
def parts(work: Floats, o: npt.NDArray[np.int64]) -> Any:
    """Views of a thread's buffer: weights, tiles, sums, tables.

    weights : first (inputs, rows), hidden and back (depth - 1, rows, rows), biases (depth, rows),
        last (rows, channels), its bias (channels)
    tiles : sines and cosines (depth, rows, TILE), slopes and slopes below (rows, TILE),
        outputs and targets (channels, TILE)
    sums : of gradients, with eight lanes each: first, hidden, biases, last, its bias; squares
    tables : sines and cosines of the first layer's angle per line (chunk of lines, rows, TILE) and
        along a line (rows, TILE), and as many zeros as rows
    """
    weights = (
        work[o[0] : o[1]], work[o[1] : o[2]], work[o[2] : o[3]],
        work[o[3] : o[4]], work[o[4] : o[5]], work[o[5] : o[6]],
    )  # fmt: skip
    tiles = (
        work[o[6] : o[7]], work[o[7] : o[8]], work[o[8] : o[9]],
        work[o[9] : o[10]], work[o[10] : o[11]], work[o[11] : o[12]],
    )  # fmt: skip
    sums = (
        work[o[12] : o[13]], work[o[13] : o[14]], work[o[14] : o[15]],
        work[o[15] : o[16]], work[o[16] : o[17]], work[o[17] : o[18]],
    )  # fmt: skip
    tables = (
        work[o[18] : o[19]], work[o[19] : o[20]],
        work[o[20] : o[21]], work[o[21] : o[22]], work[o[22] : o[23]],
    )  # fmt: skip
    return weights, tiles, sums, tables


@njit(nogil=True, cache=True)
def pack(parameters: Floats, dims: Dims, omega: float, weights: Any) -> None:
    """Spread a block's flat parameters into padded matrices, scaled for sines of pi z."""
    inputs, width, depth, channels = dims
    rows = ceil4(width)
    first, hidden, back, biases, last, last_bias = weights
    forward = np.float32(omega / np.pi)
    at = 0
    for i in range(inputs):
        for j in range(width):
            first[i * rows + j] = forward * parameters[at]
            at += 1
    for layer in range(depth):
        if layer:
            base = (layer - 1) * rows * rows
            for i in range(width):
                for j in range(width):
                    hidden[base + i * rows + j] = forward * parameters[at]
                    back[base + i * rows + j] = np.float32(omega) * parameters[at]
                    at += 1
        for j in range(width):
            biases[layer * rows + j] = forward * parameters[at]
            at += 1
    for k in range(width * channels):
        last[k] = parameters[at]
        at += 1
    for channel in range(channels):
        last_bias[channel] = parameters[at]
        at += 1


@njit(nogil=True, cache=True)
def lanes(sums: Floats, index: int) -> np.float32:
    """The eight lanes of one number, added up."""
    total = np.float32(0.0)
    for lane in range(8):
        total += sums[8 * index + lane]
    return total


@njit(nogil=True, cache=True)
def unpack_gradient(dims: Dims, omega: float, factor: float, sums: Any, gradient: Floats) -> None:
    """Add up the lanes in the order of the flat parameters."""
    inputs, width, depth, channels = dims
    rows = ceil4(width)
    first_sums, hidden_sums, bias_sums, last_sums, last_bias_sums, _ = sums
    scale, plain = np.float32(omega * factor), np.float32(factor)
    at = 0
    for i in range(inputs):
        for j in range(width):
            gradient[at] = scale * lanes(first_sums, i * rows + j)
            at += 1
    for layer in range(depth):
        if layer:
            base = (layer - 1) * rows * rows
            for i in range(width):
                for j in range(width):
                    gradient[at] = scale * lanes(hidden_sums, base + i * rows + j)
                    at += 1
        for j in range(width):
            gradient[at] = scale * lanes(bias_sums, layer * rows + j)
            at += 1
    for k in range(width * channels):
        gradient[at] = plain * lanes(last_sums, k)
        at += 1
    for channel in range(channels):
        gradient[at] = plain * lanes(last_bias_sums, channel)
        at += 1
