"""The model of a chunk of coefficients: which decisions are coded, and in which contexts.

One function codes in both directions, so that encoder and decoder cannot disagree. It is compiled
together with ``arithmetic.py``; "Entropy coding" in ``docs/format.md`` is its specification.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.coding.arithmetic import (
    AT,
    DECODE,
    MODE,
    Model,
    code_bit,
    code_mixed,
    code_plain,
)
from geom_miner.coding.levels import MOST_LEVEL
from geom_miner.coding.scan import RINGS, Scan
from geom_miner.compiled_cache import njit

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

# Where the counters of each kind of decision begin. Kinds of channels: first, second, others.
_COUNT = 0
_COUNT_DIGITS = _COUNT + 3 * 3 * 256
_ZERO_LEFT = _COUNT_DIGITS + 16 * 8
_ZERO_NEAR = _ZERO_LEFT + 3 * 16 * RINGS
_ZERO_AROUND = _ZERO_NEAR + 16 * RINGS
_ZERO_ALONG = _ZERO_AROUND + 16 * 16 * 8
_ZERO_CHANNEL = _ZERO_ALONG + 8 * 16 * 16
_SIZE_RING = _ZERO_CHANNEL + 3 * 12 * 16
_SIZE_NEAR = _SIZE_RING + 8 * RINGS
_SIZE_MEAN = _SIZE_NEAR + 8 * 8 * 4
_SIZE_COUNT = _SIZE_MEAN + 8 * 16 * 16
_ESCAPE = _SIZE_COUNT + 8 * 64
_SIGN = _ESCAPE + 32
COUNTERS = _SIGN + 126
# Begin and size of the counters of the first kind of channel, where those of the others follow.
BY_KIND_OF_CHANNEL = (
    (_COUNT, 3 * 256),
    (_ZERO_LEFT, 16 * RINGS),
    (_ZERO_CHANNEL, 12 * 16),
)
# Rows of weights: of counts by bit, of zeros by kind of channel and nonzeros left, of sizes.
_MIX_COUNT, _MIX_ZERO, _MIX_SIZE = 0, 16, 64
MIXES, INPUTS = 72, 5

# Magnitudes below this are coded in unary, larger ones by an Exp-Golomb code.
_UNARY = 20
_HALF = 1 << 15

# What decoding may find.
GOOD, TOO_SHORT, TOO_MANY_PLACES, TOO_LARGE, TOO_MANY_LEVELS = 0, 1, 2, 3, 4


@njit(cache=True, forceinline=True)
def _bits(value: int) -> int:
    """Binary digits of a number."""
    count = 0
    while value > 0:
        value >>= 1
        count += 1
    return count


@njit(cache=True, forceinline=True)
def _class(value: int) -> int:
    """0 to 3 themselves; then two classes for each binary digit, up to 15."""
    if value < 4:
        return value
    digits = _bits(value)
    return min(2 * digits - 2 + ((value >> (digits - 2)) & 1), 15)


@njit(cache=True, forceinline=True)
def _sign(value: int) -> int:
    return 1 if value > 0 else (-1 if value < 0 else 0)


@njit(cache=True, forceinline=True)
def _within_two(value: int) -> int:
    """-2 to 2 as 0 to 4."""
    return min(max(value, -2), 2) + 2


@njit(cache=True, forceinline=True)
def _code_count(
    coder: Longs, data: npt.NDArray[np.uint8], model: Model, scratch: Longs,
    kind: int, known: Longs, size: int, count: int,
) -> int:  # fmt: skip
    """Code the number of nonzeros of a row: its binary digits in unary, then the digits."""
    contexts, logits = scratch[0, :3], scratch[1]
    digits = _bits(count)
    most = _bits(size)
    coded = 0
    while coded < most:
        slot = min(coded, 15)
        for i in range(3):
            contexts[i] = _COUNT + ((kind * 3 + i) * 16 + known[i]) * 16 + slot
        more = 1 if digits > coded else 0
        if not code_mixed(coder, data, model, contexts, logits, _MIX_COUNT + slot, more):
            break
        coded += 1
    if coded < 2:
        return coded
    value = 1
    for i in range(coded - 1):
        slot = 0 if i == 0 else (1 + (value & 1) if i == 1 else 3)
        context = _COUNT_DIGITS + min(coded, 15) * 8 + slot
        bit = (count >> (coded - 2 - i)) & 1
        value = 2 * value + code_plain(coder, data, model, context, bit)
    return value


@njit(cache=True, forceinline=True)
def _code_size(
    coder: Longs, data: npt.NDArray[np.uint8], model: Model, scratch: Longs,
    ring: int, near: int, same: int, mean: int, left: int, count: int, size: int,
) -> int:  # fmt: skip
    """Code the magnitude of a nonzero."""
    contexts, logits = scratch[0, :4], scratch[1]
    coded = 1
    while coded < _UNARY:
        step = min(coded, 8) - 1
        contexts[0] = _SIZE_RING + step * RINGS + ring
        contexts[1] = _SIZE_NEAR + (step * 8 + near) * 4 + same
        contexts[2] = _SIZE_MEAN + (step * 16 + mean) * 16 + left
        contexts[3] = _SIZE_COUNT + step * 64 + min(ring >> 3, 7) * 8 + (count >> 1)
        more = 1 if size > coded else 0
        if not code_mixed(coder, data, model, contexts, logits, _MIX_SIZE + step, more):
            return coded
        coded += 1
    rest = size - _UNARY + 1
    digits = _bits(rest)
    coded = 1
    while coded < 20:
        more = 1 if digits > coded else 0
        if not code_plain(coder, data, model, _ESCAPE + coded, more):
            break
        coded += 1
    value = 1
    for i in range(coded - 1):
        value = 2 * value + code_bit(coder, data, _HALF, (rest >> (coded - 2 - i)) & 1)
    return value + _UNARY - 1


@njit(cache=True, forceinline=True)
def _code_sign(
    coder: Longs, data: npt.NDArray[np.uint8], model: Model, neighbors: Ints, row: Ints,
    place: int, sign: int,
) -> int:  # fmt: skip
    """Code whether a nonzero is negative, by the signs of lower frequencies."""
    one = two = corner = 0
    ndim = neighbors.shape[1]
    for a in range(ndim):
        below = neighbors[place, a]
        one += _sign(row[below])
        two += _sign(row[neighbors[below, a]])
        for b in range(a):
            product = _sign(row[below]) * _sign(row[neighbors[place, b]])
            corner += product * _sign(row[neighbors[below, b]])
    seen = (_within_two(two) * 5 + _within_two(corner)) * 5 + _within_two(one)
    context = _SIGN + (0 if place == 0 else 1 + seen)
    return code_plain(coder, data, model, context, sign)


@njit(cache=True, forceinline=True)
def _zero_contexts(
    contexts: Longs, scan: Scan, block: Ints, channel: int, at: int, energy: Longs,
    left: int, coded: int, recent: int,
) -> int:  # fmt: skip
    """Find the contexts of whether the next frequency is zero.

    Returns
    -------
    Sum of magnitudes of lower neighbors, up to 7, and 8 times that of coded channels, up to 3.
    """
    places, rings, axes, neighbors, units = scan
    place, ring, ndim = places[at], rings[at], neighbors.shape[1]
    near = near_first = dot = sum_energy = sum_units = same = along = 0
    for a in range(ndim):
        below = neighbors[place, a]
        near += min(abs(block[channel, below]), 2)
        near_first += min(abs(block[0, below]), 1)
        dot += energy[a] * units[at, a]
        sum_energy += energy[a]
        sum_units += units[at, a]
    for c in range(channel):
        same += min(abs(block[c, place]), 2)
    near, same, kind = min(near, 7), min(same, 3), min(channel, 2)
    if sum_energy > 0 and sum_units > 0:
        along = 1 + min(3 * ndim * dot // (sum_energy * sum_units), 6)
    around = min(near, 3) * 4 + min(recent, 3)
    across = same * 3 + (min(near_first, 2) if channel > 0 else 0)
    contexts[0] = _ZERO_LEFT + (kind * 16 + left) * RINGS + ring
    contexts[1] = _ZERO_NEAR + ring * 16 + (8 if coded > 0 else 0) + near
    contexts[2] = _ZERO_AROUND + (left * 16 + around) * 8 + along
    contexts[3] = _ZERO_ALONG + (along * 16 + axes[at]) * 16 + min(ring >> 1, 15)
    contexts[4] = _ZERO_CHANNEL + (kind * 12 + across) * 16 + (ring >> 2)
    return near + 8 * same


@njit(cache=True, forceinline=True)
def _code_row(
    coder: Longs, data: npt.NDArray[np.uint8], model: Model, scan: Scan, scratch: Longs,
    block: Ints, channel: int, count: int,
) -> int:  # fmt: skip
    """Code the places and values of a row's nonzeros, whose number is known."""
    row, contexts, logits, energy = (
        block[channel],
        scratch[0, :INPUTS],
        scratch[1],
        scratch[2, : scan.units.shape[1]],
    )
    # Blocks that follow each other often oscillate along the same axes.
    energy[:] = energy >> 1
    left, total, previous, earlier, samples = count, 0, 0, 0, len(scan.places)
    for at in range(samples):
        if left == 0:
            break
        place, coded, left_class, bit = scan.places[at], count - left, _class(left), 1
        seen = _zero_contexts(
            contexts, scan, block, channel, at, energy, left_class, coded, previous + earlier
        )
        if samples - at > left:
            mix = _MIX_ZERO + min(channel, 2) * 16 + left_class
            bit = code_mixed(coder, data, model, contexts, logits, mix, 1 if row[place] else 0)
        previous, earlier = 0, previous
        if not bit:
            continue
        mean = _class((2 * total + coded // 2) // coded) if coded else 0
        size = _code_size(
            coder, data, model, scratch, scan.rings[at], seen & 7, seen >> 3, mean, left_class,
            _class(count), abs(row[place]),
        )  # fmt: skip
        if size > MOST_LEVEL:
            return TOO_LARGE
        negative = 1 if row[place] < 0 else 0
        negative = _code_sign(coder, data, model, scan.neighbors, row, place, negative)
        row[place] = -size if negative else size
        energy += scan.units[at]
        total += size
        left, previous = left - 1, min(size, 2)
    return GOOD


@njit(cache=True, nogil=True)
def code_rows(
    coder: Longs, data: npt.NDArray[np.uint8], model: Model, scan: Scan, channels: int,
    offsets: Longs, places: Ints, levels: Ints,
) -> int:  # fmt: skip
    """Code the rows of a chunk; decoding fills ``offsets``, ``places`` and ``levels``.

    Returns
    -------
    ``GOOD``, or what is wrong with the data.
    """
    size, decodes = len(scan.places), coder[MODE] == DECODE
    # Contexts, logits, and the sum of recent frequencies along each axis.
    scratch = np.zeros((3, 8), np.int64)
    known = np.zeros(3, np.int64)
    last, average = np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    block = np.zeros((channels, size + 1), np.int32)
    for r in range(len(offsets) - 1):
        channel, start = r % channels, offsets[r]
        if channel == 0:
            block[:] = 0
        row, count = block[channel], 0
        if not decodes:
            count = offsets[r + 1] - start
            for i in range(start, offsets[r + 1]):
                row[places[i]] = levels[i]
        known[0], known[1] = _class(last[channel]), _class(average[channel] >> 4)
        known[2] = min(_bits(last[channel - 1]), 15) if channel > 0 else 0
        kind = min(channel, 2)
        count = _code_count(coder, data, model, scratch, kind, known, size, count)
        if decodes and count > size:
            return TOO_MANY_PLACES
        if decodes and start + count > len(places):
            return TOO_MANY_LEVELS
        last[channel] = count
        average[channel] += (16 * count - average[channel] + 2) >> 2
        state = _code_row(coder, data, model, scan, scratch, block, channel, count)
        if state != GOOD:
            return state
        if not decodes:
            continue
        if coder[AT] > len(data):
            return TOO_SHORT
        for place in range(size):
            if row[place]:
                places[start], levels[start] = place, row[place]
                start += 1
        offsets[r + 1] = start
    return GOOD
