"""Rows of a PLY element whose lists differ in length: where each value lies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CUT_SHORT, BAD_LENGTH = -1, -2


@njit(nogil=True, cache=True)
def walk_bytes(
    data: npt.NDArray[np.uint8],
    at: int,
    little: bool,
    types: Ints,
    starts: Ints,
    lengths: Ints,
) -> int:
    """Walk the rows of a binary element.

    Parameters
    ----------
    at : first byte of the first row.
    little : the least significant byte of a length comes first.
    types : (p, 3) for each property the bytes of a value, the bytes of a list's length (0 for a
        single value), and whether that length has a sign.
    starts, lengths : (p, rows) receive the first byte and the number of the values.

    Returns
    -------
    The first byte behind the rows, ``CUT_SHORT`` or ``BAD_LENGTH``.
    """
    for row in range(starts.shape[1]):
        for p in range(len(types)):
            length, length_bytes = 1, types[p, 1]
            if length_bytes:
                if at + length_bytes > len(data):
                    return CUT_SHORT
                length = 0
                for k in range(length_bytes):
                    byte = data[at + (length_bytes - 1 - k if little else k)]
                    length = length * 256 + byte
                if types[p, 2] and length >> (8 * length_bytes - 1):
                    return BAD_LENGTH
                at += length_bytes
            starts[p, row], lengths[p, row] = at, length
            at += length * types[p, 0]
            if at > len(data):
                return CUT_SHORT
    return at


@njit(nogil=True, cache=True)
def gather_bytes(
    data: npt.NDArray[np.uint8],
    starts: Ints,
    lengths: Ints,
    size: int,
    values: npt.NDArray[np.uint8],
) -> None:
    """Copy the values of one property, ``size`` bytes each, one after another."""
    to = 0
    for row in range(len(starts)):
        for k in range(lengths[row] * size):
            values[to] = data[starts[row] + k]
            to += 1


@njit(nogil=True, cache=True)
def walk_numbers(
    numbers: Floats, at: int, is_list: npt.NDArray[np.bool_], starts: Ints, lengths: Ints
) -> int:
    """Walk the rows of an ascii element: as ``walk_bytes``, with numbers in the place of bytes."""
    for row in range(starts.shape[1]):
        for p in range(len(is_list)):
            length = 1
            if is_list[p]:
                if at >= len(numbers):
                    return CUT_SHORT
                if not numbers[at] >= 0 or numbers[at] != np.floor(numbers[at]):
                    return BAD_LENGTH
                if numbers[at] > len(numbers):
                    return CUT_SHORT
                length = int(numbers[at])
                at += 1
            starts[p, row], lengths[p, row] = at, length
            at += length
            if at > len(numbers):
                return CUT_SHORT
    return at


@njit(nogil=True, cache=True)
def gather_numbers(numbers: Floats, starts: Ints, lengths: Ints, values: Floats) -> None:
    """Copy the values of one property, one after another."""
    to = 0
    for row in range(len(starts)):
        for k in range(lengths[row]):
            values[to] = numbers[starts[row] + k]
            to += 1
