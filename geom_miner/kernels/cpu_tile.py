"""The fused CPU kernel's inner loops: one tile of samples through layers, forth and back.

Values are stored samples innermost, ``row * TILE + sample``. Rows (features) come in multiples of
four and samples in multiples of sixteen, zero where padded. Four rows by two vectors of samples
are worked on at once, which keeps the accumulators in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from geom_miner.kernels.simd import (
    add,
    constant,
    fma,
    load,
    maximum,
    minimum,
    multiply,
    sincospi,
    spread,
    store,
    subtract,
)

# Samples per tile: all of a tile's activations (3 layers, 20 rows, sine and cosine: 60 KB) stay
# in the second-level cache, two of its layers in the first.
TILE = 128

Floats = npt.NDArray[Any]


@njit(inline="always")
def _product(
    weights: Floats, at: int, row_step: int, in_step: int,
    source: Floats, source_at: int, pitch: int, inputs: int, start: Any,
) -> Any:  # fmt: skip
    """Four rows by sixteen samples of a matrix product, on top of ``start`` (four vectors)."""
    a0, a1, a2, a3 = start
    b0, b1, b2, b3 = start
    for i in range(inputs):
        x, y = load(source, source_at + i * pitch), load(source, source_at + i * pitch + 8)
        w0, w1 = spread(weights, at), spread(weights, at + row_step)
        w2, w3 = spread(weights, at + 2 * row_step), spread(weights, at + 3 * row_step)
        a0, a1, a2, a3 = fma(w0, x, a0), fma(w1, x, a1), fma(w2, x, a2), fma(w3, x, a3)
        b0, b1, b2, b3 = fma(w0, y, b0), fma(w1, y, b1), fma(w2, y, b2), fma(w3, y, b3)
        at += in_step
    return a0, a1, a2, a3, b0, b1, b2, b3


@njit(inline="always")
def _put_sine(z: Any, sines: Floats, cosines: Floats, at: int) -> None:
    s, c = sincospi(z)
    store(sines, at, s)
    store(cosines, at, c)


@njit(nogil=True, cache=True, fastmath=True)
def sine_layer(
    weights: Floats, biases: Floats, rows: int,
    source: Floats, source_at: int, pitch: int, inputs: int,
    sines: Floats, cosines: Floats, samples: int,
) -> None:  # fmt: skip
    """sin and cos of pi (W x + b): weights (inputs, rows), both scaled by omega / pi."""
    for row in range(0, rows, 4):
        start = (
            spread(biases, row), spread(biases, row + 1),
            spread(biases, row + 2), spread(biases, row + 3),
        )  # fmt: skip
        for t in range(0, samples, 16):
            a0, a1, a2, a3, b0, b1, b2, b3 = _product(
                weights, row, 1, rows, source, source_at + t, pitch, inputs, start
            )
            at = row * TILE + t
            _put_sine(a0, sines, cosines, at)
            _put_sine(b0, sines, cosines, at + 8)
            _put_sine(a1, sines, cosines, at + TILE)
            _put_sine(b1, sines, cosines, at + TILE + 8)
            _put_sine(a2, sines, cosines, at + 2 * TILE)
            _put_sine(b2, sines, cosines, at + 2 * TILE + 8)
            _put_sine(a3, sines, cosines, at + 3 * TILE)
            _put_sine(b3, sines, cosines, at + 3 * TILE + 8)


@njit(nogil=True, cache=True, fastmath=True)
def add_angles(
    outer_sines: Floats, outer_cosines: Floats, outer_at: int,
    inner_sines: Floats, inner_cosines: Floats, line: int,
    rows: int, sines: Floats, cosines: Floats, samples: int,
) -> None:  # fmt: skip
    """sin(a + b) and cos(a + b) on a lattice: a per line of samples, b along the line.

    Four products a sample in place of a polynomial and the layer's own products.
    """
    for row in range(rows):
        for k in range(samples // line):
            sa, ca = (
                spread(outer_sines, row * TILE + outer_at + k),
                spread(outer_cosines, row * TILE + outer_at + k),
            )
            minus = multiply(sa, constant(np.float32(-1.0)))
            at = row * TILE + k * line
            for t in range(0, line, 8):
                sb, cb = load(inner_sines, row * TILE + t), load(inner_cosines, row * TILE + t)
                store(sines, at + t, fma(sa, cb, multiply(ca, sb)))
                store(cosines, at + t, fma(minus, sb, multiply(ca, cb)))


@njit(nogil=True, cache=True, fastmath=True)
def linear_layer(
    weights: Floats, biases: Floats, channels: int,
    source: Floats, inputs: int, outputs: Floats, samples: int,
) -> None:  # fmt: skip
    """W h + b for a few channels: weights (inputs, channels)."""
    for channel in range(channels):
        bias = spread(biases, channel)
        for t in range(0, samples, 16):
            a, b = bias, bias
            for i in range(inputs):
                w = spread(weights, i * channels + channel)
                a = fma(w, load(source, i * TILE + t), a)
                b = fma(w, load(source, i * TILE + t + 8), b)
            store(outputs, channel * TILE + t, a)
            store(outputs, channel * TILE + t + 8, b)


@njit(nogil=True, cache=True, fastmath=True)
def linear_layer_back(
    weights: Floats, channels: int, errors: Floats,
    hidden: Floats, cosines: Floats, rows: int, slopes: Floats,
    weight_sums: Floats, samples: int,
) -> None:  # fmt: skip
    """Back through the linear layer and the last sine.

    ``slopes`` becomes cos * (W^T e); ``weight_sums`` (rows, channels, lane) grows by h e.
    """
    for row in range(rows):
        for t in range(0, samples, 8):
            back = multiply(spread(weights, row * channels), load(errors, t))
            for channel in range(1, channels):
                w = spread(weights, row * channels + channel)
                back = fma(w, load(errors, channel * TILE + t), back)
            store(slopes, row * TILE + t, multiply(back, load(cosines, row * TILE + t)))
    for channel in range(channels):
        for row in range(0, rows, 4):
            at, step = 8 * (row * channels + channel), 8 * channels
            g0, g1 = load(weight_sums, at), load(weight_sums, at + step)
            g2, g3 = load(weight_sums, at + 2 * step), load(weight_sums, at + 3 * step)
            for t in range(0, samples, 8):
                e = load(errors, channel * TILE + t)
                h = row * TILE + t
                g0, g1 = fma(load(hidden, h), e, g0), fma(load(hidden, h + TILE), e, g1)
                g2 = fma(load(hidden, h + 2 * TILE), e, g2)
                g3 = fma(load(hidden, h + 3 * TILE), e, g3)
            store(weight_sums, at, g0)
            store(weight_sums, at + step, g1)
            store(weight_sums, at + 2 * step, g2)
            store(weight_sums, at + 3 * step, g3)


@njit(nogil=True, cache=True, fastmath=True)
def weight_gradient(
    source: Floats, source_at: int, pitch: int, inputs: int,
    slopes: Floats, rows: int, sums: Floats, samples: int,
) -> None:  # fmt: skip
    """``sums`` (inputs, rows, lane) grows by source times slopes, lane by lane.

    Lanes are added up once per step, not once per tile.
    """
    for i in range(0, inputs, 4):
        for row in range(0, rows, 2):
            at, step = 8 * (i * rows + row), 8 * rows
            g00, g01 = load(sums, at), load(sums, at + 8)
            g10, g11 = load(sums, at + step), load(sums, at + step + 8)
            g20, g21 = load(sums, at + 2 * step), load(sums, at + 2 * step + 8)
            g30, g31 = load(sums, at + 3 * step), load(sums, at + 3 * step + 8)
            for t in range(0, samples, 8):
                d0, d1 = load(slopes, row * TILE + t), load(slopes, (row + 1) * TILE + t)
                x = source_at + i * pitch + t
                h0, h1 = load(source, x), load(source, x + pitch)
                h2, h3 = load(source, x + 2 * pitch), load(source, x + 3 * pitch)
                g00, g01 = fma(h0, d0, g00), fma(h0, d1, g01)
                g10, g11 = fma(h1, d0, g10), fma(h1, d1, g11)
                g20, g21 = fma(h2, d0, g20), fma(h2, d1, g21)
                g30, g31 = fma(h3, d0, g30), fma(h3, d1, g31)
            store(sums, at, g00)
            store(sums, at + 8, g01)
            store(sums, at + step, g10)
            store(sums, at + step + 8, g11)
            store(sums, at + 2 * step, g20)
            store(sums, at + 2 * step + 8, g21)
            store(sums, at + 3 * step, g30)
            store(sums, at + 3 * step + 8, g31)


@njit(nogil=True, cache=True, fastmath=True)
def bias_gradient(slopes: Floats, rows: int, sums: Floats, samples: int) -> None:
    """``sums`` (rows, lane) grows by the slopes."""
    for row in range(rows):
        total = load(sums, 8 * row)
        for t in range(0, samples, 8):
            total = add(total, load(slopes, row * TILE + t))
        store(sums, 8 * row, total)


@njit(nogil=True, cache=True, fastmath=True)
def sine_layer_back(
    weights: Floats, rows: int, slopes: Floats, cosines: Floats, out: Floats, samples: int
) -> None:
    """Slopes of the layer below: cos * (W^T slopes), weights (rows, rows) scaled by omega."""
    zero = constant(np.float32(0.0))
    for row in range(0, rows, 4):
        for t in range(0, samples, 16):
            a0, a1, a2, a3, b0, b1, b2, b3 = _product(
                weights, row * rows, rows, 1, slopes, t, TILE, rows, (zero, zero, zero, zero)
            )
            at = row * TILE + t
            store(out, at, multiply(a0, load(cosines, at)))
            store(out, at + 8, multiply(b0, load(cosines, at + 8)))
            at += TILE
            store(out, at, multiply(a1, load(cosines, at)))
            store(out, at + 8, multiply(b1, load(cosines, at + 8)))
            at += TILE
            store(out, at, multiply(a2, load(cosines, at)))
            store(out, at + 8, multiply(b2, load(cosines, at + 8)))
            at += TILE
            store(out, at, multiply(a3, load(cosines, at)))
            store(out, at + 8, multiply(b3, load(cosines, at + 8)))


@njit(nogil=True, cache=True, fastmath=True)
def errors_and_loss(
    outputs: Floats, targets: Floats, count: int, dead_zone: float, squares: Floats
) -> None:
    """``outputs`` becomes the errors that count; ``squares`` (lane) grows by their squares.

    An error within +-dead_zone counts as none, a larger one as what exceeds it.
    """
    total = load(squares, 0)
    low, high = constant(np.float32(-dead_zone)), constant(np.float32(dead_zone))
    for t in range(0, count, 8):
        e = subtract(load(outputs, t), load(targets, t))
        e = subtract(e, minimum(maximum(e, low), high))
        total = fma(e, e, total)
        store(outputs, t, e)
    store(squares, 0, total)
