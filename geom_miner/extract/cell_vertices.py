"""Count, number and place the vertices of marching cubes, one group of cells at a time.

See ``cell_groups`` for groups and rows.
"""

from __future__ import annotations

import numpy as np
from numba import parallel_chunksize, prange

from geom_miner.compiled_cache import njit
from geom_miner.extract.cell_groups import (
    GROUPS_PER_TASK,
    Floats,
    Groups,
    Ints,
    SampledBlocks,
    crossed_rows,
    read_box,
    signs_at,
)

# Vertices keep this distance, in voxels, from the ends of their lattice edge, so that vertices of
# different edges never coincide, not even as float32 at 4096 samples per axis.
CLEARANCE = 1e-3


def count_crossings(
    samples: SampledBlocks, coordinates: Ints, table_starts: Ints, rows: Ints, faces: Ints
) -> None:
    """Count the crossed edges of every row, and the faces of every group, at ``coordinates``.

    Parameters
    ----------
    table_starts : of ``cube_table``.
    rows, faces : arrays that the counts are written to.
    """
    with parallel_chunksize(GROUPS_PER_TASK):
        _count(samples, coordinates, np.diff(table_starts), rows, faces)


def place_vertices(
    samples: SampledBlocks, groups: Groups, slab: slice, rows: Ints, out: Floats
) -> None:
    """Write the vertices of a whole slab of groups to ``out`` (v, 3), in sample units."""
    with parallel_chunksize(GROUPS_PER_TASK):
        _place(samples, groups, slab.start, slab.stop, rows, out)


@njit(nogil=True, cache=True)
def number_rows(coordinates: Ints, rows: Ints) -> int:
    """Replace each row's count by the index of its first vertex, in lattice order.

    Returns the number of all vertices.
    """
    total = 0
    first = 0
    while first < len(coordinates):
        stop = _end_of_run(coordinates, first, len(coordinates), 0)
        for i in range(rows.shape[1]):
            # Midpoints of edges along z and y are at this x, those along x half a sample further.
            total = _number_plane(coordinates, rows, first, stop, i, 0, 2, total)
            total = _number_plane(coordinates, rows, first, stop, i, 2, 3, total)
        first = stop
    return total


@njit(nogil=True, cache=True)
def _number_plane(
    coordinates: Ints, rows: Ints, first: int, stop: int, i: int, low: int, high: int, total: int
) -> int:
    while first < stop:
        end = _end_of_run(coordinates, first, stop, 1)
        for j in range(rows.shape[3]):
            for direction in range(low, high):
                for g in range(first, end):
                    count = rows[g, i, direction, j]
                    rows[g, i, direction, j] = total
                    total += count
        first = end
    return total


@njit(nogil=True, cache=True)
def _end_of_run(coordinates: Ints, first: int, stop: int, axis: int) -> int:
    """The end of the run of groups that share the coordinate of ``first`` on an axis."""
    end = first
    while end < stop and coordinates[end, axis] == coordinates[first, axis]:
        end += 1
    return end


@njit(nogil=True, cache=True, parallel=True)
def _count(
    samples: SampledBlocks, coordinates: Ints, faces_of: Ints, rows: Ints, faces: Ints
) -> None:
    for g in prange(len(coordinates)):
        box = read_box(samples, coordinates[g])
        faces[g] = _count_group(box, samples.iso_level, faces_of, rows[g])


@njit(nogil=True, cache=True)
def _count_group(box: Floats, iso_level: float, faces_of: Ints, rows: Ints) -> int:
    faces = 0
    crossed = crossed_rows(box, iso_level)
    rows[:] = 0
    for i in range(box.shape[0] - 1):
        for j in range(box.shape[1] - 1):
            if not crossed[i, j]:
                continue
            along_x = along_y = along_z = 0
            low = signs_at(box, i, j, 0, iso_level)
            for k in range(box.shape[2] - 1):
                high = signs_at(box, i, j, k + 1, iso_level)
                along_z += (low ^ high) & 1
                along_y += (low ^ low >> 1) & 1
                along_x += (low ^ low >> 2) & 1
                faces += faces_of[low | high << 4]
                low = high
            rows[i, 0, j], rows[i, 1, j], rows[i, 2, j] = along_z, along_y, along_x
    return faces


@njit(nogil=True, cache=True, parallel=True)
def _place(
    samples: SampledBlocks, groups: Groups, start: int, stop: int, rows: Ints, out: Floats
) -> None:
    # The slab's first vertex belongs to the first row of its first group.
    base = rows[start, 0, 0, 0]
    for g in prange(start, stop):
        at = groups.coordinates[g]
        box = read_box(samples, at)
        _place_group(box, samples.iso_level, at * samples.block_shape - 1, rows[g], base, out)


@njit(nogil=True, cache=True)
def _place_group(
    box: Floats, iso_level: float, corner: Ints, rows: Ints, base: int, out: Floats
) -> None:
    crossed = crossed_rows(box, iso_level)
    for i in range(box.shape[0] - 1):
        for j in range(box.shape[1] - 1):
            if not crossed[i, j]:
                continue
            for direction in range(3):
                vertex = rows[i, direction, j] - base
                di, dj, dk = direction == 2, direction == 1, direction == 0
                for k in range(box.shape[2] - 1):
                    below, beyond = box[i, j, k], box[i + di, j + dj, k + dk]
                    if (below >= iso_level) != (beyond >= iso_level):
                        out[vertex, 0] = corner[0] + i
                        out[vertex, 1] = corner[1] + j
                        out[vertex, 2] = corner[2] + k
                        # The integer part is exact before the fraction is added, so that every
                        # group rounds alike.
                        out[vertex, 2 - direction] += _crossing(below, beyond, iso_level)
                        vertex += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _crossing(below: float, beyond: float, iso_level: float) -> float:
    """Position of the iso level between two samples, in (0, 1); NaN stays NaN."""
    t = (iso_level - below) / (beyond - below)
    if t < CLEARANCE:
        return CLEARANCE
    if t > 1.0 - CLEARANCE:
        return 1.0 - CLEARANCE
    return t
