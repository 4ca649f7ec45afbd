"""Triton programs of the fused GPU kernel: forward, loss, backward and Adam of one block."""

# Triton's tuples grow by +, which types cannot follow; its unrolled loops need a variable.
# ruff: noqa: B007, RUF005
# mypy: disable-error-code="assignment"

from __future__ import annotations

import math

import triton
import triton.language as tl

from geom_miner.kernels.training import BETA1, BETA2, EPSILON

_PI = tl.constexpr(math.pi)
_BETA1, _BETA2 = tl.constexpr(BETA1), tl.constexpr(BETA2)
_EPSILON = tl.constexpr(EPSILON)
# 1.5 * 2**23: adding it rounds to a whole number, whose parity is then the lowest bit.
_ROUND = tl.constexpr(12582912.0)
# Full float32: three TF32 products per product need about as many instructions at these widths.
_PRECISION = tl.constexpr("ieee")

# Inside a program, a block's parameters, moments and sums are tuples of one order, from the
# outputs down: for each channel a column of the last layer and its bias; for each sine layer but
# the first, topmost first, its biases and its weights (in, out); the first layer's biases and its
# rows. Widths are padded to F with zeros, which stay zeros: their gradients vanish.


@triton.jit
def _sincospi(z: tl.tensor) -> tl.tuple:
    """sin(pi z) and cos(pi z) together, within 4e-7 for moderate z; see ``simd.sincospi``."""
    shifted = z + _ROUND
    r = z - (shifted - _ROUND)
    q = r * r
    s = ((((0.0776 * q - 0.59826) * q + 2.5500721) * q - 5.1677098) * q + 3.14159265) * r
    c = (((0.2197 * q - 1.3319) * q + 4.0584127) * q - 4.9347929) * q + 1.0
    sign = shifted.to(tl.int32, bitcast=True) << 31
    s = (s.to(tl.int32, bitcast=True) ^ sign).to(tl.float32, bitcast=True)
    c = (c.to(tl.int32, bitcast=True) ^ sign).to(tl.float32, bitcast=True)
    return s, c


@triton.jit
def _places(
    NDIM: tl.constexpr, WIDTH: tl.constexpr, DEPTH: tl.constexpr, CHANNELS: tl.constexpr,
    F: tl.constexpr,
) -> tl.tuple:  # fmt: skip
    """Offsets of a block's tensors in its flat row, and masks of what is not padding."""
    j = tl.arange(0, F)
    square = (j[:, None] < WIDTH) & (j[None, :] < WIDTH)
    first: tl.constexpr = (NDIM + 1) * WIDTH
    last: tl.constexpr = first + (DEPTH - 1) * (WIDTH + 1) * WIDTH
    offsets = ()
    masks = ()
    for c in tl.static_range(CHANNELS):
        bias = tl.full((), last + WIDTH * CHANNELS + c, tl.int32)
        offsets = offsets + (last + j * CHANNELS + c, bias)
        masks = masks + (j < WIDTH, tl.full((), True, tl.int1))
    for k in tl.static_range(DEPTH - 1, 0, -1):
        at = first + (k - 1) * (WIDTH + 1) * WIDTH
        offsets = offsets + (at + WIDTH * WIDTH + j, at + j[:, None] * WIDTH + j[None, :])
        masks = masks + (j < WIDTH, square)
    offsets = offsets + (NDIM * WIDTH + j,)
    masks = masks + (j < WIDTH,)
    for d in tl.static_range(NDIM):
        offsets = offsets + (d * WIDTH + j,)
        masks = masks + (j < WIDTH,)
    return offsets, masks


@triton.jit
def _load(row: tl.tensor, offsets: tl.tuple, masks: tl.tuple) -> tl.tuple:
    out = ()
    for i in tl.static_range(len(offsets)):
        out = out + (tl.load(row + offsets[i], mask=masks[i], other=0.0),)
    return out


@triton.jit
def _store(row: tl.tensor, offsets: tl.tuple, masks: tl.tuple, values: tl.tuple) -> None:
    for i in tl.static_range(len(offsets)):
        tl.store(row + offsets[i], values[i], mask=masks[i])


@triton.jit
def _forward(
    coordinates: tl.tensor, t: tl.tensor, real: tl.tensor, p: tl.tuple, TURNS: tl.constexpr,
    NDIM: tl.constexpr, DEPTH: tl.constexpr, CHANNELS: tl.constexpr,
) -> tl.tuple:  # fmt: skip
    """Sines and cosines (sample, feature) of every layer, from the lowest up, and coordinates."""
    base: tl.constexpr = 2 * CHANNELS + 2 * (DEPTH - 1)
    z = (TURNS * p[base])[None, :]
    inputs = ()
    for d in tl.static_range(NDIM):
        x = tl.load(coordinates + t * NDIM + d, mask=real, other=0.0)
        inputs = inputs + (x,)
        z = z + x[:, None] * (TURNS * p[base + 1 + d])[None, :]
    s, c = _sincospi(z)
    sines = (s,)
    cosines = (c,)
    for k in tl.static_range(1, DEPTH):
        z = tl.dot(s, TURNS * p[base - 2 * k + 1], input_precision=_PRECISION)
        z = z + (TURNS * p[base - 2 * k])[None, :]
        s, c = _sincospi(z)
        sines = sines + (s,)
        cosines = cosines + (c,)
    return sines, cosines, inputs


@triton.jit
def _zero_sums(
    NDIM: tl.constexpr, DEPTH: tl.constexpr, CHANNELS: tl.constexpr,
    TILE: tl.constexpr, F: tl.constexpr,
) -> tl.tuple:  # fmt: skip
    """Sums of gradients; those of vectors stay spread over a tile's samples until the end."""
    out = ()
    for c in tl.static_range(CHANNELS):
        out = out + (tl.zeros((TILE, F), tl.float32), tl.zeros((TILE,), tl.float32))
    for k in tl.static_range(DEPTH - 1):
        out = out + (tl.zeros((TILE, F), tl.float32), tl.zeros((F, F), tl.float32))
    for d in tl.static_range(NDIM + 1):
        out = out + (tl.zeros((TILE, F), tl.float32),)
    return out


@triton.jit
def _add_tile(
    coordinates: tl.tensor, lower: tl.tensor, upper: tl.tensor, start: tl.tensor,
    samples: tl.tensor, p: tl.tuple, sums: tl.tuple, squares: tl.tensor, TURNS: tl.constexpr,
    NDIM: tl.constexpr, DEPTH: tl.constexpr, CHANNELS: tl.constexpr, TILE: tl.constexpr,
) -> tl.tuple:  # fmt: skip
    """Add a tile's part of the gradients and of the squared errors; no factor is applied yet."""
    t = start + tl.arange(0, TILE)
    real = t < samples
    sines, cosines, inputs = _forward(coordinates, t, real, p, TURNS, NDIM, DEPTH, CHANNELS)
    top = sines[DEPTH - 1]
    back = tl.zeros_like(top)
    out = ()
    for c in tl.static_range(CHANNELS):
        low = tl.load(lower + t * CHANNELS + c, mask=real, other=0.0)
        high = tl.load(upper + t * CHANNELS + c, mask=real, other=0.0)
        y = tl.sum(top * p[2 * c][None, :], axis=1) + p[2 * c + 1]
        e = tl.where(real, y - tl.minimum(tl.maximum(y, low), high), 0.0)
        squares += e * e
        out = out + (sums[2 * c] + e[:, None] * top, sums[2 * c + 1] + e)
        back += e[:, None] * p[2 * c][None, :]
    back *= cosines[DEPTH - 1]
    base: tl.constexpr = 2 * CHANNELS + 2 * (DEPTH - 1)
    for k in tl.static_range(DEPTH - 1, 0, -1):
        below = tl.trans(sines[k - 1])
        gained = tl.dot(below, back, sums[base - 2 * k + 1], input_precision=_PRECISION)
        out = out + (sums[base - 2 * k] + back, gained)
        weights = tl.trans(TURNS * p[base - 2 * k + 1])
        back = tl.dot(back, weights, input_precision=_PRECISION) * cosines[k - 1]
    out = out + (sums[base] + back,)
    for d in tl.static_range(NDIM):
        out = out + (sums[base + 1 + d] + inputs[d][:, None] * back,)
    return out, squares


@triton.jit
def _gradient(
    sums: tl.tuple, factor: tl.tensor, TURNS: tl.constexpr,
    DEPTH: tl.constexpr, CHANNELS: tl.constexpr,
) -> tl.tuple:  # fmt: skip
    """Sums over samples, with the factors that the tiles left out.

    A slope is omega cos(.), and going down a layer multiplies by weights that were scaled by
    omega / pi: omega for the top layer, and one more pi for every layer below it.
    """
    out = ()
    for i in tl.static_range(2 * CHANNELS):
        out = out + (factor * tl.sum(sums[i], axis=0),)
    scale = factor * (TURNS * _PI)
    for k in tl.static_range(DEPTH - 1):
        out = out + (
            scale * tl.sum(sums[2 * CHANNELS + 2 * k], axis=0),
            scale * sums[2 * CHANNELS + 2 * k + 1],
        )
        scale *= _PI
    for i in tl.static_range(2 * CHANNELS + 2 * (DEPTH - 1), len(sums)):
        out = out + (scale * tl.sum(sums[i], axis=0),)
    return out


@triton.jit
def _adam(
    p: tl.tuple, m: tl.tuple, v: tl.tuple, gradient: tl.tuple, size: tl.tensor, floor: tl.tensor
) -> tl.tuple:
    new_p = ()
    new_m = ()
    new_v = ()
    for i in tl.static_range(len(p)):
        g = gradient[i]
        first = m[i] + (g - m[i]) * (1 - _BETA1)
        second = v[i] + (g * g - v[i]) * (1 - _BETA2)
        new_m = new_m + (first,)
        new_v = new_v + (second,)
        new_p = new_p + (p[i] - size * first / (tl.sqrt(second) + floor),)
    return new_p, new_m, new_v


@triton.jit(do_not_specialize=["samples", "num_rates"])
def train_program(
    parameters: tl.tensor, first_moment: tl.tensor, second_moment: tl.tensor,
    steps: tl.tensor, losses: tl.tensor, coordinates: tl.tensor, lower: tl.tensor,
    upper: tl.tensor, tolerances: tl.tensor, rates: tl.tensor, powers: tl.tensor,
    samples: tl.tensor, num_rates: tl.tensor,
    NDIM: tl.constexpr, WIDTH: tl.constexpr, DEPTH: tl.constexpr, CHANNELS: tl.constexpr,
    NUM_PARAMETERS: tl.constexpr, TURNS: tl.constexpr, TILE: tl.constexpr, F: tl.constexpr,
) -> None:  # fmt: skip
    block = tl.program_id(0).to(tl.int64)
    offsets, masks = _places(NDIM, WIDTH, DEPTH, CHANNELS, F)
    p = _load(parameters + block * NUM_PARAMETERS, offsets, masks)
    m = _load(first_moment + block * NUM_PARAMETERS, offsets, masks)
    v = _load(second_moment + block * NUM_PARAMETERS, offsets, masks)
    lower += block * samples * CHANNELS
    upper += block * samples * CHANNELS
    tolerance = tl.load(tolerances + block)
    power1 = tl.load(powers + 2 * block)
    power2 = tl.load(powers + 2 * block + 1)
    step = 0
    loss = tl.full((), 0.0, tl.float32)
    running = num_rates > 0
    while running:
        sums = _zero_sums(NDIM, DEPTH, CHANNELS, TILE, F)
        squares = tl.zeros((TILE,), tl.float32)
        for start in range(0, samples, TILE):
            sums, squares = _add_tile(
                coordinates, lower, upper, start, samples, p, sums, squares, TURNS,
                NDIM, DEPTH, CHANNELS, TILE,
            )  # fmt: skip
        count = tl.cast(samples * CHANNELS, tl.float32)
        loss = tl.sum(squares, axis=0) / count
        running = loss > tolerance
        if running:
            power1 *= _BETA1
            power2 *= _BETA2
            root = tl.sqrt(1.0 - power2)
            size = tl.load(rates + step) * root / (1.0 - power1)
            gradient = _gradient(sums, 2.0 / count, TURNS, DEPTH, CHANNELS)
            p, m, v = _adam(
                p, m, v, gradient, size.to(tl.float32), (root * _EPSILON).to(tl.float32)
            )
            step += 1
            running = step < num_rates
    _store(parameters + block * NUM_PARAMETERS, offsets, masks, p)
    _store(first_moment + block * NUM_PARAMETERS, offsets, masks, m)
    _store(second_moment + block * NUM_PARAMETERS, offsets, masks, v)
    tl.store(losses + block, loss)
    tl.store(steps + block, tl.load(steps + block) + step)


@triton.jit(do_not_specialize=["samples"])
def evaluate_program(
    parameters: tl.tensor, coordinates: tl.tensor, out: tl.tensor, samples: tl.tensor,
    NDIM: tl.constexpr, WIDTH: tl.constexpr, DEPTH: tl.constexpr, CHANNELS: tl.constexpr,
    NUM_PARAMETERS: tl.constexpr, TURNS: tl.constexpr, TILE: tl.constexpr, F: tl.constexpr,
    SPAN: tl.constexpr,
) -> None:  # fmt: skip
    block = tl.program_id(0).to(tl.int64)
    offsets, masks = _places(NDIM, WIDTH, DEPTH, CHANNELS, F)
    p = _load(parameters + block * NUM_PARAMETERS, offsets, masks)
    row = out + block * samples * CHANNELS
    begin = tl.program_id(1) * SPAN
    for start in range(begin, tl.minimum(begin + SPAN, samples), TILE):
        t = start + tl.arange(0, TILE)
        real = t < samples
        sines, _, _ = _forward(coordinates, t, real, p, TURNS, NDIM, DEPTH, CHANNELS)
        for c in tl.static_range(CHANNELS):
            value = tl.sum(sines[DEPTH - 1] * p[2 * c][None, :], axis=1) + p[2 * c + 1]
            tl.store(row + t * CHANNELS + c, value, mask=real)
