"""Connect the vertices of marching cubes to faces, one group of cells at a time.

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


def join_faces(
    samples: SampledBlocks,
    groups: Groups,
    slab: slice,
    table: tuple[Ints, Ints],
    rows: Ints,
    first_faces: Ints,
    out: Ints,
) -> None:
    """Write the faces of a slab of groups to ``out`` (f, 3), group after group.

    Parameters
    ----------
    table : the ``cube_table``.
    rows : first vertices, from ``number_rows``.
    first_faces : index of each group's first face.
    """
    with parallel_chunksize(GROUPS_PER_TASK):
        _join(samples, groups, slab.start, slab.stop, *table, rows, first_faces, out)


@njit(nogil=True, cache=True, parallel=True)
def _join(
    samples: SampledBlocks,
    groups: Groups,
    start: int,
    stop: int,
    table_starts: Ints,
    table_corners: Ints,
    rows: Ints,
    first_faces: Ints,
    out: Ints,
) -> None:
    for g in prange(start, stop):
        box = read_box(samples, groups.coordinates[g])
        crossed = crossed_rows(box, samples.iso_level)
        face = first_faces[g] - first_faces[start]
        cursor, above = np.empty(8, dtype=np.int64), np.empty(8, dtype=np.int64)
        vertices = np.zeros(12, dtype=np.int64)
        for i in range(crossed.shape[0]):
            for j in range(crossed.shape[1]):
                if crossed[i, j]:
                    _start_rows(groups, g, rows, i, j, cursor, above)
                    face = _join_row(
                        box,
                        samples.iso_level,
                        i,
                        j,
                        cursor,
                        above,
                        vertices,
                        table_starts,
                        table_corners,
                        face,
                        out,
                    )


@njit(nogil=True, cache=True)
def _start_rows(
    groups: Groups, g: int, rows: Ints, i: int, j: int, here: Ints, above: Ints
) -> None:
    """First vertices of the eight rows at the cells (i, j, ·), in this group and the one above.

    Row 2 di + dj, of 0 to 3, runs along z at (i + di, j + dj). Rows 4 and 5 are the edges along y
    at (i + di, j), rows 6 and 7 the edges along x at (i, j + dj).
    """
    for row in range(8):
        direction = max(row // 2 - 1, 0)
        di = row // 2 if row < 4 else (row - 4 if row < 6 else 0)
        dj = row % 2 if row < 4 else (0 if row < 6 else row - 6)
        i_in, j_in = (i + di) % rows.shape[1], (j + dj) % rows.shape[3]
        x = groups.coordinates[g, 0] + (i + di) // rows.shape[1]
        y = groups.coordinates[g, 1] + (j + dj) // rows.shape[3]
        z = groups.coordinates[g, 2]
        # An absent group has no crossed edge, so its vertices are never used.
        owner, next_owner = groups.slots[x, y, z], groups.slots[x, y, z + 1]
        here[row] = rows[owner, i_in, direction, j_in] if owner >= 0 else -1
        above[row] = rows[next_owner, i_in, direction, j_in] if next_owner >= 0 else -1


@njit(nogil=True, cache=True)
def _join_row(
    box: Floats,
    iso_level: float,
    i: int,
    j: int,
    cursor: Ints,
    above: Ints,
    vertices: Ints,
    table_starts: Ints,
    table_corners: Ints,
    face: int,
    out: Ints,
) -> int:
    """Write the faces of the cells (i, j, ·), starting at index ``face``; returns the next index.

    Parameters
    ----------
    cursor : next vertex of each row, see ``_start_rows``.
    above : the same of the group above.
    vertices : scratch space: the vertices of the current cell's edges, numbered as in
        ``cube_table``.
    """
    last = box.shape[2] - 1
    low = signs_at(box, i, j, 0, iso_level)
    _enter_plane(low, cursor, vertices)
    for k in range(last):
        high = signs_at(box, i, j, k + 1, iso_level)
        pattern = low | high << 4
        if pattern != 0 and pattern != 255:
            for column in range(4):
                if (low ^ high) >> column & 1:
                    vertices[column] = cursor[column]
                    cursor[column] += 1
            _enter_plane(high, cursor if k + 1 < last else above, vertices)
            for triangle in range(table_starts[pattern], table_starts[pattern + 1]):
                for corner in range(3):
                    out[face, corner] = vertices[table_corners[triangle, corner]]
                face += 1
        low = high
    return face


@njit(nogil=True, cache=True)
def _enter_plane(signs: int, cursor: Ints, vertices: Ints) -> None:
    """Move to the next plane of samples along z.

    The cell's far edges along y and x become its near edges, and the edges of the new plane get
    their vertices.
    """
    for side in range(2):
        along_y, along_x = 4 + 2 * side, 8 + 2 * side
        vertices[along_y] = vertices[along_y + 1]
        vertices[along_x] = vertices[along_x + 1]
        if (signs >> 2 * side ^ signs >> 2 * side + 1) & 1:
            vertices[along_y + 1] = cursor[4 + side]
            cursor[4 + side] += 1
        if (signs >> side ^ signs >> side + 2) & 1:
            vertices[along_x + 1] = cursor[6 + side]
            cursor[6 + side] += 1
