"""Numbers in text, as bytes: exact, at the speed of reading the bytes.

A number of up to 15 digits and a small exponent is the exact quotient or product of two floats. All
others are noted as slow words, which NumPy converts together afterwards, each correctly rounded.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import drop_if_stale, njit

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

# Here, because the other files import this one before they run compiled code.
drop_if_stale(Path(__file__).parent, "numbers.py", "obj_lines.py", "stl_facets.py")

Text = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

BLANK = 32  # this byte and all below it separate words
LF, CR, HASH, BACKSLASH = 10, 13, 35, 92
_PLUS, _MINUS, _POINT, _ZERO, _E = 43, 45, 46, 48, 101

# Powers of ten that are exact in float64, and the largest whole number up to which all are.
_POWERS = 10.0 ** np.arange(23)
_EXACT = np.uint64(1 << 53)

# How the C library of Windows writes what is not a number.
_WINDOWS_NAN = re.compile(rb"[+-]?\d\.#(QNAN|SNAN|IND|INF)\d*|[+-]?nan\(ind\)", re.IGNORECASE)
_NUMBER = re.compile(
    rb"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan(\(\w*\))?|inf|infinity)", re.IGNORECASE
)


@njit(nogil=True, cache=True)
def word_end(text: Text, at: int, stop: int) -> int:
    """The first position from ``at`` on that belongs to no word: a blank, # or a backslash."""
    while at < stop and text[at] > BLANK and text[at] != BACKSLASH:
        # Windows writes 1.#QNAN for what is not a number.
        if text[at] == HASH and (at == 0 or text[at - 1] != _POINT):
            break
        at += 1
    return at


@njit(nogil=True, cache=True)
def number_at(text: Text, at: int, stop: int) -> tuple[float, int, bool]:
    """The number that begins at ``at``, the end of its word, and whether the number is exact."""
    first = at
    if text[at] == _MINUS or text[at] == _PLUS:
        at += 1
    mantissa, digits, exponent, seen = np.uint64(0), 0, 0, False
    point = False
    while at < stop:
        digit = text[at] - _ZERO
        if 0 <= digit <= 9:
            seen = True
            if digits or digit:
                digits += 1
            mantissa = mantissa * np.uint64(10) + np.uint64(digit)
            exponent -= point
        elif text[at] == _POINT and not point:
            point = True
        else:
            break
        at += 1
    if seen and at < stop and text[at] | 32 == _E:
        at += 1
        negative = at < stop and text[at] == _MINUS
        if at < stop and (negative or text[at] == _PLUS):
            at += 1
        power, seen = 0, False
        while at < stop and 0 <= text[at] - _ZERO <= 9:
            power = min(10 * power + text[at] - _ZERO, 1 << 20)
            seen = True
            at += 1
        exponent += -power if negative else power
    end = word_end(text, at, stop)
    exact = seen and end == at and digits <= 19 and mantissa <= _EXACT and -22 <= exponent <= 22
    if not exact:
        return np.nan, end, False
    value = np.float64(mantissa)
    value = value / _POWERS[-exponent] if exponent < 0 else value * _POWERS[exponent]
    return -value if text[first] == _MINUS else value, end, True


@njit(nogil=True, cache=True)
def count_words(text: Text, start: int, stop: int) -> int:
    """Words in text[start:stop]; more if there are comments, never fewer."""
    words, before = 0, True
    for at in range(start, stop):
        blank, alone = text[at] <= BLANK, text[at] == BACKSLASH
        words += alone or (before and not blank)
        before = blank or alone or text[at] == HASH
    return words


@njit(nogil=True, cache=True)
def read_words(
    text: Text,
    at: int,
    words: int,
    numbers: Floats,
    slow: Ints,
    ends_line: npt.NDArray[np.bool_],
) -> tuple[int, int, int]:
    """Read words as numbers until ``slow`` is full; from # to the end of a line is skipped.

    Parameters
    ----------
    words : number of words before byte ``at``.
    numbers : (n,) receives the numbers; n is at least ``count_words``.
    slow : (s, 3) receives index, start and end of words that are not exact, see ``read_slow``.
    ends_line : (n,) receives whether the word is the last one of its line.

    Returns
    -------
    Words so far, slow words, and the first byte that was not read.
    """
    slow_words, stop = 0, len(text)
    while at < stop and slow_words < len(slow):
        byte = text[at]
        if byte == HASH:
            while at < stop and text[at] != LF and text[at] != CR:
                at += 1
        elif byte <= BLANK:
            if words and byte in (LF, CR):
                ends_line[words - 1] = True
            at += 1
        else:
            value, end, exact = number_at(text, at, stop)
            end = max(end, at + 1)
            if not exact:
                slow[slow_words, 0], slow[slow_words, 1], slow[slow_words, 2] = words, at, end
                slow_words += 1
            numbers[words] = value
            ends_line[words] = False
            words += 1
            at = end
    if words and at >= stop:
        ends_line[words - 1] = True
    return words, slow_words, at


@njit(nogil=True, cache=True)
def _join(text: Text, slow: Ints, joined: Text) -> None:
    """Write the slow words one after another, each followed by a space."""
    to = 0
    for k in range(len(slow)):
        for at in range(slow[k, 1], slow[k, 2]):
            joined[to] = text[at]
            to += 1
        joined[to] = BLANK
        to += 1


def read_slow(text: Text, slow: Ints, numbers: Floats) -> int | None:
    """Convert slow words and write them to their indices in ``numbers``.

    Parameters
    ----------
    slow : (n, 3) index, start and end of each word.

    Returns
    -------
    The start of the first word that is no number, or None.
    """
    if not len(slow):
        return None
    joined = np.empty(int((slow[:, 2] - slow[:, 1] + 1).sum()), np.uint8)
    _join(text, slow, joined)
    with warnings.catch_warnings():
        # NumPy stops at a word that is no number, with only a warning.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(joined.tobytes(), dtype=np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            values = np.empty(0)
    if len(values) == len(slow):
        numbers[slow[:, 0]] = values
        return None
    for index, start, end in slow.tolist():
        word = text[start:end].tobytes()
        if _WINDOWS_NAN.fullmatch(word):
            numbers[index] = np.nan
        elif _NUMBER.fullmatch(word):
            numbers[index] = float(word.split(b"(")[0])
        else:
            return int(start)
    return None
