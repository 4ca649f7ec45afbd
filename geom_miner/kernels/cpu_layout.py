"""Where the fused CPU kernel keeps a block: padded matrices, tiles and sums in one buffer.

Features are padded to rows of four. Sums hold eight lanes per number; they are added up once per
step.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

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


def workspace(dims: Dims, threads: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """A buffer (thread, float) and the offsets of its parts, in the order of ``parts``."""
    inputs, width, depth, channels = dims
    rows = up(width, 4)
    square, tile = (depth - 1) * rows**2, rows * TILE
    weights = [inputs * rows, square, square, depth * rows, rows * channels, channels]
    tiles = [depth * tile, depth * tile, tile, tile, channels * TILE, channels * TILE]
    sums = [up(inputs, 4) * rows, square, depth * rows, rows * channels, channels, 1]
    sizes = [*weights, *tiles, *[8 * n for n in sums]]
    offsets = np.array([0, *accumulate(sizes)], dtype=np.int64)
    return np.empty((threads, offsets[-1]), dtype=np.float32), offsets


@njit(inline="always")
def ceil4(n: int) -> int:
    """n rounded up to a multiple of four."""
    return (n + 3) // 4 * 4


@njit(nogil=True, cache=True)
def parts(work: Floats, o: npt.NDArray[np.int64]) -> Any:
    """Views of a thread's buffer: weights, tiles, sums.

    weights : first (inputs, rows), hidden and back (depth - 1, rows, rows), biases (depth, rows),
        last (rows, channels), its bias (channels)
    tiles : sines and cosines (depth, rows, TILE), slopes and slopes below (rows, TILE),
        outputs and targets (channels, TILE)
    sums : of gradients, with eight lanes each: first, hidden, biases, last, its bias; squares
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
    return weights, tiles, sums


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
