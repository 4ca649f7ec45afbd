"""Optimizer steps of one block in the fused CPU kernel: forward, loss, backward, Adam."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.kernels.cpu_buffers import (
    ActiveSamples,
    BufferPlan,
    Floats,
    all_samples,
    pack,
    padded,
    put_bounds,
    unpack_gradient,
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
from geom_miner.kernels.training import BETA1, BETA2, EPSILON


@njit(nogil=True, cache=True)
def _line_tables(o: BufferPlan, work: Floats) -> None:
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
def _hidden_layers(o: BufferPlan, count: int, backward: bool, work: Floats) -> int:
    """From the first layer's sines to the last one's; returns where those are."""
    rows, tile = o.rows, o.rows * TILE
    sines = o.sines
    for layer in range(1, o.depth):
        sine_layer(
            work, o.hidden + (layer - 1) * rows * rows, o.biases + layer * rows, rows,
            sines, rows, sines + tile, o.cosines + layer * tile, count, backward,
        )  # fmt: skip
        sines += tile
    return sines


@njit(nogil=True, cache=True)
def _forward(
    o: BufferPlan, s: ActiveSamples, start: int, count: int, backward: bool, work: Floats
) -> None:
    """Outputs of ``count`` samples from ``start`` on, a tile's first.

    Sines are kept, and cosines where a backward pass follows.
    """
    rows, tile = o.rows, o.rows * TILE
    if s.line:
        # From the lattice's tables: ``start`` is on the first sample of a line.
        first = start // s.line
        table = first // TILE * tile + first % TILE
        add_angles(
            work, o.outer_sines + table, o.outer_cosines + table, o.inner_sines, o.inner_cosines,
            s.line, rows, o.sines, o.cosines, count, backward,
        )  # fmt: skip
    else:
        positions = s.positions + start * o.inputs
        sine_layer(
            work, o.first, o.biases, rows, positions, o.ndim, o.sines, o.cosines, count, backward
        )
    sines = _hidden_layers(o, count, backward, work)
    linear_layer(work, o.last, o.last_bias, o.channels, sines, rows, o.outputs, count)


@njit(nogil=True, cache=True)
def _backward(o: BufferPlan, positions: int, errors: int, count: int, work: Floats) -> None:
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
    weight_gradient(work, positions, o.inputs, slopes, rows, o.first_sums, count)


@njit(nogil=True, cache=True)
def _compare(o: BufferPlan, start: int, count: int, work: Floats) -> None:
    """Turn a tile's outputs into errors and add up their squares."""
    for channel in range(o.channels):
        at = start * o.channels + channel * TILE
        errors_and_loss(
            work, o.outputs + channel * TILE, o.lower + at, o.upper + at, count, o.squares
        )


@njit(nogil=True, cache=True)
def _backward_of_kept(o: BufferPlan, kept: int, work: Floats) -> None:
    """Forward and backward pass of the samples that were collected."""
    count = padded(kept)
    for channel in range(o.channels):
        errors = o.kept_errors + channel * TILE
        work[errors + kept : errors + count] = 0
    sine_layer(
        work, o.first, o.biases, o.rows, o.kept_positions, o.ndim, o.sines, o.cosines, count, True
    )
    _hidden_layers(o, count, True, work)
    _backward(o, o.kept_positions, o.kept_errors, count, work)


@njit(nogil=True, cache=True)
def _step_of_all(o: BufferPlan, s: ActiveSamples, work: Floats) -> None:
    """Squared errors and gradients; every sample goes forward and backward."""
    for start in range(0, s.kept, TILE):
        count = padded(min(TILE, s.kept - start))
        _forward(o, s, start, count, True, work)
        _compare(o, start, count, work)
        _backward(o, s.positions + start * o.inputs, o.outputs, count, work)


@njit(nogil=True, cache=True)
def _step_of_wrong(o: BufferPlan, s: ActiveSamples, work: Floats) -> int:
    """The same where most samples are within their bounds: only the others go backward.

    They alone have a gradient. They are collected from all tiles and go forward once more, for the
    cosines, which is cheaper than to compute and keep the cosines of all. Returns their number.
    """
    kept, total = 0, 0
    for start in range(0, s.kept, TILE):
        count = padded(min(TILE, s.kept - start))
        positions = s.positions + start * o.inputs
        _forward(o, s, start, count, False, work)
        _compare(o, start, count, work)
        t = 0
        while t < count:
            before = kept
            t, kept = collect(
                work, positions, o.inputs, o.outputs, o.channels, t, count,
                o.kept_positions, o.kept_errors, kept,
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
def train_block(
    parameters: Floats,
    first: Floats,
    second: Floats,
    steps: int,
    lower: Floats,
    upper: Floats,
    rates: npt.NDArray[np.float64],
    tolerance: float,
    o: BufferPlan,
    omega: float,
    work: Floats,
) -> tuple[int, np.float32]:
    """Train one block in position; returns its count of steps and its last loss.

    Samples without any bound are skipped. Where bounds are wide, only samples outside theirs go
    backward.
    """
    factor = 2.0 / (o.samples * o.channels)
    gradient = np.empty_like(parameters)
    s = put_bounds(lower, upper, o, work)
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


@njit(nogil=True, cache=True)
def evaluate_block(
    parameters: Floats, o: BufferPlan, omega: float, work: Floats, out: Floats
) -> None:
    """Evaluate one block at all samples into ``out``, (sample, channel)."""
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
