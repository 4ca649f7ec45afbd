"""How many faces meet at each edge, and which way they run along it.

No list of all edges is ever sorted. Every edge belongs to the smaller of its two vertices: faces
are dealt into buckets, one per vertex, by counting first, and each short bucket is sorted by
itself. A face of corners ``low < middle < high`` stands in the bucket of ``low`` for two of its
edges, and its third edge in the bucket of ``middle``. Faces of equal corners so meet in one
bucket, where repeats are found in passing. Ranges of vertices are independent of each other and
run side by side.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from geom_miner.errors import MeshError
from geom_miner.mesh.side_by_side import cores, side_by_side

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Ints = npt.NDArray[np.integer]

# The larger end of an edge and a direction share 32 bits.
MOST_VERTICES = 1 << 31
# Vertices are dealt into ranges of equal work by whole bins, at most so many.
_MOST_BINS = 1 << 12
# Neighbors are listed range by range; the more ranges, the less memory, and the more often all
# faces are passed over.
_RANGES_OF_NEIGHBORS = 4
# Shorter lists are sorted by insertion.
_SHORT = 32


class EdgeCounts(NamedTuple):
    """What ``Diagnosis`` says about edges and repeated faces, under the same names."""

    open_edges: int
    odd_edges: int
    nonmanifold_edges: int
    misoriented_edges: int
    duplicate_faces: int


def count_edges(faces: Ints, vertices: int, *, ranges: int | None = None) -> EdgeCounts:
    """Count edges by their faces; faces with two equal corners are left out.

    Takes 12 bytes for each face and 8 for each vertex.

    Parameters
    ----------
    faces : (f, 3) int32 or int64 indices in [0, vertices).
    ranges : of vertices, to run side by side; every core has one if nothing is said.

    Raises
    ------
    MeshError
        There are more than ``MOST_VERTICES``.
    """
    _refuse_more_than(MOST_VERTICES, vertices, "vertices")
    bounds = _equal_work(faces, vertices, cores() if ranges is None else ranges)
    counts = side_by_side(_count_range, [(faces, *span) for span in itertools.pairwise(bounds)])
    return EdgeCounts(*np.sum(counts, axis=0, dtype=int).tolist())


def neighbors(faces: Ints, vertices: int) -> Iterator[npt.NDArray[np.int64]]:
    """Pairs of faces that share an edge with no third one, in parts.

    Faces with two equal corners cover nothing and join nothing. Takes 6 bytes for each face and
    2 for each vertex. Arguments and errors as for ``count_edges``.

    Yields
    ------
    (pairs,) ``face << 32 | other << 1 | same``, where ``same`` is 1 if both run along the edge in
        the same direction, and 0 if they agree about outside.
    """
    _refuse_more_than(MOST_VERTICES, vertices, "vertices")
    _refuse_more_than(MOST_VERTICES, len(faces), "faces")
    bounds = _equal_work(faces, vertices, _RANGES_OF_NEIGHBORS)
    for first, stop in itertools.pairwise(bounds):
        pair_at, end_at = _new_offsets(faces, first, stop)
        _offsets(faces, first, stop, pair_at, end_at)
        at = end_at
        at += 2 * pair_at
        sides = np.empty(at[-1], dtype=np.int64)
        _deal_sides(faces, first, stop, at, sides)
        yield sides[: _pair_sides(at, sides)]


def _refuse_more_than(most: int, count: int, what: str) -> None:
    if count > most:
        raise MeshError(f"{count:,} {what} are too many to examine; split the mesh")


def _new_offsets(faces: Ints, first: int, stop: int) -> npt.NDArray[np.integer]:
    kind = np.int32 if 3 * len(faces) < 1 << 31 else np.int64
    return np.zeros((2, stop - first + 2), dtype=kind)


def _equal_work(faces: Ints, vertices: int, ranges: int) -> list[int]:
    """Where ranges of vertices begin, and where the last one ends."""
    shift = max(0, (vertices // _MOST_BINS).bit_length())
    # A vertex is about as much work as an edge.
    work = np.cumsum(_edges_per_bin(faces, shift, (vertices >> shift) + 1) + (1 << shift))
    inner = np.searchsorted(work, work[-1] * np.arange(1, ranges) / ranges) << shift
    return [0, *np.minimum(inner, vertices).tolist(), vertices]


def _count_range(faces: Ints, first: int, stop: int) -> tuple[int, int, int, int, int]:
    """``EdgeCounts`` of the edges whose smaller vertex is in [first, stop)."""
    # Allocated here: NumPy asks for huge pages, and touching memory is a good part of the time.
    pair_at, end_at = _new_offsets(faces, first, stop)
    longest = _offsets(faces, first, stop, pair_at, end_at)
    pairs = np.empty(pair_at[-1], dtype=np.int64)
    ends = np.empty(end_at[-1], dtype=np.uint32)
    _deal(faces, first, stop, pair_at, end_at, pairs, ends)
    found: tuple[int, int, int, int, int]
    found = _count_buckets(pair_at, end_at, pairs, ends, np.empty(longest, dtype=np.int64))
    return found


@njit(nogil=True, cache=True)
def _ascending(faces: Ints, k: int) -> tuple[np.int64, np.int64, np.int64, np.int64]:
    """Corners of a face in ascending order; 1 if it runs from low to middle to high, else 0."""
    a, b, c = np.int64(faces[k, 0]), np.int64(faces[k, 1]), np.int64(faces[k, 2])
    low, high = min(a, b), max(a, b)
    rising = (a < b) + (b < c) + (c < a) == 2
    return min(low, c), max(low, min(high, c)), max(high, c), np.int64(rising)


@njit(nogil=True, cache=True)
def _edges_per_bin(faces: Ints, shift: int, bins: int) -> npt.NDArray[np.int64]:
    """Edges of faces whose smaller vertex lies in each bin of ``1 << shift`` vertices."""
    found = np.zeros(bins, np.int64)
    for k in range(len(faces)):
        low, middle, _, _ = _ascending(faces, k)
        found[low >> shift] += 2
        found[middle >> shift] += 1
    return found


@njit(nogil=True, cache=True)
def _offsets(faces: Ints, first: int, stop: int, pair_at: Ints, end_at: Ints) -> int:
    """Where the buckets begin, one place late for ``_deal``; returns the longest one's edges."""
    for k in range(len(faces)):
        low, middle, high, _ = _ascending(faces, k)
        if first <= middle and low < stop and low < middle and middle < high:
            if low >= first:
                pair_at[low - first + 2] += 1
            if middle < stop:
                end_at[middle - first + 2] += 1
    longest = 0
    for v in range(2, len(pair_at)):
        longest = max(longest, 2 * pair_at[v] + end_at[v])
        pair_at[v] += pair_at[v - 1]
        end_at[v] += end_at[v - 1]
    return longest


@njit(nogil=True, cache=True)
def _deal(
    faces: Ints, first: int, stop: int, pair_at: Ints, end_at: Ints, pairs: Ints, ends: Ints
) -> None:
    """Fill the buckets: (middle, high, rising) of faces, and (high, rising) of third edges.

    Afterwards bucket v is ``pairs[pair_at[v] : pair_at[v + 1]]`` and the same of ``ends``.
    """
    for k in range(len(faces)):
        low, middle, high, rising = _ascending(faces, k)
        if first <= middle and low < stop and low < middle and middle < high:
            if low >= first:
                pairs[pair_at[low - first + 1]] = middle << 32 | high << 1 | rising
                pair_at[low - first + 1] += 1
            if middle < stop:
                ends[end_at[middle - first + 1]] = high << 1 | rising
                end_at[middle - first + 1] += 1


@njit(nogil=True, cache=True)
def _count_buckets(
    pair_at: Ints, end_at: Ints, pairs: Ints, ends: Ints, bucket: Ints
) -> tuple[int, int, int, int, int]:
    opened, odd, many, disagreeing, repeated = 0, 0, 0, 0, 0
    for v in range(len(pair_at) - 2):
        _sort(pairs, pair_at[v], pair_at[v + 1])
        size = 0
        before = np.int64(-1)
        for k in range(pair_at[v], pair_at[v + 1]):
            corners, rising = pairs[k] >> 1, pairs[k] & 1
            repeated += corners == before
            before = corners
            # A rising face runs from low to middle, and to low from high.
            bucket[size] = corners >> 31 << 1 | rising
            bucket[size + 1] = (corners & 0x7FFFFFFF) << 1 | 1 - rising
            size += 2
        for k in range(end_at[v], end_at[v + 1]):
            bucket[size] = ends[k]
            size += 1
        _sort(bucket, 0, size)
        k = 0
        while k < size:
            begin, other, upward = k, bucket[k] >> 1, 0
            while k < size and bucket[k] >> 1 == other:
                upward += bucket[k] & 1
                k += 1
            opened += k - begin == 1
            odd += (k - begin) & 1
            many += k - begin > 2
            disagreeing += k - begin == 2 and upward != 1
    return opened, odd, many, disagreeing, repeated


@njit(nogil=True, cache=True)
def _deal_sides(faces: Ints, first: int, stop: int, at: Ints, sides: Ints) -> None:
    """Fill the buckets ``sides[at[v] : at[v + 1]]`` with (other end, face, direction)."""
    for k in range(len(faces)):
        low, middle, high, rising = _ascending(faces, k)
        if first <= middle and low < stop and low < middle and middle < high:
            if low >= first:
                place = at[low - first + 1]
                sides[place] = middle << 32 | k << 1 | rising
                sides[place + 1] = high << 32 | k << 1 | 1 - rising
                at[low - first + 1] += 2
            if middle < stop:
                sides[at[middle - first + 1]] = high << 32 | k << 1 | rising
                at[middle - first + 1] += 1


@njit(nogil=True, cache=True)
def _pair_sides(at: Ints, sides: Ints) -> int:
    """Put pairs in place of sides, which are more; returns their number."""
    pairs = 0
    for v in range(len(at) - 2):
        _sort(sides, at[v], at[v + 1])
        k, stop = np.int64(at[v]), np.int64(at[v + 1])
        while k < stop:
            begin, other = k, sides[k] >> 32
            while k < stop and sides[k] >> 32 == other:
                k += 1
            if k - begin == 2:
                one, two = sides[begin] & 0xFFFFFFFF, sides[begin + 1] & 0xFFFFFFFF
                same = 1 - ((one ^ two) & 1)
                sides[pairs] = one >> 1 << 32 | two >> 1 << 1 | same
                pairs += 1
    return pairs


@njit(nogil=True, cache=True)
def _sort(values: Ints, begin: int, end: int) -> None:
    """Sort a part in place: by insertion if it is short, else by heap, whose worst case is mild."""
    if end - begin <= _SHORT:
        for i in range(begin + 1, end):
            value, k = values[i], i
            while k > begin and values[k - 1] > value:
                values[k] = values[k - 1]
                k -= 1
            values[k] = value
        return
    size = end - begin
    for root in range(size // 2 - 1, -1, -1):
        _sift(values, begin, root, size)
    for last in range(size - 1, 0, -1):
        values[begin], values[begin + last] = values[begin + last], values[begin]
        _sift(values, begin, 0, last)


@njit(nogil=True, cache=True)
def _sift(values: Ints, begin: int, root: int, size: int) -> None:
    """Let a value sink until both its children in the heap are no larger."""
    value, child = values[begin + root], 2 * root + 1
    while child < size:
        if child + 1 < size and values[begin + child] < values[begin + child + 1]:
            child += 1
        if values[begin + child] <= value:
            break
        values[begin + root] = values[begin + child]
        root, child = child, 2 * child + 1
    values[begin + root] = value
