"""Turn the crossings of a slab of columns into spans of inside, and spans into samples of blocks.

Parity alone ignores which way the surface faces. Two overlapping closed solids therefore come out
hollow where they overlap, although every column has an even number of crossings. Directions avoid
this: count each crossing below a sample as +1 if the ray enters the surface there and as -1 if it
leaves. The sum is the sample's winding number, an integer for every closed, consistently oriented
surface, and the sample is inside iff it is not 0. The sign of the sum does not matter, so a mesh
whose faces point inwards has the same inside. A cavity (a closed inner shell that faces inwards,
1 - 1) stays hollow, and a nested shell that faces outwards (1 + 1) is solid.

At holes and flipped faces the directions of a column do not balance, and the sums from below and
from above differ. A sample is then inside if its parity is odd or if both sums are not 0. In a
balanced column both sums are equal, and odd parity implies that they are not 0, so one rule holds
for all columns:

    inside iff parity is odd, or the sums from below and from above are both not 0.

In a column with an odd number of crossings the last one does not count for parity, so that a hole
never fills the rest of a column.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.voxelize.crossings import Ints

EMPTY, FULL, MIXED = 0, 1, 2

Bytes = npt.NDArray[np.uint8]


@njit(cache=True, nogil=True)
def find_spans(
    offsets: Ints, crossings: Ints, depths: int, directed: bool
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """Turn the crossings of each column, in place, into the ends of its spans of inside.

    Parameters
    ----------
    offsets, crossings : returned by ``cross_slab``.
    depths : samples in a column.
    directed : False to use parity alone.

    Returns
    -------
    ends : the array ``crossings``. Column c now holds, from ``offsets[c]`` on, the first sample of
        each span and the sample behind its last one, alternating.
    ends_of : (columns,) int64, number of ends in each column; even.
    totals : (4,) int64: columns with crossings, columns with an odd number of crossings,
        crossings, and samples that are inside by directions although their parity is even.
    unbalanced : (columns,) bool, columns that enter and leave the surface unequally often.
    """
    columns = len(offsets) - 1
    ends_of = np.zeros(columns, dtype=np.int64)
    unbalanced = np.zeros(columns, dtype=np.bool_)
    totals = np.zeros(4, dtype=np.int64)
    for column in range(columns):
        start, stop = offsets[column], offsets[column + 1]
        if start == stop:
            continue
        size = stop - start
        net = 0
        for k in range(start, stop):
            net += 1 - 2 * (crossings[k] & 1)
        unbalanced[column] = directed and net != 0
        totals[0] += 1
        totals[1] += size & 1
        totals[2] += size
        below = written = 0
        was_inside = False
        for k in range(size):
            sample = crossings[start + k] >> 1
            below += 1 - 2 * (crossings[start + k] & 1)
            by_parity = k % 2 == 0 and k < size - size % 2
            inside = by_parity or (directed and below != 0 and below != net)
            if inside and not by_parity:
                following = crossings[start + k + 1] >> 1 if k + 1 < size else depths
                totals[3] += following - sample
            if inside != was_inside:
                # There are never more ends than crossings read, so only read ones are overwritten.
                crossings[start + written] = sample
                written += 1
                was_inside = inside
        ends_of[column] = written
    return crossings, ends_of, totals, unbalanced


@njit(cache=True, nogil=True)
def block_states(
    offsets: Ints,
    ends: Ints,
    ends_of: Ints,
    sizes: tuple[int, int, int],
    blocks: tuple[int, int],
    edges: tuple[int, int, int],
) -> Bytes:
    """EMPTY, FULL or MIXED for each block of a slab, (*blocks).

    Parameters
    ----------
    sizes : samples of the slab, (rows, lines, depths).
    blocks : blocks along lines and depths.
    edges : samples along the edges of a block, (row, line, depth).
    """
    rows, lines, depths = sizes
    states = np.empty(blocks, dtype=np.uint8)
    for block_line in range(blocks[0]):
        first_line, stop_line = block_line * edges[1], min((block_line + 1) * edges[1], lines)
        # Inside samples per block. The two blocks at the ends of a span are counted one by one, the
        # blocks between them by a difference array, so the cost grows with the number of
        # crossings, not of samples.
        partial = np.zeros(blocks[1], dtype=np.int64)
        covered = np.zeros(blocks[1] + 1, dtype=np.int64)
        for row in range(rows):
            for line in range(first_line, stop_line):
                column = row * lines + line
                start = offsets[column]
                for k in range(start, start + ends_of[column], 2):
                    low, high = ends[k], ends[k + 1]
                    if low == high:
                        continue
                    block0, block1 = low // edges[2], (high - 1) // edges[2]
                    if block0 == block1:
                        partial[block0] += high - low
                    else:
                        partial[block0] += (block0 + 1) * edges[2] - low
                        partial[block1] += high - block1 * edges[2]
                        covered[block0 + 1] += 1
                        covered[block1] -= 1
        running = 0
        for block in range(blocks[1]):
            running += covered[block]
            inside = partial[block] + running * edges[2]
            whole = rows * (stop_line - first_line) * (min((block + 1) * edges[2], depths))
            whole -= rows * (stop_line - first_line) * block * edges[2]
            if inside == 0:
                states[block_line, block] = EMPTY
            else:
                states[block_line, block] = FULL if inside == whole else MIXED
    return states


@njit(cache=True, nogil=True)
def fill_blocks(
    offsets: Ints,
    ends: Ints,
    ends_of: Ints,
    sizes: tuple[int, int, int],
    slots: Ints,
    num_slots: int,
    block_size: int,
    divisions: tuple[int, int, int],
    strides: tuple[int, int, int],
) -> Bytes:
    """Count the inside subsamples of each sample, in the blocks that have a slot.

    Parameters
    ----------
    sizes : subsamples of the slab along (row, line, depth).
    slots : (blocks along lines, along depths), the block's row in the result, or -1.
    block_size : samples along an edge of a block.
    divisions : subsamples of a sample along (row, line, depth).
    strides : of (row, line, depth) within a row of the result.

    Returns
    -------
    (num_slots, block_size**3) uint8. Samples beyond the end of the slab repeat its last sample.
    """
    rows, lines, depths = sizes
    values = np.zeros((num_slots, block_size**3), dtype=np.uint8)
    edge = block_size * divisions[2]
    for row in range(rows):
        for line in range(lines):
            column = row * lines + line
            start, inner_line = offsets[column], line // divisions[1]
            block_line = inner_line // block_size
            inner = row // divisions[0] * strides[0] + inner_line % block_size * strides[1]
            for k in range(start, start + ends_of[column], 2):
                low, high = ends[k], ends[k + 1]
                if low == high:
                    continue
                for block in range(low // edge, (high - 1) // edge + 1):
                    slot = slots[block_line, block]
                    if slot < 0:
                        continue
                    first, stop = max(low - block * edge, 0), min(high - block * edge, edge)
                    # All subsamples of a sample at once; the first and last sample may be partial.
                    for sample in range(first // divisions[2], (stop - 1) // divisions[2] + 1):
                        end = min(stop, (sample + 1) * divisions[2])
                        count = end - max(first, sample * divisions[2])
                        values[slot, inner + sample * strides[2]] += count
    for block_line in range(slots.shape[0]):
        for block in range(slots.shape[1]):
            slot = slots[block_line, block]
            if slot >= 0:
                kept = (
                    rows // divisions[0],
                    min(lines // divisions[1] - block_line * block_size, block_size),
                    min(depths // divisions[2] - block * block_size, block_size),
                )
                _repeat_last(values[slot], kept, block_size, strides)
    return values


@njit(cache=True, nogil=True)
def _repeat_last(
    values: Bytes, kept: tuple[int, int, int], block_size: int, strides: tuple[int, int, int]
) -> None:
    """Repeat the last of the first ``kept`` samples along each axis up to the end of the block."""
    if min(kept) == block_size:
        return
    for i in range(block_size):
        for j in range(block_size):
            for k in range(block_size):
                source = (
                    min(i, kept[0] - 1) * strides[0]
                    + min(j, kept[1] - 1) * strides[1]
                    + min(k, kept[2] - 1) * strides[2]
                )
                values[i * strides[0] + j * strides[1] + k * strides[2]] = values[source]
