"""Which vertices have the position of an earlier one, by hashing.

Vertices are first dealt into lots by some bits of their hashes; equal positions have equal hashes
and so share a lot. A lot's open-addressing table fits into a core's cache, and lots are
independent of each other.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from numba import njit

from geom_miner.mesh.side_by_side import cores, side_by_side

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Bits = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.integer]

# An entry is a vertex's index plus one (0 is a free place in a table), and above it bits of hash.
_INDEX_BITS = np.uint64(40)
_INDEX = np.uint64((1 << 40) - 1)
_VERTICES_PER_LOT = 1 << 15
_MOST_LOTS = 1 << 12


def distances_to_first(vertices: npt.NDArray[np.float64]) -> Ints:
    """For every vertex, how far before it the first one of its position stands; 0 if it is that.

    Positions are compared bit by bit, but -0.0 equals 0.0. Takes 8 bytes for each vertex, and
    what is returned takes memory only where it is not 0.

    Parameters
    ----------
    vertices : (v, 3) finite.

    Returns
    -------
    (v,) int32, or int64 where that is too short.
    """
    bits = vertices.view(np.uint64)
    count, parts = len(bits), cores()
    lots = min(_MOST_LOTS, 1 + count // _VERTICES_PER_LOT)
    cuts = [count * part // parts for part in range(parts + 1)]
    slabs = list(itertools.pairwise(cuts))
    sizes = np.stack(side_by_side(_lot_sizes, [(bits, *slab, lots) for slab in slabs]))
    # Lot after lot, and in it slab after slab: indices ascend within a lot.
    stops = np.cumsum(sizes.T).reshape(lots, parts).T
    entries = np.empty(count, dtype=np.uint64)
    places = np.ascontiguousarray(stops - sizes)
    side_by_side(
        _deal, [(bits, *slab, entries, own) for slab, own in zip(slabs, places, strict=True)]
    )
    kind = np.int32 if count < 1 << 31 else np.int64
    distances: Ints = np.zeros(count, dtype=kind)
    ends = np.concatenate([[0], stops[-1]])
    capacity = 1 << (2 * int(np.diff(ends).max())).bit_length()

    def search(part: int) -> None:
        table = np.empty(capacity, dtype=np.uint64)
        for lot in range(part, lots, parts):
            _find_earlier(bits, entries[ends[lot] : ends[lot + 1]], table, distances)

    side_by_side(search, [(part,) for part in range(parts)])
    return distances


@njit(nogil=True, cache=True)
def renumber(distances: Ints) -> None:
    """Replace distances by each vertex's place among those that are first of their position."""
    firsts = 0
    for k in range(len(distances)):
        if distances[k]:
            distances[k] = distances[k - distances[k]]
        else:
            distances[k] = firsts
            firsts += 1


@njit(nogil=True, cache=True)
def _hash(bits: Bits, k: int) -> np.uint64:
    """64 well mixed bits, by the multiplications and folds of MurmurHash3's finalizer."""
    mixed = np.uint64(0)
    for axis in range(3):
        value = bits[k, axis]
        if value != np.uint64(0x8000000000000000):  # -0.0 counts as 0.0, whose bits are 0
            mixed ^= value
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return mixed ^ (mixed >> np.uint64(33))


@njit(nogil=True, cache=True)
def _lot(mixed: np.uint64, lots: int) -> np.uint64:
    return ((mixed >> np.uint64(32)) * np.uint64(lots)) >> np.uint64(32)


@njit(nogil=True, cache=True)
def _lot_sizes(bits: Bits, start: int, stop: int, lots: int) -> npt.NDArray[np.int64]:
    sizes = np.zeros(lots, np.int64)
    for k in range(start, stop):
        sizes[_lot(_hash(bits, k), lots)] += 1
    return sizes


@njit(nogil=True, cache=True)
def _deal(bits: Bits, start: int, stop: int, entries: Bits, places: Ints) -> None:
    """Write the entry of each vertex to its lot's next place."""
    for k in range(start, stop):
        mixed = _hash(bits, k)
        lot = _lot(mixed, len(places))
        entries[places[lot]] = (mixed << _INDEX_BITS) | np.uint64(k + 1)
        places[lot] += 1


@njit(nogil=True, cache=True)
def _same(bits: Bits, a: np.int64, b: np.int64) -> bool:
    for axis in range(3):
        one, other = bits[a, axis], bits[b, axis]
        # Without their signs, both zeros are 0.
        if one != other and ((one | other) << np.uint64(1)) != np.uint64(0):
            return False
    return True


@njit(nogil=True, cache=True)
def _find_earlier(bits: Bits, entries: Bits, table: Bits, distances: Ints) -> None:
    """Look each vertex of a lot up in a table of those before it."""
    table[:] = np.uint64(0)
    mask = np.uint64(len(table) - 1)
    for entry in entries:
        k = np.int64(entry & _INDEX) - np.int64(1)
        slot = (entry >> _INDEX_BITS) & mask
        while table[slot] != np.uint64(0):
            if (table[slot] ^ entry) >> _INDEX_BITS == np.uint64(0):
                earlier = np.int64(table[slot] & _INDEX) - np.int64(1)
                if _same(bits, earlier, k):
                    distances[k] = k - earlier
                    break
            slot = (slot + np.uint64(1)) & mask
        else:
            table[slot] = entry
