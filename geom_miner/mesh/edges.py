"""Count the faces at each edge of a mesh, and find the faces that share an edge.

No list of all edges is ever sorted. Every edge belongs to the smaller of its two vertices. A
counting sort puts the edges into one bucket per vertex, and each short bucket is then sorted by
itself. A face with corners ``low < middle < high`` stores two edges in the bucket of ``low`` and
its third edge in the bucket of ``middle``. Duplicate faces therefore meet in one bucket, which
makes them easy to count. Ranges of vertices are independent of each other, so they are processed
in parallel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.errors import MeshError
from geom_miner.parallel import num_threads, parallel_map

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Ints = npt.NDArray[np.integer]

# Most vertices of a mesh: an edge's larger vertex and its direction share 32 bits.
MOST_VERTICES = 1 << 31
# Most bins of vertices. Ranges of equal work are whole numbers of bins.
_MOST_BINS = 1 << 12
# Ranges in which neighbors are listed. More ranges take less memory, but each range reads all
# faces again.
_NEIGHBOR_RANGES = 4
# Longest list that is sorted by insertion.
_MOST_INSERTED = 32


class EdgeCounts(NamedTuple):
    """The counts of edges and duplicate faces in a ``Diagnosis``, under the same names."""

    open_edges: int
    odd_edges: int
    nonmanifold_edges: int
    misoriented_edges: int
    duplicate_faces: int


def count_edges(faces: Ints, num_vertices: int, *, ranges: int | None = None) -> EdgeCounts:
    """Count edges by the number of their faces; faces with two equal corners are left out.

    Takes 12 bytes for each face and 8 bytes for each vertex.

    Parameters
    ----------
    faces : (f, 3) int32 or int64 indices in [0, num_vertices).
    ranges : number of vertex ranges that run in parallel; by default one for each thread.

    Raises
    ------
    MeshError
        There are more than ``MOST_VERTICES`` vertices.
    """
    _check_count(num_vertices, "vertices")
    bounds = _equal_work(faces, num_vertices, num_threads() if ranges is None else ranges)
    counts = parallel_map(_count_range, [(faces, *span) for span in itertools.pairwise(bounds)])
    return EdgeCounts(*np.sum(counts, axis=0, dtype=int).tolist())


def neighbor_pairs(faces: Ints, num_vertices: int) -> Iterator[npt.NDArray[np.int64]]:
    """Pairs of faces that share an edge which no third face has, one array per vertex range.

    Faces with two equal corners have no neighbors. Takes 6 bytes for each face and 2 bytes for
    each vertex. Arguments and errors are those of ``count_edges``.

    Yields
    ------
    (pairs,) ``face << 32 | other << 1 | same``, where ``same`` is 1 if both faces run along the
        edge in the same direction, and 0 if they agree about outside.
    """
    _check_count(num_vertices, "vertices")
    _check_count(len(faces), "faces")
    bounds = _equal_work(faces, num_vertices, _NEIGHBOR_RANGES)
    for first, stop in itertools.pairwise(bounds):
        pair_at, end_at = _new_offsets(faces, first, stop)
        _offsets(faces, first, stop, pair_at, end_at)
        at = end_at
        at += 2 * pair_at
        sides = np.empty(at[-1], dtype=np.int64)
        _fill_with_sides(faces, first, stop, at, sides)
        yield sides[: _pair_sides(at, sides)]


def _check_count(count: int, what: str) -> None:
    if count > MOST_VERTICES:
        raise MeshError(
            f"{what} must number at most {MOST_VERTICES:,} to be examined, got {count:,}; "
            "split the mesh"
        )


def _new_offsets(faces: Ints, first: int, stop: int) -> npt.NDArray[np.integer]:
    dtype = np.int32 if 3 * len(faces) < 1 << 31 else np.int64
    return np.zeros((2, stop - first + 2), dtype=dtype)


def _equal_work(faces: Ints, num_vertices: int, ranges: int) -> list[int]:
    """Bounds of vertex ranges that take equal work: the start of each, and the last one's end."""
    shift = max(0, (num_vertices // _MOST_BINS).bit_length())
    # A vertex takes about as much work as an edge.
    work = np.cumsum(_edges_per_bin(faces, shift, (num_vertices >> shift) + 1) + (1 << shift))
    inner = np.searchsorted(work, work[-1] * np.arange(1, ranges) / ranges) << shift
    return [0, *np.minimum(inner, num_vertices).tolist(), num_vertices]


def _count_range(faces: Ints, first: int, stop: int) -> tuple[int, int, int, int, int]:
    """``EdgeCounts`` of the edges whose smaller vertex lies in [first, stop)."""
    # NumPy allocates, not the compiled code: it requests huge pages, which are faster to touch.
    pair_at, end_at = _new_offsets(faces, first, stop)
    longest = _offsets(faces, first, stop, pair_at, end_at)
    pairs = np.empty(pair_at[-1], dtype=np.int64)
    ends = np.empty(end_at[-1], dtype=np.uint32)
    _fill_buckets(faces, first, stop, pair_at, end_at, pairs, ends)
    counts: tuple[int, int, int, int, int]
    counts = _count_buckets(pair_at, end_at, pairs, ends, np.empty(longest, dtype=np.int64))
    return counts


@njit(nogil=True, cache=True)
def _ascending(faces: Ints, k: int) -> tuple[np.int64, np.int64, np.int64, np.int64]:
    """Corners of a face in ascending order, and 1 if it runs low, middle, high, else 0."""
    a, b, c = np.int64(faces[k, 0]), np.int64(faces[k, 1]), np.int64(faces[k, 2])
    low, high = min(a, b), max(a, b)
    rising = (a < b) + (b < c) + (c < a) == 2
    return min(low, c), max(low, min(high, c)), max(high, c), np.int64(rising)


@njit(nogil=True, cache=True)
def _edges_per_bin(faces: Ints, shift: int, bins: int) -> npt.NDArray[np.int64]:
    """Number of edges whose smaller vertex lies in each bin of ``1 << shift`` vertices."""
    edges = np.zeros(bins, np.int64)
    for k in range(len(faces)):
        low, middle, _, _ = _ascending(faces, k)
        edges[low >> shift] += 2
        edges[middle >> shift] += 1
    return edges


@njit(nogil=True, cache=True)
def _offsets(faces: Ints, first: int, stop: int, pair_at: Ints, end_at: Ints) -> int:
    """Set the start of each bucket, shifted by one entry, which ``_fill_buckets`` shifts back.

    Returns the number of edges in the longest bucket.
    """
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
def _fill_buckets(
    faces: Ints, first: int, stop: int, pair_at: Ints, end_at: Ints, pairs: Ints, ends: Ints
) -> None:
    """Fill the buckets: (middle, high, rising) of each face, (high, rising) of each third edge.

    Afterwards bucket v is ``pairs[pair_at[v] : pair_at[v + 1]]``, and likewise of ``ends``.
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
    """``EdgeCounts`` of all buckets; ``bucket`` is scratch space for the longest one."""
    opened, odd, nonmanifold, misoriented, duplicates = 0, 0, 0, 0, 0
    for v in range(len(pair_at) - 2):
        _sort(pairs, pair_at[v], pair_at[v + 1])
        size = 0
        previous = np.int64(-1)
        for k in range(pair_at[v], pair_at[v + 1]):
            corners, rising = pairs[k] >> 1, pairs[k] & 1
            duplicates += corners == previous
            previous = corners
            # A rising face runs from low to middle, and from high to low.
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
            nonmanifold += k - begin > 2
            misoriented += k - begin == 2 and upward != 1
    return opened, odd, nonmanifold, misoriented, duplicates


@njit(nogil=True, cache=True)
def _fill_with_sides(faces: Ints, first: int, stop: int, at: Ints, sides: Ints) -> None:
    """Fill the buckets ``sides[at[v] : at[v + 1]]`` with (larger vertex, face, direction)."""
    for k in range(len(faces)):
        low, middle, high, rising = _ascending(faces, k)
        if first <= middle and low < stop and low < middle and middle < high:
            if low >= first:
                entry = at[low - first + 1]
                sides[entry] = middle << 32 | k << 1 | rising
                sides[entry + 1] = high << 32 | k << 1 | 1 - rising
                at[low - first + 1] += 2
            if middle < stop:
                sides[at[middle - first + 1]] = high << 32 | k << 1 | rising
                at[middle - first + 1] += 1


@njit(nogil=True, cache=True)
def _pair_sides(at: Ints, sides: Ints) -> int:
    """Overwrite the sides with pairs of faces, which are fewer; returns the number of pairs."""
    pairs = 0
    for v in range(len(at) - 2):
        _sort(sides, at[v], at[v + 1])
        k, stop = np.int64(at[v]), np.int64(at[v + 1])
        while k < stop:
            begin, other = k, sides[k] >> 32
            while k < stop and sides[k] >> 32 == other:
                k += 1
            if k - begin == 2:
                side, other_side = sides[begin] & 0xFFFFFFFF, sides[begin + 1] & 0xFFFFFFFF
                same = 1 - ((side ^ other_side) & 1)
                sides[pairs] = side >> 1 << 32 | other_side >> 1 << 1 | same
                pairs += 1
    return pairs


@njit(nogil=True, cache=True)
def _sort(values: Ints, begin: int, end: int) -> None:
    """Sort ``values[begin:end]`` in place: by insertion if it is short, else by heap sort.

    Heap sort has no bad case, unlike quicksort.
    """
    if end - begin <= _MOST_INSERTED:
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
    """Let the value at ``root`` sink until neither of its children in the heap is larger."""
    value, child = values[begin + root], 2 * root + 1
    while child < size:
        if child + 1 < size and values[begin + child] < values[begin + child + 1]:
            child += 1
        if values[begin + child] <= value:
            break
        values[begin + root] = values[begin + child]
        root, child = child, 2 * child + 1
    values[begin + root] = value
