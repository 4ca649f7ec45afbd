"""The fused CPU kernel: a block's whole training stays inside one core's cache.

Twin of ``reference``: same signatures, same meaning. Blocks are spread over the cores; within one,
every optimizer step runs tile by tile through forward pass, loss and backward pass, and ends with
Adam, without a temporary that leaves the cache and without returning to Python.
"""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt
import torch
from numba import get_num_threads, njit, parallel_chunksize, prange
from numba.core import event
from numba.np.ufunc.parallel import get_thread_id
from torch import Tensor

from geom_miner.errors import BackendUnavailable, BlockShapeError
from geom_miner.kernels import compiled_cache
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.cpu_layout import (
    Floats,
    Layout,
    Samples,
    all_samples,
    pack,
    padded,
    plan,
    put_goals,
    unpack_gradient,
    workspace,
)
from geom_miner.kernels.cpu_tile import (
    TILE,
    add_angles,
    bias_gradient,
    collect,
    errors_and_loss,
    linear_layer,
    linear_layer_back,
    sine_layer,
    sine_layer_back,
    weight_gradient,
)
from geom_miner.kernels.simd import LANES, load, total
from geom_miner.kernels.training import BETA1, BETA2, EPSILON, TrainingState, check_goals

_LOG = logging.getLogger(__name__)

# Numba looks at each file's own date only, and compiled code here is made of several files.
compiled_cache.drop_if_stale("cpu.py", "cpu_layout.py", "cpu_tile.py", "simd.py", "training.py")


def prepare() -> None:
    """Compile, or load what is compiled, before anybody looks at the clock.

    Says so, as a warning of this module's logger, if it has to compile.
    """
    architecture = MLPArchitecture(1, 1, 1, 1, 1.0)
    place, state = torch.zeros(1, 1), TrainingState.start(torch.zeros(1, 4))
    goal = torch.zeros(1, 1, 1)
    with event.install_listener("numba:compile", _Announcement()):
        train(
            architecture,
            state,
            place,
            goal,
            goal,
            learning_rates=torch.ones(1),
            tolerances=torch.ones(1),
        )
        evaluate(architecture, state.parameters, place)


class _Announcement(event.Listener):
    """Tells of the first function that is compiled; what is loaded from the cache is not."""

    def __init__(self) -> None:
        self._told = False

    def on_start(self, event: object) -> None:
        if not self._told:
            _LOG.warning("compiling the CPU kernel: about 20 seconds, once on this machine")
        self._told = True

    def on_end(self, event: object) -> None:
        pass


def evaluate(architecture: MLPArchitecture, parameters: Tensor, coordinates: Tensor) -> Tensor:
    """See ``reference.evaluate``; float32 on the CPU only."""
    places = coordinates.numpy()
    layout = _layout(architecture, parameters, coordinates)
    out = np.empty((len(parameters), len(places), architecture.channels), dtype=np.float32)
    with parallel_chunksize(1):
        _evaluate_all(
            _array(parameters),
            layout,
            architecture.omega,
            workspace(layout, places, get_num_threads()),
            out,
        )
    return torch.from_numpy(out)


def train(
    architecture: MLPArchitecture,
    state: TrainingState,
    coordinates: Tensor,
    lower: Tensor,
    upper: Tensor,
    *,
    learning_rates: Tensor,
    tolerances: Tensor,
) -> None:
    """See ``reference.train``; float32 on the CPU only."""
    places = coordinates.numpy()
    layout = _layout(architecture, state.parameters, coordinates)
    check_goals(architecture, state, coordinates, lower, upper)
    with parallel_chunksize(1):
        _train_all(
            _array(state.parameters),
            _array(state.first_moment),
            _array(state.second_moment),
            state.steps.numpy(),
            _array(state.losses),
            _array(lower),
            _array(upper),
            learning_rates.to(torch.float64).numpy(),
            _array(tolerances),
            layout,
            architecture.omega,
            workspace(layout, places, get_num_threads()),
        )


def _layout(architecture: MLPArchitecture, parameters: Tensor, coordinates: Tensor) -> Layout:
    """Compiled code tests no bounds, so what it is given is tested here."""
    a = architecture
    for name, tensor, columns in (
        ("parameters", parameters, a.num_parameters), ("coordinates", coordinates, a.ndim)
    ):  # fmt: skip
        if tensor.ndim != 2 or tensor.shape[1] != columns:
            raise BlockShapeError(
                f"{name} of {'-'.join(map(str, a.widths))} must have {columns} columns, "
                f"got {tuple(tensor.shape)}"
            )
    return plan(a.ndim, a.width, a.depth, a.channels, coordinates.numpy())


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
def _line_tables(o: Layout, work: Floats) -> None:
    """The first layer's sines and cosines per lattice line and along a line, once per step."""
    rows, others = o.rows, o.ndim - 1
    for start in range(0, o.lines, TILE):
        sine_layer(
            work, o.first, o.biases, rows, o.outer + start * others, others,
            o.outer_sines + start * rows, o.outer_cosines + start * rows,
            padded(min(TILE, o.samples // o.line - start)), True,
        )  # fmt: skip
    sine_layer(
        work, o.first + others * rows, o.zeros, rows, o.inner, 1,
        o.inner_sines, o.inner_cosines, padded(o.line), True,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _hidden_layers(o: Layout, count: int, way_back: bool, work: Floats) -> int:
    """From the first layer's sines to the last one's; returns where those are."""
    rows, tile = o.rows, o.rows * TILE
    sines = o.sines
    for layer in range(1, o.depth):
        sine_layer(
            work, o.hidden + (layer - 1) * rows * rows, o.biases + layer * rows, rows,
            sines, rows, sines + tile, o.cosines + layer * tile, count, way_back,
        )  # fmt: skip
        sines += tile
    return sines


@njit(nogil=True, cache=True)
def _forward(o: Layout, s: Samples, start: int, count: int, way_back: bool, work: Floats) -> None:
    """Outputs of ``count`` samples from ``start`` on, a tile's first.

    Sines are kept, and cosines where there is a way back.
    """
    rows, tile = o.rows, o.rows * TILE
    if s.line:
        # From the lattice's tables: ``start`` is on the first sample of a line.
        first = start // s.line
        table = first // TILE * tile + first % TILE
        add_angles(
            work, o.outer_sines + table, o.outer_cosines + table, o.inner_sines, o.inner_cosines,
            s.line, rows, o.sines, o.cosines, count, way_back,
        )  # fmt: skip
    else:
        places = s.places + start * o.inputs
        sine_layer(
            work, o.first, o.biases, rows, places, o.ndim, o.sines, o.cosines, count, way_back
        )
    sines = _hidden_layers(o, count, way_back, work)
    linear_layer(work, o.last, o.last_bias, o.channels, sines, rows, o.outputs, count)


@njit(nogil=True, cache=True)
def _backward(o: Layout, places: int, errors: int, count: int, work: Floats) -> None:
    """Add a tile's part of every gradient to the sums, lane by lane."""
    rows, tile, square = o.rows, o.rows * TILE, o.rows * o.rows
    top = (o.depth - 1) * tile
    slopes, below = o.slopes, o.below
    linear_layer_back(
        work, o.last, o.channels, errors, o.sines + top, o.cosines + top,
        rows, slopes, o.last_sums, count,
    )  # fmt: skip
    bias_gradient(work, errors, o.channels, o.last_bias_sums, count)
    for layer in range(o.depth - 1, 0, -1):
        lower, matrix = (layer - 1) * tile, (layer - 1) * square
        bias_gradient(work, slopes, rows, o.bias_sums + LANES * layer * rows, count)
        sums = o.hidden_sums + LANES * matrix
        weight_gradient(work, o.sines + lower, rows, slopes, rows, sums, count)
        sine_layer_back(work, o.back + matrix, rows, slopes, o.cosines + lower, below, count)
        slopes, below = below, slopes
    weight_gradient(work, places, o.inputs, slopes, rows, o.first_sums, count)


@njit(nogil=True, cache=True)
def _compare(o: Layout, start: int, count: int, work: Floats) -> None:
    """Turn a tile's outputs into errors and add up their squares."""
    for channel in range(o.channels):
        at = start * o.channels + channel * TILE
        errors_and_loss(
            work, o.outputs + channel * TILE, o.lower + at, o.upper + at, count, o.squares
        )


@njit(nogil=True, cache=True)
def _backward_of_kept(o: Layout, kept: int, work: Floats) -> None:
    """Forth and back with the samples that were collected."""
    count = padded(kept)
    for channel in range(o.channels):
        errors = o.kept_errors + channel * TILE
        work[errors + kept : errors + count] = 0
    sine_layer(
        work, o.first, o.biases, o.rows, o.kept_places, o.ndim, o.sines, o.cosines, count, True
    )
    _hidden_layers(o, count, True, work)
    _backward(o, o.kept_places, o.kept_errors, count, work)


@njit(nogil=True, cache=True)
def _step_of_all(o: Layout, s: Samples, work: Floats) -> None:
    """Squares and gradients, every sample forth and back."""
    for start in range(0, s.kept, TILE):
        count = padded(min(TILE, s.kept - start))
        _forward(o, s, start, count, True, work)
        _compare(o, start, count, work)
        _backward(o, s.places + start * o.inputs, o.outputs, count, work)


@njit(nogil=True, cache=True)
def _step_of_wrong(o: Layout, s: Samples, work: Floats) -> int:
    """The same; only samples outside their interval, which alone have a gradient, go back.

    They are collected from all tiles and go forth once more, for the cosines: cheaper than to
    compute and keep everybody's. Returns how many they were.
    """
    kept, total = 0, 0
    for start in range(0, s.kept, TILE):
        count = padded(min(TILE, s.kept - start))
        places = s.places + start * o.inputs
        _forward(o, s, start, count, False, work)
        _compare(o, start, count, work)
        t = 0
        while t < count:
            before = kept
            t, kept = collect(
                work, places, o.inputs, o.outputs, o.channels, t, count,
                o.kept_places, o.kept_errors, kept,
            )  # fmt: skip
            total += kept - before
            if kept > TILE - LANES:
                _backward_of_kept(o, kept, work)
                kept = 0
    if kept:
        _backward_of_kept(o, kept, work)
    return total


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


@njit(nogil=True, cache=True)
def _train_block(
    parameters: Floats,
    first: Floats,
    second: Floats,
    steps: int,
    lower: Floats,
    upper: Floats,
    rates: npt.NDArray[np.float64],
    tolerance: float,
    o: Layout,
    omega: float,
    work: Floats,
) -> tuple[int, np.float32]:
    """Train one block in place; returns its count of steps and its last loss.

    Samples without a goal are not run. Where goals are wide, only samples that miss theirs go back.
    """
    factor = 2.0 / (o.samples * o.channels)
    gradient = np.empty_like(parameters)
    s = put_goals(lower, upper, o, work)
    few_wrong, loss = s.wide, np.float32(np.inf)
    for k in range(len(rates)):
        pack(parameters, o, omega, work)
        work[o.first_sums : o.end] = 0
        if s.line:
            _line_tables(o, work)
        if few_wrong:
            few_wrong = _step_of_wrong(o, s, work) * 2 < s.kept
        else:
            _step_of_all(o, s, work)
        loss = total(load(work, o.squares)) / np.float32(o.samples * o.channels)
        if loss <= tolerance:
            break
        steps += 1
        unpack_gradient(o, omega, factor, work, gradient)
        _adam(parameters, first, second, gradient, steps, rates[k])
    return steps, loss


@njit(nogil=True, cache=True, parallel=True)
def _train_all(
    parameters: Floats,
    first: Floats,
    second: Floats,
    steps: npt.NDArray[np.int64],
    losses: Floats,
    lower: Floats,
    upper: Floats,
    rates: npt.NDArray[np.float64],
    tolerances: Floats,
    layout: Layout,
    omega: float,
    buffers: Floats,
) -> None:
    for block in prange(len(parameters)):
        steps[block], losses[block] = _train_block(
            parameters[block], first[block], second[block], steps[block], lower[block],
            upper[block], rates, tolerances[block], layout, omega, buffers[get_thread_id()],
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _evaluate_block(parameters: Floats, o: Layout, omega: float, work: Floats, out: Floats) -> None:
    s = all_samples(o)
    pack(parameters, o, omega, work)
    if s.line:
        _line_tables(o, work)
    for start in range(0, o.samples, TILE):
        valid = min(TILE, o.samples - start)
        _forward(o, s, start, padded(valid), False, work)
        for channel in range(o.channels):
            outputs = o.outputs + channel * TILE
            for t in range(valid):
                out[start + t, channel] = work[outputs + t]


@njit(nogil=True, cache=True, parallel=True)
def _evaluate_all(
    parameters: Floats, layout: Layout, omega: float, buffers: Floats, out: Floats
) -> None:
    for block in prange(len(parameters)):
        _evaluate_block(parameters[block], layout, omega, buffers[get_thread_id()], out[block])
