"""Marching cubes on groups of cells, each group by itself, in parallel.

A group covers one block's worth of cells, b per axis, and reads b + 1 samples per axis. It owns
the lattice edges whose lower sample is among its first b: three per sample, one along each axis.
A *row* is all edges of one axis whose lower samples differ in z only. Rows are numbered by their
position in the lattice, so vertices follow each other as the edges do, whatever the blocks are.

``rows[g, i, kind, j]`` belongs to group g and the row of lower samples (i, j, ·) in it; kind is
2 - axis. It holds the number of crossed edges, and after ``number_rows`` the index of the first
one's vertex. A sweep along z finds the others by counting on, which is all that welding takes:
a cell at the end of its group asks the neighbor's rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, parallel_chunksize, prange

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Vertices keep this distance, in voxels, from the ends of their lattice edge, so that vertices of
# different edges never coincide, not even as float32 at 4096 samples per axis.
CLEARANCE = 1e-3
# Groups that a thread takes at once.
_SHARE = 4


class Samples(NamedTuple):
    """A scalar signal on sparse blocks, as compiled code reads it."""

    values: npt.NDArray[np.float32]  # (varying block, sample)
    slots: npt.NDArray[np.int32]  # (*counts) row in values, -1 for constant blocks
    constants: npt.NDArray[np.float32]  # (*counts)
    block_shape: Ints  # (3,)
    shape: Ints  # (3,) samples beyond it are outside
    level: float


class Groups(NamedTuple):
    """Groups of cells: group q covers those from sample q b - 1 to sample q b + b - 1."""

    coordinates: Ints  # (g, 3) in row-major order
    slots: npt.NDArray[np.int32]  # (*counts + 2) number of each group, -1 for those left out


def count_crossings(
    samples: Samples, coordinates: Ints, table_starts: Ints, rows: Ints, faces: Ints
) -> None:
    """Count the crossed edges of every row and the faces of the groups at ``coordinates``."""
    with parallel_chunksize(_SHARE):
        _count(samples, coordinates, np.diff(table_starts), rows, faces)


def place_vertices(samples: Samples, groups: Groups, part: slice, rows: Ints, out: Floats) -> None:
    """Put the vertices of the whole slab ``part`` into ``out`` (v, 3), in samples of the grid."""
    with parallel_chunksize(_SHARE):
        _place(samples, groups, part.start, part.stop, rows, out)


def join_faces(
    samples: Samples,
    groups: Groups,
    part: slice,
    table: tuple[Ints, Ints],
    rows: Ints,
    first_faces: Ints,
    out: Ints,
) -> None:
    """Put the faces of the groups in ``part`` into ``out`` (f, 3), group after group."""
    with parallel_chunksize(_SHARE):
        _join(samples, groups, part.start, part.stop, *table, rows, first_faces, out)


@njit(nogil=True, cache=True)
def number_rows(coordinates: Ints, rows: Ints) -> int:
    """Replace counts of vertices by the index of the first, in lattice order; their total."""
    total = 0
    first = 0
    while first < len(coordinates):
        stop = _end_of_run(coordinates, first, len(coordinates), 0)
        for i in range(rows.shape[1]):
            # At one x come the edges along z and y, half a sample further those along x.
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
            for kind in range(low, high):
                for g in range(first, end):
                    count = rows[g, i, kind, j]
                    rows[g, i, kind, j] = total
                    total += count
        first = end
    return total


@njit(nogil=True, cache=True)
def _end_of_run(coordinates: Ints, first: int, stop: int, axis: int) -> int:
    """Where the groups end that share the coordinate of ``first`` on an axis."""
    end = first
    while end < stop and coordinates[end, axis] == coordinates[first, axis]:
        end += 1
    return end


@njit(nogil=True, cache=True)
def _read_box(samples: Samples, group: Ints) -> Floats:
    """The samples that a group needs, those beyond the true shape replaced by outside ones."""
    size_x, size_y, size_z = samples.block_shape[0], samples.block_shape[1], samples.block_shape[2]
    # Half below the level: a full last sample then puts the surface on its cell's face.
    box = np.full((size_x + 1, size_y + 1, size_z + 1), samples.level - 0.5)
    for i in range(size_x + 1):
        x = group[0] * size_x + i - 1
        if not 0 <= x < samples.shape[0]:
            continue
        for j in range(size_y + 1):
            y = group[1] * size_y + j - 1
            if not 0 <= y < samples.shape[1]:
                continue
            inner = (x % size_x * size_y + y % size_y) * size_z
            # The first sample along z is the last of the block below.
            for own in range(2):
                block = group[2] - 1 + own
                stop = min(samples.shape[2] - block * size_z, size_z)
                if block < 0 or stop <= 0:
                    continue
                slot = samples.slots[x // size_x, y // size_y, block]
                constant = samples.constants[x // size_x, y // size_y, block]
                for k in range(0 if own else size_z - 1, stop):
                    value = samples.values[slot, inner + k] if slot >= 0 else constant
                    box[i, j, k + 1 if own else 0] = value
    return box


@njit(nogil=True, cache=True)
def _signs(box: Floats, i: int, j: int, k: int, level: float) -> int:
    """Signs of the four samples (i + di, j + dj, k), as bits 2 di + dj."""
    return (
        (box[i, j, k] >= level)
        | (box[i, j + 1, k] >= level) << 1
        | (box[i + 1, j, k] >= level) << 2
        | (box[i + 1, j + 1, k] >= level) << 3
    )


@njit(nogil=True, cache=True)
def _crossed_rows(box: Floats, level: float) -> npt.NDArray[np.bool_]:
    """Whether the cells (i, j, ·) have samples on both sides of the level."""
    some_inside = np.zeros(box.shape[:2], dtype=np.bool_)
    some_outside = np.zeros(box.shape[:2], dtype=np.bool_)
    for i in range(box.shape[0]):
        for j in range(box.shape[1]):
            inside = 0
            for k in range(box.shape[2]):
                inside += box[i, j, k] >= level
            some_inside[i, j], some_outside[i, j] = inside > 0, inside < box.shape[2]
    crossed = np.empty((box.shape[0] - 1, box.shape[1] - 1), dtype=np.bool_)
    for i in range(crossed.shape[0]):
        for j in range(crossed.shape[1]):
            four = slice(i, i + 2), slice(j, j + 2)
            crossed[i, j] = some_inside[four].any() and some_outside[four].any()
    return crossed


@njit(nogil=True, cache=True, parallel=True)
def _count(samples: Samples, coordinates: Ints, faces_of: Ints, rows: Ints, faces: Ints) -> None:
    for g in prange(len(coordinates)):
        box = _read_box(samples, coordinates[g])
        faces[g] = _count_group(box, samples.level, faces_of, rows[g])


@njit(nogil=True, cache=True)
def _count_group(box: Floats, level: float, faces_of: Ints, rows: Ints) -> int:
    faces = 0
    crossed = _crossed_rows(box, level)
    rows[:] = 0
    for i in range(box.shape[0] - 1):
        for j in range(box.shape[1] - 1):
            if not crossed[i, j]:
                continue
            along_x = along_y = along_z = 0
            low = _signs(box, i, j, 0, level)
            for k in range(box.shape[2] - 1):
                high = _signs(box, i, j, k + 1, level)
                along_z += (low ^ high) & 1
                along_y += (low ^ low >> 1) & 1
                along_x += (low ^ low >> 2) & 1
                faces += faces_of[low | high << 4]
                low = high
            rows[i, 0, j], rows[i, 1, j], rows[i, 2, j] = along_z, along_y, along_x
    return faces


@njit(nogil=True, cache=True, parallel=True)
def _place(
    samples: Samples, groups: Groups, start: int, stop: int, rows: Ints, out: Floats
) -> None:
    # The first row of a slab's first group is the first of the slab.
    base = rows[start, 0, 0, 0]
    for g in prange(start, stop):
        at = groups.coordinates[g]
        box = _read_box(samples, at)
        _place_group(box, samples.level, at * samples.block_shape - 1, rows[g], base, out)


@njit(nogil=True, cache=True)
def _place_group(
    box: Floats, level: float, corner: Ints, rows: Ints, base: int, out: Floats
) -> None:
    crossed = _crossed_rows(box, level)
    for i in range(box.shape[0] - 1):
        for j in range(box.shape[1] - 1):
            if not crossed[i, j]:
                continue
            for kind in range(3):
                vertex = rows[i, kind, j] - base
                di, dj, dk = kind == 2, kind == 1, kind == 0
                for k in range(box.shape[2] - 1):
                    below, beyond = box[i, j, k], box[i + di, j + dj, k + dk]
                    if (below >= level) != (beyond >= level):
                        out[vertex, 0] = corner[0] + i
                        out[vertex, 1] = corner[1] + j
                        out[vertex, 2] = corner[2] + k
                        # The whole part is exact before t is added, so every group rounds alike.
                        out[vertex, 2 - kind] += _crossing(below, beyond, level)
                        vertex += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _crossing(below: float, beyond: float, level: float) -> float:
    """Where between two samples the level lies; NaN goes through."""
    t = (level - below) / (beyond - below)
    if t < CLEARANCE:
        return CLEARANCE
    if t > 1.0 - CLEARANCE:
        return 1.0 - CLEARANCE
    return t


@njit(nogil=True, cache=True, parallel=True)
def _join(
    samples: Samples,
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
        box = _read_box(samples, groups.coordinates[g])
        crossed = _crossed_rows(box, samples.level)
        face = first_faces[g] - first_faces[start]
        cursor, above = np.empty(8, dtype=np.int64), np.empty(8, dtype=np.int64)
        vertices = np.zeros(12, dtype=np.int64)
        for i in range(crossed.shape[0]):
            for j in range(crossed.shape[1]):
                if crossed[i, j]:
                    _start_rows(groups, g, rows, i, j, cursor, above)
                    face = _join_row(
                        box, samples.level, i, j, cursor, above, vertices,
                        table_starts, table_corners, face, out,
                    )  # fmt: skip


@njit(nogil=True, cache=True)
def _start_rows(
    groups: Groups, g: int, rows: Ints, i: int, j: int, here: Ints, above: Ints
) -> None:
    """First vertices of the eight rows that the cells (i, j, ·) touch, here and above in z.

    Rows 0 to 3 are along z at (i + di, j + dj), row 2 di + dj; 4 and 5 along y at (i + di, j);
    6 and 7 along x at (i, j + dj).
    """
    for row in range(8):
        kind = max(row // 2 - 1, 0)
        di = row // 2 if row < 4 else (row - 4 if row < 6 else 0)
        dj = row % 2 if row < 4 else (0 if row < 6 else row - 6)
        i_in, j_in = (i + di) % rows.shape[1], (j + dj) % rows.shape[3]
        x = groups.coordinates[g, 0] + (i + di) // rows.shape[1]
        y = groups.coordinates[g, 1] + (j + dj) // rows.shape[3]
        z = groups.coordinates[g, 2]
        # A group that is left out has no crossed edge, so its rows are never asked.
        owner, next_owner = groups.slots[x, y, z], groups.slots[x, y, z + 1]
        here[row] = rows[owner, i_in, kind, j_in] if owner >= 0 else -1
        above[row] = rows[next_owner, i_in, kind, j_in] if next_owner >= 0 else -1


@njit(nogil=True, cache=True)
def _join_row(
    box: Floats,
    level: float,
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
    """Write the faces of the cells (i, j, ·) from face ``face`` on; the next face.

    ``vertices`` are those of a cell's edges, named as in cube_table.
    """
    last = box.shape[2] - 1
    low = _signs(box, i, j, 0, level)
    _enter_plane(low, cursor, vertices)
    for k in range(last):
        high = _signs(box, i, j, k + 1, level)
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
    """Move the far edges along y and x to the near end and number the ones of the next plane."""
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
