"""Code binary decisions: an arithmetic coder, adaptive probabilities, and their logistic mix.

Everything is integer arithmetic that fits 53 bits, so that every platform decodes the same bits.
``docs/format.md`` defines each step. A coder is an int64 array of ``CODER`` numbers; it encodes,
decodes, or only adds up the ideal code length, and one function of the model serves all three.
Functions are inlined because a call that passes arrays counts their references, which takes four
times as long as the arithmetic.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import drop_if_stale, njit

# Compiled code calls, and holds constants of, all of these.
drop_if_stale(
    Path(__file__).parent, "arithmetic.py", "coefficients.py", "states.py", "levels.py", "scan.py"
)

Ints = npt.NDArray[np.int32]

# What a coder does.
ENCODE, DECODE, MEASURE = 0, 1, 2
# Numbers of a coder: what it does, the ends of its interval, the 32 bits read last, bytes written
# or read, and the ideal code length in 2^-16 bits.
MODE, LOW, HIGH, CODE, AT, COST, CODER = 0, 1, 2, 3, 4, 5, 6

# Probabilities have 16 bits. Counters keep 6 more, which slow adaptation needs.
COUNTER_BITS = 22
# A counter that has seen n decisions moves by 2^16 / (n + 1.6), in 2^-16, of its error. 1.6 lets
# the first decision move it by 0.62.
RATES = (655360 // (10 * np.arange(256) + 16)).astype(np.int32)
# How many decisions a counter remembers.
MOST_SEEN = 250
# Weights of a mix: 2^16 is 1. They stay within 8.
WEIGHT_LIMIT = 1 << 19
# Logarithms of odds have 8 bits after the point and stay within 8.
LOGIT_LIMIT = 2047
# The logistic function at -8, -7.5, ..., 8, in 2^-16.
_KNOTS = np.array(
    (
        *(22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743),
        *(32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269),
        *(65374, 65438, 65476, 65500, 65514),
    ),
    dtype=np.int64,
)


def _squash_table() -> Ints:
    """The logistic function of -2048..2047 (in 2^-8), in 2^-16, between the knots linearly."""
    at = np.arange(4096)
    low, part = at >> 7, at & 127
    return ((_KNOTS[low] * (128 - part) + _KNOTS[low + 1] * part + 64) >> 7).astype(np.int32)


def _stretch_table(squash: Ints) -> Ints:
    """For each 12-bit probability the least number whose logistic function reaches its middle."""
    middles = np.arange(4096, dtype=np.int64) * 16 + 8
    return np.clip(np.searchsorted(squash, middles) - 2048, -LOGIT_LIMIT, LOGIT_LIMIT).astype(
        np.int32
    )


SQUASH = _squash_table()
STRETCH = _stretch_table(SQUASH)


class Model(NamedTuple):
    """What is learned: counters, how many decisions each has seen, and the weights of mixes."""

    counters: Ints
    seen: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.int32]


def room_for(decisions: int) -> int:
    """Bytes that encoding cannot exceed: a decision drops at most 4, and so does the end.

    Most of them are never touched, and so take no memory.
    """
    return 4 * decisions + 4


@njit(cache=True)
def start_coder(mode: int, data: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """A coder at the begin of its bytes."""
    coder = np.zeros(CODER, np.int64)
    coder[MODE] = mode
    coder[HIGH] = 0xFFFFFFFF
    if mode == DECODE:
        for i in range(4):
            coder[CODE] = (coder[CODE] << 8) | (data[i] if i < len(data) else 0)
    return coder


@njit(cache=True, forceinline=True)
def code_bit(
    coder: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], probability: int, bit: int
) -> int:
    """Code a decision that is 1 with a 16-bit probability; returns it.

    Encoding needs ``room_for`` all decisions in ``data``. Decoding reads zeros beyond its end.
    """
    if coder[MODE] == MEASURE:
        chance = (probability if bit else 65536 - probability) / 65536
        coder[COST] += int(-np.log2(chance) * 65536)
        return bit
    low, high = coder[LOW], coder[HIGH]
    middle = low + (((high - low) * probability) >> 16)
    if coder[MODE] == DECODE:
        bit = 1 if coder[CODE] <= middle else 0
    if bit:
        high = middle
    else:
        low = middle + 1
    while (low ^ high) < (1 << 24):
        at = coder[AT]
        if coder[MODE] == ENCODE:
            data[at] = high >> 24
        else:
            following = data[at + 4] if at + 4 < len(data) else 0
            coder[CODE] = ((coder[CODE] & 0xFFFFFF) << 8) | following
        coder[AT] = at + 1
        low = (low & 0xFFFFFF) << 8
        high = ((high & 0xFFFFFF) << 8) | 255
    coder[LOW], coder[HIGH] = low, high
    return bit


@njit(cache=True)
def finish(coder: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> int:
    """Write as few bytes as select the interval when zeros follow; returns the length in all."""
    low, high, at = coder[LOW], coder[HIGH], coder[AT]
    for count in range(5):
        unit = np.int64(1) << (32 - 8 * count)
        value = (low + unit - 1) // unit * unit
        if value <= high:
            for i in range(count):
                data[at + i] = (value >> (24 - 8 * i)) & 255
            return at + count
    return at + 4


@njit(cache=True)
def is_finished(coder: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> bool:
    """Whether decoded data ends where and as ``finish`` would have ended it."""
    tail = np.zeros(4, np.uint8)
    start = coder[AT]
    ending = np.zeros(CODER, np.int64)
    ending[LOW], ending[HIGH] = coder[LOW], coder[HIGH]
    count = finish(ending, tail)
    if start + count != len(data):
        return False
    return bool((data[start:] == tail[:count]).all())


@njit(cache=True, forceinline=True)
def code_mixed(
    coder: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    model: Model,
    contexts: npt.NDArray[np.int64],
    logits: npt.NDArray[np.int64],
    mix: int,
    bit: int,
) -> int:
    """Code a decision by the mix of several counters, and adapt all of them; returns it.

    Parameters
    ----------
    contexts : indices of the counters.
    logits : scratch of their number.
    mix : row of the weights.
    """
    counters, seen, weights = model
    total = 0
    for i in range(len(contexts)):
        logits[i] = STRETCH[counters[contexts[i]] >> 10]
        total += logits[i] * weights[mix, i]
    total = min(max(total >> 16, -LOGIT_LIMIT), LOGIT_LIMIT)
    probability = SQUASH[total + 2048]
    bit = code_bit(coder, data, probability, bit)
    error = (bit << 16) - probability
    for i in range(len(contexts)):
        weight = weights[mix, i] + ((error * logits[i] + (1 << 18)) >> 19)
        weights[mix, i] = min(max(weight, -WEIGHT_LIMIT), WEIGHT_LIMIT)
        _adapt(counters, seen, contexts[i], bit)
    return bit


@njit(cache=True, forceinline=True)
def code_plain(
    coder: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    model: Model,
    context: int,
    bit: int,
) -> int:
    """Code a decision by one counter, and adapt it; returns it."""
    counters, seen, _ = model
    probability = min(max(counters[context] >> 6, 32), 65504)
    bit = code_bit(coder, data, probability, bit)
    _adapt(counters, seen, context, bit)
    return bit


@njit(cache=True, forceinline=True)
def _adapt(counters: Ints, seen: npt.NDArray[np.uint8], context: int, bit: int) -> None:
    """Move a counter towards a decision, the less the more decisions it has seen."""
    value = np.int64(counters[context])
    error = ((bit << 22) - bit) - value
    counters[context] = value + ((error * RATES[seen[context]]) >> 16)
    if seen[context] < MOST_SEEN:
        seen[context] += 1
