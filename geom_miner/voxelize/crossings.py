"""Find where a surface crosses the columns of a lattice, exactly, one slab of rows at a time.

One ray runs through every column of samples along one axis, the ``depth``. In the plane of the
other two axes, ``row`` and ``line``, the ray is a point; a triangle is crossed iff an odd number
of its three projected edges are crossed by the half-line that leaves this point towards larger
``line``.

Why parity is exact
-------------------
Whether the half-line crosses an edge is a function of the edge's two end points and the point
alone: the edge is active iff ``lower.row <= row < upper.row`` (half-open, so a vertex on the
half-line counts once), its ``line`` there is interpolated from the lower to the upper end,
whichever triangle asks, and it is crossed iff that exceeds the point's. So all triangles at an
edge get the same bit, even where their vertices are equal but not merged. The crossings of a
column are, modulo 2, the sum of these bits over all edges of all triangles; in a closed mesh every
edge occurs an even number of times, so the sum is even. Nothing in this argument asks the bit to
be right: rounding can move a crossing to the neighboring column, never lose one of a pair. No
jitter is needed, and rays through edges and vertices are no special case.

The depth of a crossing is interpolated on the cut of the triangle with the plane of the row, and
clamped to it, which stays sound for slivers and for triangles seen edge on.

All positions are in units of the lattice, (row, line, depth): sample i of an axis sits at i. A
crossing is a number: twice the index of the first sample strictly above it, plus 1 if the ray
leaves the surface there, by the orientation of its faces.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

# Crossings for which a slab first has room; the room is doubled as needed.
_FIRST_CAPACITY = 1 << 12


@njit(cache=True, nogil=True)
def _clamped_ceil(value: float, limit: int) -> int:
    """Number of samples of 0 ... limit - 1 that lie strictly below ``value``."""
    if value <= 0.0:
        return 0
    if value > limit - 1.0:
        return limit
    return int(np.ceil(value))


@njit(cache=True, nogil=True)
def _rows_of(vertices: Floats, faces: Ints, f: int, rows: int) -> tuple[int, int]:
    """Rows [first, stop) that a face may cross."""
    a, b, c = vertices[faces[f, 0], 0], vertices[faces[f, 1], 0], vertices[faces[f, 2], 0]
    return _clamped_ceil(min(a, b, c), rows), _clamped_ceil(max(a, b, c), rows)


@njit(cache=True, nogil=True)
def bin_faces(vertices: Floats, faces: Ints, rows: int, slab_rows: int) -> tuple[Ints, Ints]:
    """List the faces that reach each slab of rows (counting sort).

    Returns
    -------
    starts : (slabs + 1,) int64
    members : int32, faces of slab s at ``members[starts[s]:starts[s + 1]]``, in their order.
    """
    slabs = -(-rows // slab_rows)
    starts = np.zeros(slabs + 1, dtype=np.int64)
    for f in range(len(faces)):
        first, stop = _rows_of(vertices, faces, f, rows)
        if first < stop:
            for slab in range(first // slab_rows, (stop - 1) // slab_rows + 1):
                starts[slab + 1] += 1
    for slab in range(slabs):
        starts[slab + 1] += starts[slab]
    members = np.empty(starts[slabs], dtype=np.int32)
    cursor = starts.copy()
    for f in range(len(faces)):
        first, stop = _rows_of(vertices, faces, f, rows)
        if first < stop:
            for slab in range(first // slab_rows, (stop - 1) // slab_rows + 1):
                members[cursor[slab]] = f
                cursor[slab] += 1
    return starts, members


@njit(cache=True, nogil=True)
def _cut_edge(vertices: Floats, a: int, b: int, row: float) -> tuple[bool, float, float]:
    """Whether the edge is active in a row, and (line, depth) of its cut with it.

    The result depends only on the two end points, in either order, and on the row. The proof
    rests on this.
    """
    if (vertices[a, 0] <= row) == (vertices[b, 0] <= row):
        return False, 0.0, 0.0
    if vertices[b, 0] < vertices[a, 0]:
        a, b = b, a
    rise, height = row - vertices[a, 0], vertices[b, 0] - vertices[a, 0]
    line0, line1 = vertices[a, 1], vertices[b, 1]
    depth0, depth1 = vertices[a, 2], vertices[b, 2]
    # Product before quotient: exact wherever coordinates are short binary fractions and the
    # cut lies on a sample, so that ties are decided as stated and not by rounding.
    line = line0 + rise * (line1 - line0) / height
    depth = depth0 + rise * (depth1 - depth0) / height
    line = min(max(line, min(line0, line1)), max(line0, line1))
    depth = min(max(depth, min(depth0, depth1)), max(depth0, depth1))
    return True, line, depth


@njit(cache=True, nogil=True)
def _cut_face(
    vertices: Floats, faces: Ints, f: int, row: float
) -> tuple[float, float, float, float]:
    """Both ends of the cut of a face with a row, smaller ``line`` first.

    Either two of the three edges are active or none is, because the half-open spans of the edges
    form a closed loop. If none is active the cut is empty.
    """
    line0 = depth0 = line1 = depth1 = 0.0
    active_edges = 0
    for corner in range(3):
        active, line, depth = _cut_edge(vertices, faces[f, corner], faces[f, (corner + 1) % 3], row)
        if active:
            if active_edges == 0:
                line0, depth0 = line, depth
            else:
                line1, depth1 = line, depth
            active_edges += 1
    if line1 < line0:
        return line1, depth1, line0, depth0
    return line0, depth0, line1, depth1


@njit(cache=True, nogil=True)
def _leaves(vertices: Floats, faces: Ints, f: int, handedness: int) -> int:
    """1 if a ray towards larger depth leaves the surface through a face, by its orientation.

    A face seen edge on is crossed only by rounding, and then counts as entered.
    """
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    row_b, line_b = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
    row_c, line_c = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1]
    first, second = row_b * line_c, line_b * row_c
    return int(first > second) if handedness > 0 else int(second > first)


@njit(cache=True, nogil=True)
def _first_above(depth: float, depths: int) -> int:
    """Index of the first sample strictly above ``depth``, at most ``depths``."""
    if depth < 0.0:
        return 0
    if depth >= depths - 1.0:
        return depths
    return int(np.floor(depth)) + 1


@njit(cache=True, nogil=True)
def cross_slab(
    vertices: Floats,
    faces: Ints,
    members: Ints,
    rows: tuple[int, int],
    lines: int,
    depths: int,
    handedness: int,
) -> tuple[Ints, Ints]:
    """All crossings of the surface with the columns of a range of rows.

    Parameters
    ----------
    vertices : (v, 3) positions as (row, line, depth), in units of the lattice.
    members : indices of the faces that reach these rows.
    rows : first row, and the row behind the last.
    handedness : 1 if (row, line, depth) are right-handed axes, else -1.

    Returns
    -------
    offsets : (columns + 1,) int64, columns row-major.
    crossings : int32, those of column c at ``crossings[offsets[c]:offsets[c + 1]]``, ascending.
    """
    first_row, stop_row = rows
    column_of = np.empty(_FIRST_CAPACITY, dtype=np.int32)
    codes = np.empty(_FIRST_CAPACITY, dtype=np.int32)
    count = 0
    offsets = np.zeros((stop_row - first_row) * lines + 1, dtype=np.int64)
    for f in members:
        first, stop = _rows_of(vertices, faces, f, stop_row)
        leaves = -1
        for row in range(max(first, first_row), stop):
            line0, depth0, line1, depth1 = _cut_face(vertices, faces, f, float(row))
            low, high = min(depth0, depth1), max(depth0, depth1)
            for line in range(_clamped_ceil(line0, lines), _clamped_ceil(line1, lines)):
                if leaves < 0:
                    leaves = _leaves(vertices, faces, f, handedness)
                if count == len(codes):
                    column_of = np.concatenate((column_of, np.empty_like(column_of)))
                    codes = np.concatenate((codes, np.empty_like(codes)))
                # A line in this range lies in [line0, line1), so the span is positive.
                depth = depth0 + (line - line0) * (depth1 - depth0) / (line1 - line0)
                depth = min(max(depth, low), high)
                column = (row - first_row) * lines + line
                column_of[count] = column
                codes[count] = 2 * _first_above(depth, depths) + leaves
                offsets[column + 1] += 1
                count += 1
    for column in range(len(offsets) - 1):
        offsets[column + 1] += offsets[column]
    crossings = np.empty(count, dtype=np.int32)
    cursor = offsets[:-1].copy()
    for k in range(count):
        crossings[cursor[column_of[k]]] = codes[k]
        cursor[column_of[k]] += 1
    for column in range(len(offsets) - 1):
        _sort(crossings, offsets[column], offsets[column + 1])
    return offsets, crossings


@njit(cache=True, nogil=True)
def _sort(values: Ints, start: int, stop: int) -> None:
    """Sort ``values[start:stop]`` in place: by insertion if it is short, else by the library."""
    if stop - start > 32:
        values[start:stop].sort()
        return
    for i in range(start + 1, stop):
        j = i
        while j > start and values[j - 1] > values[j]:
            values[j - 1], values[j] = values[j], values[j - 1]
            j -= 1
