"""The lines of an OBJ file: positions and faces are read, all other statements are counted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.mesh.parsers.numbers import (
    BACKSLASH,
    BLANK,
    CR,
    HASH,
    LF,
    Floats,
    Ints,
    Text,
    number_at,
    read_slow,
)

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

# What is added to an index that counts back from the vertices so far, which makes it negative.
# Indices are limited to half of it.
_RELATIVE = -(1 << 50)
_MOST_INDEX = 1 << 49
# Different statements that are counted apart; the last place takes all that come later.
_STATEMENTS = 64
_V, _F, _N, _O, _P, _T, _MINUS, _PLUS, _ZERO, _SLASH = 118, 102, 110, 111, 112, 116, 45, 43, 48, 47

OK, SHORT_VERTEX, INDEX_ZERO, BAD_INDEX, BAD_NUMBER = range(5)


class Lines(NamedTuple):
    """What a stretch of an OBJ file holds."""

    coordinates: Floats
    """(3 v,) of its vertices."""
    corners: npt.NDArray[np.int64]
    """Vertex indices of all faces, see ``resolve``."""
    lengths: npt.NDArray[np.int64]
    """(f,) number of corners of each face."""
    starts: npt.NDArray[np.int64]
    """(f,) byte of the file at which each face begins."""
    statements: dict[str, tuple[int, int]]
    """Number of all other statements and the byte of the first, by the first eight
    letters of the keyword."""
    fault: int
    """OK, or what is wrong with the first line that cannot be read."""
    fault_at: int
    """The byte of the file at which that line begins."""

    def resolve(self, vertices_before: int) -> npt.NDArray[np.int64]:
        """Corners as indices from 0; those that count back are counted from the vertices so far."""
        back = self.corners - _RELATIVE + vertices_before
        return np.where(self.corners < _MOST_INDEX * -1, back, self.corners)


def read_lines(text: Text, start: int, stop: int) -> Lines:
    """Read text[start:stop], which ends where a line ends."""
    size = stop - start
    # "v 0 0 0" is the shortest vertex, "f" the shortest face, and " 1" the shortest corner.
    coordinates = np.empty(size // 8 * 3 + 3)
    slow = np.empty((len(coordinates), 3), np.int64)
    corners = np.empty(size // 2 + 1, np.int64)
    faces = np.empty((size // 2 + 1, 2), np.int64)
    keywords = np.zeros(_STATEMENTS, np.uint64)
    counts = np.zeros((_STATEMENTS, 2), np.int64)
    sizes = _read_lines(text, start, stop, coordinates, slow, corners, faces, keywords, counts)
    vertices, slow_words, num_corners, num_faces, fault, fault_at = sizes
    wrong = read_slow(text, slow[:slow_words], coordinates)
    if wrong is not None and (fault == OK or wrong < fault_at):
        fault, fault_at = BAD_NUMBER, wrong
    names = [int(k).to_bytes(8, "little").rstrip(b"\0").decode("latin-1") for k in keywords]
    statements = {
        name: (int(number), int(first))
        for name, (number, first) in zip(names, counts, strict=True)
        if number
    }
    return Lines(
        coordinates[: 3 * vertices].copy(),
        corners[:num_corners].copy(),
        faces[:num_faces, 0].copy(),
        faces[:num_faces, 1].copy(),
        statements,
        fault,
        fault_at,
    )


@njit(nogil=True, cache=True)
def _skip_blanks(text: Text, at: int, stop: int) -> int:
    """The next byte that is no blank; a backslash at the end of a line joins it with the next."""
    while at < stop:
        byte = text[at]
        if byte == BACKSLASH:
            end = at + 1
            while end < stop and text[end] <= BLANK and text[end] != LF and text[end] != CR:
                end += 1
            if end < stop and text[end] > BLANK:
                return at
            if end + 1 < stop and text[end] == CR and text[end + 1] == LF:
                end += 1
            at = end + 1
        elif byte <= BLANK and byte != LF and byte != CR:
            at += 1
        else:
            break
    return min(at, stop)


@njit(nogil=True, cache=True)
def _skip_line(text: Text, at: int, stop: int) -> int:
    """The end of the line, at its line feed, carriage return or at ``stop``."""
    while at < stop and text[at] != LF and text[at] != CR:
        at += 1
    return at


@njit(nogil=True, cache=True)
def _skip_statement(text: Text, at: int, stop: int) -> int:
    """The end of the line, or of the line that is joined to it by a backslash."""
    while at < stop and text[at] != LF and text[at] != CR:
        if text[at] == HASH:
            return _skip_line(text, at, stop)
        at = max(at + 1, _skip_blanks(text, at, stop)) if text[at] == BACKSLASH else at + 1
    return at


@njit(nogil=True, cache=True)
def _ends(text: Text, at: int, stop: int) -> bool:
    return at >= stop or text[at] == LF or text[at] == CR or text[at] == HASH


@njit(nogil=True, cache=True)
def _corner_at(text: Text, at: int, stop: int) -> tuple[int, int, bool]:
    """The first index of a corner such as 3, -1, 3/1/2 or 3//2, the end, and whether it is one."""
    negative = text[at] == _MINUS
    if negative or text[at] == _PLUS:
        at += 1
    first, index = at, 0
    while at < stop and 0 <= text[at] - _ZERO <= 9:
        index = min(10 * index + text[at] - _ZERO, _MOST_INDEX)
        at += 1
    good = at > first
    if at < stop and text[at] == _SLASH:
        # Indices of texture coordinates and normals.
        while at < stop and _MINUS <= text[at] <= _ZERO + 9:
            at += 1
    good = good and (_ends(text, at, stop) or text[at] <= BLANK or text[at] == BACKSLASH)
    return -index if negative else index, at, good


@njit(nogil=True, cache=True)
def _count_statement(
    text: Text, at: int, stop: int, keywords: npt.NDArray[np.uint64], counts: Ints
) -> bool:
    """Count a statement by the first eight bytes of its keyword; whether the next line goes on."""
    start, keyword = at, np.uint64(0)
    while not _ends(text, at, stop) and text[at] > BLANK and at < start + 8:
        keyword |= np.uint64(text[at]) << np.uint64(8 * (at - start))
        at += 1
    k = 0
    while k < _STATEMENTS - 1 and counts[k, 0] and keywords[k] != keyword:
        k += 1
    if not counts[k, 0]:
        keywords[k], counts[k, 1] = keyword, start
    counts[k, 0] += 1
    last = _skip_line(text, at, stop) - 1
    while last > start and text[last] <= BLANK:
        last -= 1
    return bool(text[last] == BACKSLASH)


@njit(nogil=True, cache=True)
def _read_lines(
    text: Text,
    start: int,
    stop: int,
    coordinates: Floats,
    slow: Ints,
    corners: Ints,
    faces: Ints,
    keywords: npt.NDArray[np.uint64],
    counts: Ints,
) -> tuple[int, int, int, int, int, int]:
    """Numbers of vertices, slow words, corners and faces; the fault and the byte of its line."""
    vertices, slow_words, num_corners, num_faces = 0, 0, 0, 0
    goes_on = False
    at = start
    while at < stop:
        at = _skip_mark_and_blanks(text, at, stop)
        if at >= stop or text[at] == LF or text[at] == CR:
            at += 1
            continue
        line = at
        byte = text[at]
        following = text[at + 1] if at + 1 < stop else np.uint8(LF)
        blank_follows = following <= BLANK or following == BACKSLASH
        if byte == _V and blank_follows:
            at += 1
            for axis in range(3):
                at = _skip_blanks(text, at, stop)
                if _ends(text, at, stop):
                    return vertices, slow_words, num_corners, num_faces, SHORT_VERTEX, line
                value, end, exact = number_at(text, at, stop)
                if end == at:
                    return vertices, slow_words, num_corners, num_faces, BAD_NUMBER, line
                if not exact:
                    slow[slow_words, 0] = 3 * vertices + axis
                    slow[slow_words, 1], slow[slow_words, 2] = at, end
                    slow_words += 1
                coordinates[3 * vertices + axis] = value
                at = end
            vertices += 1
            at = _skip_statement(text, at, stop)
        elif byte == _F and (
            blank_follows
            or (following == _O and (at + 2 == stop or text[at + 2] <= BLANK))  # the older "fo"
        ):
            at += 1 if blank_follows else 2
            first_corner = num_corners
            at = _skip_blanks(text, at, stop)
            while not _ends(text, at, stop):
                index, at, good = _corner_at(text, at, stop)
                if not good or index == 0:
                    fault = BAD_INDEX if not good else INDEX_ZERO
                    return vertices, slow_words, num_corners, num_faces, fault, line
                corners[num_corners] = index - 1 if index > 0 else vertices + index + _RELATIVE
                num_corners += 1
                at = _skip_blanks(text, at, stop)
            faces[num_faces, 0], faces[num_faces, 1] = num_corners - first_corner, line
            num_faces += 1
            at = _skip_line(text, at, stop)
        else:
            number_first = _MINUS <= byte <= _ZERO + 9 or byte == _PLUS
            silent = byte == HASH or (byte == _V and following in (_N, _T))
            if not silent and not (goes_on and number_first):
                goes_on = _count_statement(text, at, stop, keywords, counts)
            at = _skip_line(text, at, stop)
    return vertices, slow_words, num_corners, num_faces, OK, stop


@njit(nogil=True, cache=True)
def _skip_mark_and_blanks(text: Text, at: int, stop: int) -> int:
    """Skip blanks at the start of a line, and byte order marks of joined files."""
    at = _skip_blanks(text, at, stop)
    while at + 2 < stop and text[at] == 0xEF and text[at + 1] == 0xBB and text[at + 2] == 0xBF:
        at = _skip_blanks(text, at + 3, stop)
    return at
