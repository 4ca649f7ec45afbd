"""The model of a block table: what every block of a scale is, from its neighbors and its parent.

It is compiled together with ``arithmetic.py``; ``docs/format.md`` is its specification.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.coding.arithmetic import AT, DECODE, MODE, Model, code_mixed
from geom_miner.compiled_cache import njit

Codes = npt.NDArray[np.int8]
Longs = npt.NDArray[np.int64]

# Codes of a block: varying without coefficients, varying with some; -1 - p is constant p of a
# palette.
PREDICTED, CODED = 1, 2
# What a context sees of a block: constant 0, another constant, predicted, coded, unknown.
_KINDS = 5
_EXACT = _KINDS**4

# Where the counters of each kind of decision begin; each has three inputs of equal size.
_INPUT = 2 * _EXACT
_VARIES, _PALETTE, _CODED = 0, 3 * _INPUT, 6 * _INPUT
COUNTERS = 9 * _INPUT
# Rows of weights: whether a block varies, its constant by step, whether it is coded.
_MIX_VARIES, _MIX_PALETTE, _MIX_CODED = 0, 1, 3
MIXES = 4

GOOD, TOO_SHORT, TOO_LARGE = 0, 1, 2


@njit(cache=True, forceinline=True)
def _kind(code: int) -> int:
    if code > 0:
        return code + 1
    return 0 if code == -1 else 1


@njit(cache=True, forceinline=True)
def _look_around(codes: Codes, parents: Codes, block: Longs, counts: Longs, around: Longs) -> None:
    """Fill ``around``: exact kinds of the lower neighbors, of the upper ones, and their counts."""
    ndim = len(block)
    around[:] = 0
    index, above, stride, parent_stride = 0, 0, 1, 1
    for a in range(ndim - 1, -1, -1):
        index += block[a] * stride
        above += (block[a] >> 1) * parent_stride
        stride *= counts[a]
        parent_stride *= (counts[a] + 1) >> 1
    stride = parent_stride = 1
    for a in range(ndim - 1, -1, -1):
        lower = upper = _KINDS - 1
        if block[a] > 0:
            lower = _kind(codes[index - stride])
        parent_count = (counts[a] + 1) >> 1
        if block[a] & 1 and (block[a] >> 1) + 1 < parent_count:
            upper = _kind(parents[above + parent_stride])
        around[0] = around[0] * _KINDS + lower
        around[1] = around[1] * _KINDS + upper
        around[2 + lower] += 1
        around[7 + upper] += 1
        stride *= counts[a]
        parent_stride *= parent_count
    around[12], around[13] = index, 1 if parents[above] == CODED else 0


@njit(cache=True, forceinline=True)
def _code_block(
    coder: Longs, data: npt.NDArray[np.uint8], model: Model, contexts: Longs, logits: Longs,
    around: Longs, code: int,
) -> int:  # fmt: skip
    """Code what a block is; returns its code, -128 if decoding finds no such palette entry."""
    lower, upper = around[2:7], around[7:12]
    parent = around[13]
    first, second = around[0] * 2 + parent, around[1] * 2 + parent
    varying = (lower[2] + lower[3]) * 5 + upper[2] + upper[3]
    contexts[0], contexts[1] = _VARIES + first, _VARIES + _INPUT + second
    constant = upper[0] + upper[1]
    contexts[2] = _VARIES + 2 * _INPUT + (varying * 5 + constant) * 2 + parent
    if code_mixed(coder, data, model, contexts, logits, _MIX_VARIES, 1 if code > 0 else 0):
        contexts[0], contexts[1] = _CODED + first, _CODED + _INPUT + second
        contexts[2] = _CODED + 2 * _INPUT + ((lower[3] * 5 + lower[2]) * 5 + upper[3]) * 2 + parent
        coded = code_mixed(coder, data, model, contexts, logits, _MIX_CODED, int(code == CODED))
        return CODED if coded else PREDICTED
    entry = 0
    zeros, others = lower[0] * 5 + upper[0], lower[1] * 5 + upper[1]
    while entry < 127:
        step = min(entry, 1)
        contexts[0] = _PALETTE + around[0] * 2 + step
        contexts[1] = _PALETTE + _INPUT + around[1] * 2 + step
        contexts[2] = _PALETTE + 2 * _INPUT + (zeros * 25 + others) * 2 + step
        more = 1 if -1 - code > entry else 0
        if not code_mixed(coder, data, model, contexts, logits, _MIX_PALETTE + step, more):
            break
        entry += 1
    return -1 - entry


@njit(cache=True, nogil=True)
def code_states(
    coder: Longs, data: npt.NDArray[np.uint8], model: Model,
    codes: Codes, parents: Codes, varying: Longs, counts: Longs, palette: int,
) -> int:  # fmt: skip
    """Code the blocks whose parent varies; decoding fills ``codes`` (flat, row-major).

    Parameters
    ----------
    parents : codes of the coarser blocks, flat.
    varying : coordinates (v, ndim) of those that vary, by ascending Morton id.
    counts : finer blocks per axis.
    palette : number of constants.

    Returns
    -------
    ``GOOD``, or what is wrong with the data.
    """
    ndim = len(counts)
    contexts, logits = np.zeros(3, np.int64), np.zeros(8, np.int64)
    around, block = np.zeros(14, np.int64), np.zeros(ndim, np.int64)
    decodes = coder[MODE] == DECODE
    for v in range(len(varying)):
        for child in range(1 << ndim):
            outside = False
            for a in range(ndim):
                block[a] = 2 * varying[v, a] + ((child >> (ndim - 1 - a)) & 1)
                outside |= block[a] >= counts[a]
            if outside:
                continue
            _look_around(codes, parents, block, counts, around)
            index = around[12]
            code = _code_block(coder, data, model, contexts, logits, around, codes[index])
            if decodes:
                if -1 - code >= palette:
                    return TOO_LARGE
                codes[index] = code
        if decodes and coder[AT] > len(data):
            return TOO_SHORT
    return GOOD
