"""The fused CPU kernel's inner loops: one tile of samples through layers, forward and backward.

Everything of a block lies in one flat array, ``work``, and is named by its offset there: handing
on arrays and slices of them costs Numba more than some of these loops take.

Values are stored samples innermost, ``row * TILE + sample``. Rows (features) come in multiples of
four and samples in multiples of ``STRIDE``, zero where padded. Four rows by two vectors of samples
are worked on at once, which keeps the accumulators in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.kernels.simd import (
    LANES,
    add,
    any_nonzero,
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

# Samples per tile: sixteen vectors, long enough to pay for fetching the sums of the gradients,
# short enough that two of a tile's layers stay in the first-level cache.
TILE = 16 * LANES

# Samples that are worked on at once: two vectors.
STRIDE = 2 * LANES

Floats = npt.NDArray[Any]


@njit(forceinline=True)
def _product(
    work: Floats, weights: int, row_step: int, in_step: int,
    source: int, inputs: int, start: Any,
) -> Any:  # fmt: skip
    """Four rows by two vectors of a matrix product, on top of ``start`` (four vectors)."""
    a0, a1, a2, a3 = start
    b0, b1, b2, b3 = start
    for _ in range(inputs):
        x, y = load(work, source), load(work, source + LANES)
        w0, w1 = spread(work, weights), spread(work, weights + row_step)
        w2, w3 = spread(work, weights + 2 * row_step), spread(work, weights + 3 * row_step)
        a0, a1, a2, a3 = fma(w0, x, a0), fma(w1, x, a1), fma(w2, x, a2), fma(w3, x, a3)
        b0, b1, b2, b3 = fma(w0, y, b0), fma(w1, y, b1), fma(w2, y, b2), fma(w3, y, b3)
        weights += in_step
        source += TILE
    return a0, a1, a2, a3, b0, b1, b2, b3


@njit(forceinline=True)
def _put_sine(z: Any, work: Floats, sines: int, cosines: int, backward: bool) -> None:
    s, c = sincospi(z)
    store(work, sines, s)
    if backward:
        store(work, cosines, c)


@njit(nogil=True, cache=True, fastmath=True)
def sine_layer(
    work: Floats, weights: int, biases: int, rows: int,
    source: int, inputs: int, sines: int, cosines: int, samples: int, backward: bool,
) -> None:  # fmt: skip
    """sin and cos of pi (W x + b): weights (inputs, rows), both scaled by omega / pi.

    The cosines are left out where no backward pass follows, a constant where this is called.
    """
    for row in range(0, rows, 4):
        start = (
            spread(work, biases + row), spread(work, biases + row + 1),
            spread(work, biases + row + 2), spread(work, biases + row + 3),
        )  # fmt: skip
        for t in range(0, samples, STRIDE):
            a0, a1, a2, a3, b0, b1, b2, b3 = _product(
                work, weights + row, 1, rows, source + t, inputs, start
            )
            s, c = sines + row * TILE + t, cosines + row * TILE + t
            _put_sine(a0, work, s, c, backward)
            _put_sine(b0, work, s + LANES, c + LANES, backward)
            _put_sine(a1, work, s + TILE, c + TILE, backward)
            _put_sine(b1, work, s + TILE + LANES, c + TILE + LANES, backward)
            _put_sine(a2, work, s + 2 * TILE, c + 2 * TILE, backward)
            _put_sine(b2, work, s + 2 * TILE + LANES, c + 2 * TILE + LANES, backward)
            _put_sine(a3, work, s + 3 * TILE, c + 3 * TILE, backward)
            _put_sine(b3, work, s + 3 * TILE + LANES, c + 3 * TILE + LANES, backward)


@njit(nogil=True, cache=True, fastmath=True)
def add_angles(
    work: Floats, outer_sines: int, outer_cosines: int, inner_sines: int, inner_cosines: int,
    line: int, rows: int, sines: int, cosines: int, samples: int, backward: bool,
) -> None:  # fmt: skip
    """sin(a + b) and cos(a + b) on a lattice: a per line of samples, b along the line.

    Four products a sample in place of a polynomial and the layer's own products. The cosines are
    left out where no backward pass follows.
    """
    for row in range(0, rows * TILE, TILE):
        for k in range(samples // line):
            sa, ca = spread(work, outer_sines + row + k), spread(work, outer_cosines + row + k)
            minus = multiply(sa, constant(np.float32(-1.0)))
            at = row + k * line
            for t in range(0, line, LANES):
                sb, cb = load(work, inner_sines + row + t), load(work, inner_cosines + row + t)
                store(work, sines + at + t, fma(sa, cb, multiply(ca, sb)))
                if backward:
                    store(work, cosines + at + t, fma(minus, sb, multiply(ca, cb)))


@njit(nogil=True, cache=True, fastmath=True)
def linear_layer(
    work: Floats, weights: int, biases: int, channels: int,
    source: int, inputs: int, outputs: int, samples: int,
) -> None:  # fmt: skip
    """W h + b for a few channels: weights (inputs, channels)."""
    for channel in range(channels):
        bias = spread(work, biases + channel)
        for t in range(0, samples, STRIDE):
            a, b = bias, bias
            w, x = weights + channel, source + t
            for _ in range(inputs):
                a = fma(spread(work, w), load(work, x), a)
                b = fma(spread(work, w), load(work, x + LANES), b)
                w += channels
                x += TILE
            store(work, outputs + channel * TILE + t, a)
            store(work, outputs + channel * TILE + t + LANES, b)


@njit(nogil=True, cache=True, fastmath=True)
def linear_layer_back(
    work: Floats, weights: int, channels: int, errors: int,
    hidden: int, cosines: int, rows: int, slopes: int, sums: int, samples: int,
) -> None:  # fmt: skip
    """Back through the linear layer and the last sine.

    ``slopes`` becomes cos * (W^T e); ``sums`` (rows, channels, lane) grows by h e.
    """
    for row in range(rows):
        for t in range(0, samples, LANES):
            back = multiply(spread(work, weights + row * channels), load(work, errors + t))
            for channel in range(1, channels):
                w = spread(work, weights + row * channels + channel)
                back = fma(w, load(work, errors + channel * TILE + t), back)
            at = row * TILE + t
            store(work, slopes + at, multiply(back, load(work, cosines + at)))
    step = LANES * channels
    for channel in range(channels):
        for row in range(0, rows, 4):
            at = sums + LANES * (row * channels + channel)
            g0, g1 = load(work, at), load(work, at + step)
            g2, g3 = load(work, at + 2 * step), load(work, at + 3 * step)
            for t in range(0, samples, LANES):
                e = load(work, errors + channel * TILE + t)
                h = hidden + row * TILE + t
                g0, g1 = fma(load(work, h), e, g0), fma(load(work, h + TILE), e, g1)
                g2 = fma(load(work, h + 2 * TILE), e, g2)
                g3 = fma(load(work, h + 3 * TILE), e, g3)
            store(work, at, g0)
            store(work, at + step, g1)
            store(work, at + 2 * step, g2)
            store(work, at + 3 * step, g3)


@njit(nogil=True, cache=True, fastmath=True)
def weight_gradient(
    work: Floats, source: int, inputs: int, slopes: int, rows: int, sums: int, samples: int
) -> None:
    """``sums`` (inputs, rows, lane) grows by source times slopes, lane by lane.

    Lanes are added up once per step, not once per tile.
    """
    step = LANES * rows
    for i in range(0, inputs, 4):
        for row in range(0, rows, 2):
            at = sums + LANES * (i * rows + row)
            g00, g01 = load(work, at), load(work, at + LANES)
            g10, g11 = load(work, at + step), load(work, at + step + LANES)
            g20, g21 = load(work, at + 2 * step), load(work, at + 2 * step + LANES)
            g30, g31 = load(work, at + 3 * step), load(work, at + 3 * step + LANES)
            x, d = source + i * TILE, slopes + row * TILE
            for _ in range(0, samples, LANES):
                d0, d1 = load(work, d), load(work, d + TILE)
                h0, h1 = load(work, x), load(work, x + TILE)
                h2, h3 = load(work, x + 2 * TILE), load(work, x + 3 * TILE)
                g00, g01 = fma(h0, d0, g00), fma(h0, d1, g01)
                g10, g11 = fma(h1, d0, g10), fma(h1, d1, g11)
                g20, g21 = fma(h2, d0, g20), fma(h2, d1, g21)
                g30, g31 = fma(h3, d0, g30), fma(h3, d1, g31)
                x += LANES
                d += LANES
            store(work, at, g00)
            store(work, at + LANES, g01)
            store(work, at + step, g10)
            store(work, at + step + LANES, g11)
            store(work, at + 2 * step, g20)
            store(work, at + 2 * step + LANES, g21)
            store(work, at + 3 * step, g30)
            store(work, at + 3 * step + LANES, g31)


@njit(nogil=True, cache=True, fastmath=True)
def bias_gradient(work: Floats, slopes: int, rows: int, sums: int, samples: int) -> None:
    """``sums`` (rows, lane) grows by the slopes."""
    for row in range(rows):
        at = sums + LANES * row
        total = load(work, at)
        for t in range(0, samples, LANES):
            total = add(total, load(work, slopes + row * TILE + t))
        store(work, at, total)


@njit(nogil=True, cache=True, fastmath=True)
def sine_layer_back(
    work: Floats, weights: int, rows: int, slopes: int, cosines: int, out: int, samples: int
) -> None:
    """Slopes of the layer below: cos * (W^T slopes), weights (rows, rows) scaled by omega."""
    zero = constant(np.float32(0.0))
    for row in range(0, rows, 4):
        for t in range(0, samples, STRIDE):
            a0, a1, a2, a3, b0, b1, b2, b3 = _product(
                work, weights + row * rows, rows, 1, slopes + t, rows, (zero, zero, zero, zero)
            )
            c, o = cosines + row * TILE + t, out + row * TILE + t
            store(work, o, multiply(a0, load(work, c)))
            store(work, o + LANES, multiply(b0, load(work, c + LANES)))
            c, o = c + TILE, o + TILE
            store(work, o, multiply(a1, load(work, c)))
            store(work, o + LANES, multiply(b1, load(work, c + LANES)))
            c, o = c + TILE, o + TILE
            store(work, o, multiply(a2, load(work, c)))
            store(work, o + LANES, multiply(b2, load(work, c + LANES)))
            c, o = c + TILE, o + TILE
            store(work, o, multiply(a3, load(work, c)))
            store(work, o + LANES, multiply(b3, load(work, c + LANES)))


# Without fastmath, which takes it for granted that there are no infinities.
@njit(nogil=True, cache=True)
def errors_and_loss(
    work: Floats, outputs: int, lower: int, upper: int, count: int, squares: int
) -> None:
    """``outputs`` becomes their signed distance to [lower, upper].

    ``squares`` (lane) grows by its square.
    """
    total = load(work, squares)
    for t in range(0, count, LANES):
        e = load(work, outputs + t)
        e = subtract(e, minimum(maximum(e, load(work, lower + t)), load(work, upper + t)))
        total = fma(e, e, total)
        store(work, outputs + t, e)
    store(work, squares, total)


@njit(nogil=True, cache=True)
def collect(
    work: Floats, positions: int, inputs: int, errors: int, channels: int, first: int, last: int,
    kept_positions: int, kept_errors: int, kept: int,
) -> tuple[int, int]:  # fmt: skip
    """Add positions and errors of a tile's samples that have an error to those kept so far.

    Looks at samples ``first`` to ``last``, whole vectors, while there is room for another vector.
    Returns the sample at which it stopped and how many samples are kept now.
    """
    t = first
    while t < last and kept <= TILE - LANES:
        for channel in range(channels):
            if any_nonzero(load(work, errors + channel * TILE + t)):
                break
        else:
            t += LANES
            continue
        for sample in range(t, t + LANES):
            wrong = False
            for channel in range(channels):
                wrong |= work[errors + channel * TILE + sample] != 0
            if wrong:
                for i in range(inputs):
                    work[kept_positions + i * TILE + kept] = work[positions + i * TILE + sample]
                for i in range(channels):
                    work[kept_errors + i * TILE + kept] = work[errors + i * TILE + sample]
                kept += 1
        t += LANES
    return t, kept
