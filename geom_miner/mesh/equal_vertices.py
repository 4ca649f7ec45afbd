"""Find vertices that have the position of an earlier vertex, by hashing.

A counting sort first puts the vertices into buckets by some bits of their hashes. Equal positions
have equal hashes, so they share a bucket. The open-addressing hash table of one bucket fits into
a core's cache, and buckets are independent of each other.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.parallel import num_threads, parallel_map

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Bits = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.integer]

# An entry holds a vertex's index plus one in its low bits and bits of the hash above them. 0 marks
# a free slot of a hash table.
_INDEX_BITS = np.uint64(40)
_INDEX_MASK = np.uint64((1 << 40) - 1)
# Average vertices in a bucket, and the most buckets.
_VERTICES_PER_BUCKET = 1 << 15
_MOST_BUCKETS = 1 << 12


def distances_to_first(vertices: npt.NDArray[np.float64]) -> Ints:
    """For every vertex, its index minus that of the first vertex of the same position.

    Positions are compared bit by bit, except that -0.0 equals 0.0. Takes 8 bytes for each vertex.
    The result takes memory only where it is not 0.

    Parameters
    ----------
    vertices : (v, 3) finite.

    Returns
    -------
    (v,) int32, or int64 where int32 is too small; 0 for the first vertex of each position.
    """
    bits = vertices.view(np.uint64)
    count, threads = len(bits), num_threads()
    buckets = min(_MOST_BUCKETS, 1 + count // _VERTICES_PER_BUCKET)
    cuts = [count * thread // threads for thread in range(threads + 1)]
    slabs = list(itertools.pairwise(cuts))
    sizes = np.stack(parallel_map(_bucket_sizes, [(bits, *slab, buckets) for slab in slabs]))
    # Buckets follow each other, and within a bucket the slabs: so its indices ascend.
    stops = np.cumsum(sizes.T).reshape(buckets, threads).T
    entries = np.empty(count, dtype=np.uint64)
    starts = np.ascontiguousarray(stops - sizes)
    parallel_map(
        _fill_buckets,
        [(bits, *slab, entries, cursor) for slab, cursor in zip(slabs, starts, strict=True)],
    )
    dtype = np.int32 if count < 1 << 31 else np.int64
    distances: Ints = np.zeros(count, dtype=dtype)
    ends = np.concatenate([[0], stops[-1]])
    capacity = 1 << (2 * int(np.diff(ends).max())).bit_length()

    def search(thread: int) -> None:
        table = np.empty(capacity, dtype=np.uint64)
        for bucket in range(thread, buckets, threads):
            _find_earlier(bits, entries[ends[bucket] : ends[bucket + 1]], table, distances)

    parallel_map(search, [(thread,) for thread in range(threads)])
    return distances


@njit(nogil=True, cache=True)
def renumber(distances: Ints) -> None:
    """Replace the distances in place by indices into the vertices that are first of a position."""
    firsts = 0
    for k in range(len(distances)):
        if distances[k]:
            distances[k] = distances[k - distances[k]]
        else:
            distances[k] = firsts
            firsts += 1


@njit(nogil=True, cache=True)
def _hash(bits: Bits, k: int) -> np.uint64:
    """64 well mixed bits of a position, by the finalizer of MurmurHash3."""
    mixed = np.uint64(0)
    for axis in range(3):
        value = bits[k, axis]
        if value != np.uint64(0x8000000000000000):  # -0.0 counts as 0.0, whose bits are 0
            mixed ^= value
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return mixed ^ (mixed >> np.uint64(33))


@njit(nogil=True, cache=True)
def _bucket_of(mixed: np.uint64, buckets: int) -> np.uint64:
    return ((mixed >> np.uint64(32)) * np.uint64(buckets)) >> np.uint64(32)


@njit(nogil=True, cache=True)
def _bucket_sizes(bits: Bits, start: int, stop: int, buckets: int) -> npt.NDArray[np.int64]:
    sizes = np.zeros(buckets, np.int64)
    for k in range(start, stop):
        sizes[_bucket_of(_hash(bits, k), buckets)] += 1
    return sizes


@njit(nogil=True, cache=True)
def _fill_buckets(bits: Bits, start: int, stop: int, entries: Bits, cursor: Ints) -> None:
    """Write the entry of each vertex to the next position of its bucket, given by ``cursor``."""
    for k in range(start, stop):
        mixed = _hash(bits, k)
        bucket = _bucket_of(mixed, len(cursor))
        entries[cursor[bucket]] = (mixed << _INDEX_BITS) | np.uint64(k + 1)
        cursor[bucket] += 1


@njit(nogil=True, cache=True)
def _equal_positions(bits: Bits, a: np.int64, b: np.int64) -> bool:
    for axis in range(3):
        one, other = bits[a, axis], bits[b, axis]
        # The shift drops the sign, so that 0.0 and -0.0 are equal.
        if one != other and ((one | other) << np.uint64(1)) != np.uint64(0):
            return False
    return True


@njit(nogil=True, cache=True)
def _find_earlier(bits: Bits, entries: Bits, table: Bits, distances: Ints) -> None:
    """Look up each vertex of a bucket in a hash table of the vertices before it."""
    table[:] = np.uint64(0)
    mask = np.uint64(len(table) - 1)
    for entry in entries:
        k = np.int64(entry & _INDEX_MASK) - np.int64(1)
        slot = (entry >> _INDEX_BITS) & mask
        while table[slot] != np.uint64(0):
            if (table[slot] ^ entry) >> _INDEX_BITS == np.uint64(0):
                earlier = np.int64(table[slot] & _INDEX_MASK) - np.int64(1)
                if _equal_positions(bits, earlier, k):
                    distances[k] = k - earlier
                    break
            slot = (slot + np.uint64(1)) & mask
        else:
            table[slot] = entry
