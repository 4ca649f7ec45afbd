"""The facets of an STL file in text, word by word."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.mesh.parsers.numbers import (
    BLANK,
    CR,
    LF,
    Floats,
    Ints,
    Text,
    number_at,
    read_slow,
)

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

# A word's first eight letters in lower case as one number, by which words are compared.
_LETTERS = 8
# Bytes of the shortest vertex: "vertex 0 0 0".
_SHORTEST_VERTEX = 12

OK, BAD_VERTEX, BAD_NUMBER = range(3)


def _packed(word: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(word[:_LETTERS], "little"))


_VERTEX, _FACET, _NORMAL = _packed(b"vertex"), _packed(b"facet"), _packed(b"normal")
_SOLID, _ENDSOLID, _END = _packed(b"solid"), _packed(b"endsolid"), _packed(b"end")
_OUTER, _LOOP = _packed(b"outer"), _packed(b"loop")
_ENDLOOP, _ENDFACET = _packed(b"endloop"), _packed(b"endfacet")


class Facets(NamedTuple):
    """What a stretch of an STL file in text holds."""

    positions: Floats
    """(v, 3) corners of all facets, one facet after another."""
    lengths: npt.NDArray[np.int64]
    """(f,) number of corners of each facet."""
    opened: int
    """Facets that begin."""
    closed: int
    """Facets that end."""
    solids: int
    """Solids that begin."""
    ended: int
    """Solids that end."""
    fault: int
    """OK, or what is wrong with the first vertex that cannot be read."""
    fault_at: int
    """The byte at which that vertex begins."""


def read_facets(text: Text, start: int, stop: int) -> Facets:
    """Read the corners of all facets; normals, names and unknown words are skipped.

    ``text[start:stop]`` ends where the line of an "endfacet" ends, or with the text.
    """
    most = (stop - start) // _SHORTEST_VERTEX + 1
    coordinates = np.empty(3 * most)
    slow = np.empty((3 * most, 3), np.int64)
    lengths = np.empty(most, np.int64)
    counts = np.zeros(8, np.int64)
    _read_facets(text[:stop], start, coordinates, slow, lengths, counts)
    vertices, slow_words, facets, opened, closed, solids, ended, wrong_at = counts.tolist()
    fault, fault_at = (OK, 0) if wrong_at < 0 else (BAD_VERTEX, wrong_at)
    wrong = read_slow(text, slow[:slow_words], coordinates)
    if wrong is not None and (fault == OK or wrong < fault_at):
        fault, fault_at = BAD_NUMBER, wrong
    return Facets(
        coordinates[: 3 * vertices].reshape(-1, 3).copy(),
        lengths[:facets].copy(),
        opened,
        closed,
        solids,
        ended,
        fault,
        fault_at,
    )


@njit(nogil=True, cache=True)
def _word_at(text: Text, at: int) -> tuple[np.uint64, int]:
    """The word that begins at ``at``, packed, and its end."""
    start, word = at, np.uint64(0)
    while at < len(text) and text[at] > BLANK:
        if at - start < _LETTERS:
            letter = np.uint64(text[at])
            if np.uint64(65) <= letter <= np.uint64(90):
                letter |= np.uint64(32)
            word |= letter << np.uint64(8 * (at - start))
        at += 1
    return word, at


@njit(nogil=True, cache=True)
def _skip_blanks(text: Text, at: int) -> int:
    while at < len(text) and text[at] <= BLANK:
        at += 1
    return at


@njit(nogil=True, cache=True)
def _skip_name(text: Text, at: int) -> int:
    """The end of a solid's name: that of the line, or the words "facet normal" on the same line."""
    facet_at = -1
    while at < len(text) and text[at] != LF and text[at] != CR:
        if text[at] <= BLANK:
            at += 1
            continue
        start = at
        word, at = _word_at(text, at)
        if word == _NORMAL and facet_at >= 0:
            return facet_at
        facet_at = start if word == _FACET else -1
    return at


@njit(nogil=True, cache=True)
def _read_facets(
    text: Text, at: int, coordinates: Floats, slow: Ints, lengths: Ints, counts: Ints
) -> None:
    """Fill the arrays and ``counts``, whose entries ``read_facets`` names."""
    vertices, slow_words, facets, first = 0, 0, 0, 0
    counts[7] = -1
    at = _skip_blanks(text, at)
    while at < len(text):
        start = at
        word, at = _word_at(text, at)
        if word == _END:
            # "end solid" and the like, in two words.
            word, at = _word_at(text, _skip_blanks(text, at))
            if word == _SOLID:
                word = _ENDSOLID
            elif word == _LOOP:
                word = _ENDLOOP
            elif word == _FACET:
                word = _ENDFACET
        if word == _VERTEX:
            for axis in range(3):
                at = _skip_blanks(text, at)
                value, end, exact = np.nan, at, False
                if at < len(text):
                    value, end, exact = number_at(text, at, len(text))
                if end == at:
                    counts[7] = start
                    at = len(text)
                    break
                if not exact:
                    slow[slow_words, 0] = 3 * vertices + axis
                    slow[slow_words, 1], slow[slow_words, 2] = at, end
                    slow_words += 1
                coordinates[3 * vertices + axis] = value
                at = end
            else:
                vertices += 1
        elif word in (_SOLID, _ENDSOLID):
            counts[5 if word == _SOLID else 6] += 1
            at = _skip_name(text, at)
        else:
            counts[3] += word == _FACET
            counts[4] += word == _ENDFACET
            ends = word in (_ENDLOOP, _ENDFACET, _FACET, _OUTER)
            if ends and vertices > first:
                lengths[facets] = vertices - first
                facets += 1
                first = vertices
        at = _skip_blanks(text, at)
    if vertices > first:
        lengths[facets] = vertices - first
        facets += 1
    counts[0], counts[1], counts[2] = vertices, slow_words, facets
