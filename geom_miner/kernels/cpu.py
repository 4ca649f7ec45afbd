"""The fused CPU kernel: a block's whole training stays inside one core's cache.

Twin of ``reference``: same signatures, same meaning. Blocks are spread over the cores; within one,
every optimizer step runs tile by tile through forward pass, loss and backward pass, and ends with
Adam, without a temporary that leaves the cache and without returning to Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numba import get_num_threads, njit, parallel_chunksize, prange
from numba.np.ufunc.parallel import get_thread_id
from torch import Tensor

from geom_miner.errors import BackendUnavailable
from geom_miner.kernels import compiled_cache
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.cpu_layout import (
    Dims,
    Floats,
    Samples,
    ceil4,
    lanes,
    pack,
    parts,
    samples_of,
    unpack_gradient,
    workspace,
)
from geom_miner.kernels.cpu_tile import (
    TILE,
    add_angles,
    bias_gradient,
    errors_and_loss,
    linear_layer,
    linear_layer_back,
    sine_layer,
    sine_layer_back,
    weight_gradient,
)
from geom_miner.kernels.training import BETA1, BETA2, EPSILON, TrainingState

# Numba looks at each file's own date only, and compiled code here is made of several files.
compiled_cache.drop_if_stale("cpu.py", "cpu_layout.py", "cpu_tile.py", "simd.py", "training.py")


def prepare() -> None:
    """Compile, or load what is compiled, before anybody looks at the clock."""
    architecture = MLPArchitecture(1, 1, 1, 1, 1.0)
    place, state = torch.zeros(1, 1), TrainingState.start(torch.zeros(1, 4))
    train(
        architecture,
        state,
        place,
        torch.zeros(1, 1, 1),
        learning_rates=torch.ones(1),
        tolerances=torch.ones(1),
    )
    evaluate(architecture, state.parameters, place)


def evaluate(architecture: MLPArchitecture, parameters: Tensor, coordinates: Tensor) -> Tensor:
    """See ``reference.evaluate``; float32 on the CPU only."""
    out = np.empty((len(parameters), len(coordinates), architecture.channels), dtype=np.float32)
    dims, samples = _dims(architecture), samples_of(coordinates.numpy())
    with parallel_chunksize(1):
        _evaluate_all(
            _array(parameters),
            samples,
            dims,
            architecture.omega,
            *workspace(dims, samples, get_num_threads()),
            out,
        )
    return torch.from_numpy(out)


def train(
    architecture: MLPArchitecture,
    state: TrainingState,
    coordinates: Tensor,
    targets: Tensor,
    *,
    learning_rates: Tensor,
    tolerances: Tensor,
    dead_zone: float = 0.0,
) -> None:
    """See ``reference.train``; float32 on the CPU only."""
    dims, samples = _dims(architecture), samples_of(coordinates.numpy())
    with parallel_chunksize(1):
        _train_all(
            _array(state.parameters),
            _array(state.first_moment),
            _array(state.second_moment),
            state.steps.numpy(),
            _array(state.losses),
            samples,
            _array(targets),
            learning_rates.to(torch.float64).numpy(),
            _array(tolerances),
            dead_zone,
            dims,
            architecture.omega,
            *workspace(dims, samples, get_num_threads()),
        )


def _dims(architecture: MLPArchitecture) -> Dims:
    return architecture.ndim, architecture.width, architecture.depth, architecture.channels


def _array(tensor: Tensor) -> Floats:
    """The tensor's own memory; training writes into it."""
    if tensor.device.type != "cpu" or tensor.dtype != torch.float32 or not tensor.is_contiguous():
        raise BackendUnavailable(
            "backend cpu must be given contiguous float32 tensors on the CPU, got "
            f"{tensor.dtype} on {tensor.device}; use backend reference"
        )
    array: Floats = tensor.numpy()
    return array


@njit(nogil=True, cache=True)
def _line_tables(samples: Samples, dims: Dims, weights: Any, tables: Any) -> None:
    """The first layer's sines and cosines per lattice line and along a line, once per step."""
    inputs, width, _, _ = dims
    rows = ceil4(width)
    first, _, _, biases, _, _ = weights
    outer_sines, outer_cosines, inner_sines, inner_cosines, zeros = tables
    pitch = samples.outer.shape[1]
    flat, inner = samples.outer.reshape(-1), samples.inner.reshape(-1)
    for start in range(0, pitch, TILE):
        sine_layer(
            first, biases, rows, flat, start, pitch, inputs - 1,
            outer_sines[start * rows :], outer_cosines[start * rows :], min(TILE, pitch - start),
        )  # fmt: skip
    sine_layer(
        first[(inputs - 1) * rows :], zeros, rows, inner, 0, len(inner), 1,
        inner_sines, inner_cosines, len(inner),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _first_layer(
    samples: Samples, start: int, count: int, dims: Dims, weights: Any, tiles: Any, tables: Any
) -> None:
    """The first layer of a tile, from the lattice's tables where there is a lattice."""
    rows, line = ceil4(dims[1]), samples.line
    if line:
        first_line = start // line
        chunk = first_line // TILE
        add_angles(
            tables[0][chunk * rows * TILE :], tables[1][chunk * rows * TILE :], first_line % TILE,
            tables[2], tables[3], line, rows, tiles[0], tiles[1], count,
        )  # fmt: skip
    else:
        flat, pitch = samples.rows.reshape(-1), samples.rows.shape[1]
        sine_layer(
            weights[0], weights[3], rows, flat, start, pitch, dims[0], tiles[0], tiles[1], count
        )


@njit(nogil=True, cache=True)
def _forward(
    samples: Samples, start: int, count: int, dims: Dims, weights: Any, tiles: Any, tables: Any
) -> None:
    """A tile's outputs, all sines and cosines kept; ``count`` is a multiple of sixteen."""
    _, width, depth, channels = dims
    rows = ceil4(width)
    _, hidden, _, biases, last, last_bias = weights
    sines, cosines, _, _, outputs, _ = tiles
    size, square = rows * TILE, rows * rows
    _first_layer(samples, start, count, dims, weights, tiles, tables)
    for layer in range(1, depth):
        sine_layer(
            hidden[(layer - 1) * square :],
            biases[layer * rows :],
            rows,
            sines[(layer - 1) * size :],
            0,
            TILE,
            rows,
            sines[layer * size :],
            cosines[layer * size :],
            count,
        )
    linear_layer(last, last_bias, channels, sines[(depth - 1) * size :], rows, outputs, count)


@njit(nogil=True, cache=True)
def _backward(
    samples: Samples, start: int, count: int, dims: Dims, weights: Any, tiles: Any, sums: Any
) -> None:
    """Add a tile's part of every gradient to the sums, lane by lane."""
    _, width, depth, channels = dims
    rows = ceil4(width)
    _, _, back, _, last, _ = weights
    sines, cosines, slopes, below, outputs, _ = tiles
    first_sums, hidden_sums, bias_sums, last_sums, last_bias_sums, _ = sums
    size, square, pitch = rows * TILE, rows * rows, samples.rows.shape[1]
    top = (depth - 1) * size
    linear_layer_back(
        last, channels, outputs, sines[top:], cosines[top:], rows, slopes, last_sums, count
    )
    bias_gradient(outputs, channels, last_bias_sums, count)
    for layer in range(depth - 1, 0, -1):
        lower = (layer - 1) * size
        bias_gradient(slopes, rows, bias_sums[layer * rows * 8 :], count)
        weight_gradient(
            sines[lower:],
            0,
            TILE,
            rows,
            slopes,
            rows,
            hidden_sums[(layer - 1) * square * 8 :],
            count,
        )
        sine_layer_back(back[(layer - 1) * square :], rows, slopes, cosines[lower:], below, count)
        slopes, below = below, slopes
    bias_gradient(slopes, rows, bias_sums, count)
    weight_gradient(
        samples.rows.reshape(-1), start, pitch, len(samples.rows), slopes, rows, first_sums, count
    )


@njit(nogil=True, cache=True)
def _compare(
    targets: Floats,
    start: int,
    stop: int,
    count: int,
    channels: int,
    dead_zone: float,
    tiles: Any,
    sums: Any,
) -> None:
    """Turn a tile's outputs into errors, zero in the padding, and add up their squares."""
    _, _, _, _, outputs, goal = tiles
    for channel in range(channels):
        row = channel * TILE
        for t in range(stop - start):
            goal[row + t] = targets[start + t, channel]
        for t in range(stop - start, count):
            goal[row + t] = outputs[row + t]
        errors_and_loss(outputs[row:], goal[row:], count, dead_zone, sums[5])


@njit(nogil=True, cache=True)
def _loss_and_sums(
    places: Samples,
    targets: Floats,
    dead_zone: float,
    dims: Dims,
    weights: Any,
    tiles: Any,
    sums: Any,
    tables: Any,
) -> float:
    """One pass over a block's samples; returns its mean squared error."""
    samples, channels = targets.shape
    for part in sums:
        part[:] = 0
    if places.line:
        _line_tables(places, dims, weights, tables)
    for start in range(0, samples, TILE):
        stop = min(start + TILE, samples)
        count = (stop - start + 15) // 16 * 16
        _forward(places, start, count, dims, weights, tiles, tables)
        _compare(targets, start, stop, count, channels, dead_zone, tiles, sums)
        _backward(places, start, count, dims, weights, tiles, sums)
    return lanes(sums[5], 0) / (samples * channels)


@njit(nogil=True, cache=True, error_model="numpy")
def _adam(
    parameters: Floats, first: Floats, second: Floats, gradient: Floats, step: int, rate: float
) -> None:
    root = np.sqrt(1.0 - BETA2**step)
    size = np.float32(rate * root / (1.0 - BETA1**step))
    floor = np.float32(EPSILON * root)
    one, two = np.float32(1.0 - BETA1), np.float32(1.0 - BETA2)
    for k in range(len(parameters)):
        g = gradient[k]
        first[k] += one * (g - first[k])
        second[k] += two * (g * g - second[k])
        parameters[k] -= size * first[k] / (np.sqrt(second[k]) + floor)


@njit(nogil=True, cache=True, parallel=True)
def _train_all(
    parameters: Floats,
    first: Floats,
    second: Floats,
    steps: npt.NDArray[np.int64],
    losses: Floats,
    places: Samples,
    targets: Floats,
    rates: npt.NDArray[np.float64],
    tolerances: Floats,
    dead_zone: float,
    dims: Dims,
    omega: float,
    buffer: Floats,
    offsets: npt.NDArray[np.int64],
) -> None:
    factor = 2.0 / (targets.shape[1] * targets.shape[2])
    for block in prange(len(parameters)):
        work = buffer[get_thread_id()]
        # Padding must be zero; everything else is written before it is read.
        work[:] = 0
        weights, tiles, sums, tables = parts(work, offsets)
        gradient = np.empty(parameters.shape[1], dtype=np.float32)
        for k in range(len(rates)):
            pack(parameters[block], dims, omega, weights)
            loss = _loss_and_sums(
                places, targets[block], dead_zone, dims, weights, tiles, sums, tables
            )
            losses[block] = loss
            if loss <= tolerances[block]:
                break
            steps[block] += 1
            unpack_gradient(dims, omega, factor, sums, gradient)
            _adam(parameters[block], first[block], second[block], gradient, steps[block], rates[k])


@njit(nogil=True, cache=True, parallel=True)
def _evaluate_all(
    parameters: Floats,
    places: Samples,
    dims: Dims,
    omega: float,
    buffer: Floats,
    offsets: npt.NDArray[np.int64],
    out: Floats,
) -> None:
    for block in prange(len(parameters)):
        work = buffer[get_thread_id()]
        work[:] = 0
        weights, tiles, _, tables = parts(work, offsets)
        pack(parameters[block], dims, omega, weights)
        samples = out.shape[1]
        if places.line:
            _line_tables(places, dims, weights, tables)
        for start in range(0, samples, TILE):
            stop = min(start + TILE, samples)
            count = (stop - start + 15) // 16 * 16
            _forward(places, start, count, dims, weights, tiles, tables)
            for channel in range(dims[3]):
                for t in range(stop - start):
                    out[block, start + t, channel] = tiles[4][channel * TILE + t]
