"""Exact column casting: which samples of a grid lie inside a closed surface, by parity.

One ray runs through every column of samples along one axis. In the plane of the other two axes,
``row`` and ``line``, the ray is a point; a triangle is crossed iff an odd number of its three
projected edges are crossed by the half-line that leaves this point towards larger ``line``.

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

All positions are in sample units: sample i of an axis sits at coordinate i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit, parallel_chunksize, prange

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]
Triple = tuple[int, int, int]

# Rows of columns that one task rasterizes: few enough that 256 rows feed 32 cores.
STRIP_ROWS = 8

EMPTY, FULL, MIXED = 0, 1, 2

# (row, line, depth) axes for rays along each axis; columns are row-major in (row, line).
_AXES = {0: (1, 2, 0), 1: (0, 2, 1), 2: (0, 1, 2)}


@dataclass(frozen=True)
class ColumnCrossings:
    """Where the surface crosses the columns of one axis.

    Parameters
    ----------
    axis : the axis that the rays follow.
    shape : samples per axis of the grid.
    offsets : (columns + 1,) int64
        Crossings of column c, row-major over the other two axes, are
        ``first_samples[offsets[c]:offsets[c + 1]]``.
    first_samples : (crossings,) int32
        Index of the first sample strictly above each crossing, in [0, shape[axis]], ascending
        within a column: all that parity needs of a depth.
    """

    axis: int
    shape: Triple
    offsets: npt.NDArray[np.int64]
    first_samples: npt.NDArray[np.int32]

    @property
    def crossings(self) -> int:
        return len(self.first_samples)

    @property
    def columns(self) -> int:
        """Columns with any crossing."""
        return int(np.count_nonzero(np.diff(self.offsets)))

    @property
    def odd_columns(self) -> int:
        """Columns with an odd number of crossings: 0 for every closed mesh."""
        return int(np.count_nonzero(np.diff(self.offsets) & 1))

    def block_states(self, counts: Triple, block_size: int) -> npt.NDArray[np.uint8]:
        """EMPTY, FULL or MIXED for every block, (*counts).

        A sample is inside iff an odd number of crossings lie strictly below it; in a column with
        an odd number the last crossing is dropped, so that a hole never fills the rest of a
        column. Beyond the grid's last sample the signal goes on as at that sample.
        """
        states = np.empty(counts, dtype=np.uint8)
        _block_states(*self._frame(counts), block_size, states.reshape(-1))
        return states

    def fill_blocks(
        self, slots: npt.NDArray[np.int32], num_slots: int, block_size: int
    ) -> npt.NDArray[np.uint8]:
        """Samples, 1 inside and 0 outside, of the blocks that have a slot.

        Parameters
        ----------
        slots : (*counts) row of each block in the result, -1 for blocks left out.

        Returns
        -------
        (num_slots, block_size**3) uint8, row-major inside a block.
        """
        values = np.zeros((num_slots, block_size**3), dtype=np.uint8)
        flat = np.ascontiguousarray(slots, dtype=np.int32).reshape(-1)
        inner_strides = _strides((block_size,) * 3, self.axis)
        frame = self._frame(slots.shape)
        _fill_blocks(*frame, block_size, flat, inner_strides, values.reshape(-1))
        return values

    def _frame(self, counts: tuple[int, ...]) -> tuple[Ints, Ints, Triple, Triple, Triple]:
        """The crossings, with samples, blocks and strides of blocks in the kernels' axis order."""
        sizes, blocks = _permuted(self.shape, self.axis), _permuted(counts, self.axis)
        return self.offsets, self.first_samples, sizes, blocks, _strides(counts, self.axis)


def cast_columns(vertices: Floats, faces: Ints, shape: Triple, *, axis: int = 2) -> ColumnCrossings:
    """Find every crossing of the surface with the columns of samples along one axis.

    Parameters
    ----------
    vertices : (v, 3), in sample units (``SampleGrid.world_to_index``).
    faces : (f, 3) vertex indices; their orientation does not matter.
    shape : samples per axis.
    axis : the axis that the rays follow.
    """
    placed = np.ascontiguousarray(vertices[:, _AXES[axis]], dtype=np.float64)
    faces = np.ascontiguousarray(faces)
    sizes = _permuted(shape, axis)
    strips = -(-sizes[0] // STRIP_ROWS)
    starts, members = _bin_faces(placed, faces, sizes[0], strips)

    counters = np.zeros(sizes[0] * sizes[1], dtype=np.int64)
    nothing = np.empty(0, dtype=np.int32)
    with parallel_chunksize(1):
        _rasterize(placed, faces, starts, members, sizes, counters, nothing)
    offsets = np.concatenate([[0], np.cumsum(counters)])
    first_samples = np.empty(offsets[-1], dtype=np.int32)
    counters[:] = offsets[:-1]
    with parallel_chunksize(1):
        _rasterize(placed, faces, starts, members, sizes, counters, first_samples)
    _sort_columns(offsets, first_samples)
    return ColumnCrossings(axis, shape, offsets, first_samples)


def _permuted(per_axis: tuple[int, ...], axis: int) -> Triple:
    """Numbers per (x, y, z), reordered to (row, line, depth)."""
    row, line, depth = _AXES[axis]
    return per_axis[row], per_axis[line], per_axis[depth]


def _strides(counts: tuple[int, ...], axis: int) -> Triple:
    """Row-major strides of (x, y, z), reordered to (row, line, depth)."""
    return _permuted((counts[1] * counts[2], counts[2], 1), axis)


@njit(cache=True, nogil=True)
def _clamped_ceil(value: float, limit: int) -> int:
    """Number of samples of 0 ... limit - 1 that lie strictly below ``value``."""
    if value <= 0.0:
        return 0
    if value > limit - 1.0:
        return limit
    return int(np.ceil(value))


@njit(cache=True, nogil=True)
def _bin_faces(vertices: Floats, faces: Ints, rows: int, strips: int) -> tuple[Ints, Ints]:
    """List the faces that reach each strip of rows (counting sort): starts and members."""
    spans = np.empty((len(faces), 2), dtype=np.int32)
    starts = np.zeros(strips + 1, dtype=np.int64)
    for f in range(len(faces)):
        a, b, c = vertices[faces[f, 0], 0], vertices[faces[f, 1], 0], vertices[faces[f, 2], 0]
        first = _clamped_ceil(min(a, b, c), rows)
        stop = _clamped_ceil(max(a, b, c), rows)
        spans[f, 0] = first // STRIP_ROWS
        spans[f, 1] = (stop - 1) // STRIP_ROWS + 1 if stop > first else spans[f, 0]
        for strip in range(spans[f, 0], spans[f, 1]):
            starts[strip + 1] += 1
    for strip in range(strips):
        starts[strip + 1] += starts[strip]
    members = np.empty(starts[strips], dtype=np.int64)
    cursor = starts.copy()
    for f in range(len(faces)):
        for strip in range(spans[f, 0], spans[f, 1]):
            members[cursor[strip]] = f
            cursor[strip] += 1
    return starts, members


@njit(cache=True, nogil=True)
def _cut_edge(vertices: Floats, a: int, b: int, row: float) -> tuple[bool, float, float]:
    """Whether the edge is active in a row, and (line, depth) of its cut with it.

    A function of the two end points, in either order, and the row alone: the proof's whole base.
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

    None or two of the three edges are active, as their half-open spans close up; without any
    the cut is empty.
    """
    line0 = depth0 = line1 = depth1 = 0.0
    found = 0
    for corner in range(3):
        active, line, depth = _cut_edge(vertices, faces[f, corner], faces[f, (corner + 1) % 3], row)
        if active:
            if found == 0:
                line0, depth0 = line, depth
            else:
                line1, depth1 = line, depth
            found += 1
    if line1 < line0:
        return line1, depth1, line0, depth0
    return line0, depth0, line1, depth1


@njit(cache=True, nogil=True)
def _rows_in_strip(vertices: Floats, faces: Ints, f: int, strip: int, rows: int) -> tuple[int, int]:
    a, b, c = vertices[faces[f, 0], 0], vertices[faces[f, 1], 0], vertices[faces[f, 2], 0]
    first = max(_clamped_ceil(min(a, b, c), rows), strip * STRIP_ROWS)
    stop = min(_clamped_ceil(max(a, b, c), rows), (strip + 1) * STRIP_ROWS)
    return first, stop


@njit(cache=True, nogil=True, parallel=True)
def _rasterize(
    vertices: Floats,
    faces: Ints,
    starts: Ints,
    members: Ints,
    sizes: Triple,
    counters: Ints,
    first_samples: Ints,
) -> None:
    """Advance every column's counter by its crossings, storing each where the counter points.

    An empty ``first_samples`` only counts. Both passes are this function, so they cannot disagree.
    """
    rows, lines, depths = sizes
    storing = len(first_samples) > 0
    for strip in prange(len(starts) - 1):
        for m in range(starts[strip], starts[strip + 1]):
            f = members[m]
            first, stop = _rows_in_strip(vertices, faces, f, strip, rows)
            for row in range(first, stop):
                line0, depth0, line1, depth1 = _cut_face(vertices, faces, f, float(row))
                low, high = min(depth0, depth1), max(depth0, depth1)
                for line in range(_clamped_ceil(line0, lines), _clamped_ceil(line1, lines)):
                    column = row * lines + line
                    if storing:
                        # A line in this range lies in [line0, line1), so the span is positive.
                        depth = depth0 + (line - line0) * (depth1 - depth0) / (line1 - line0)
                        depth = min(max(depth, low), high)
                        first_samples[counters[column]] = _first_above(depth, depths)
                    counters[column] += 1


@njit(cache=True, nogil=True, parallel=True)
def _sort_columns(offsets: Ints, first_samples: Ints) -> None:
    for column in prange(len(offsets) - 1):
        _sort(first_samples, offsets[column], offsets[column + 1])


@njit(cache=True, nogil=True)
def _first_above(depth: float, depths: int) -> int:
    """Index of the first sample strictly above ``depth``, at most ``depths``."""
    if depth < 0.0:
        return 0
    if depth >= depths - 1.0:
        return depths
    return int(np.floor(depth)) + 1


@njit(cache=True, nogil=True)
def _sort(values: Ints, start: int, stop: int) -> None:
    """Sort a short stretch in place by insertion, a long one by the library."""
    if stop - start > 32:
        values[start:stop].sort()
        return
    for i in range(start + 1, stop):
        j = i
        while j > start and values[j - 1] > values[j]:
            values[j - 1], values[j] = values[j], values[j - 1]
            j -= 1


@njit(cache=True, nogil=True)
def _inside_span(first_samples: Ints, j: int, depths: int, whole: int) -> tuple[int, int]:
    """Samples [start, stop) between crossings j and j + 1, continued into the padding."""
    start, stop = first_samples[j], first_samples[j + 1]
    if start >= depths:
        return whole, whole
    return start, whole if stop >= depths else stop


@njit(cache=True, nogil=True, parallel=True)
def _block_states(
    offsets: Ints,
    first_samples: Ints,
    sizes: Triple,
    counts: Triple,
    strides: Triple,
    block_size: int,
    states: npt.NDArray[np.uint8],
) -> None:
    rows, lines, depths = sizes
    whole = counts[2] * block_size
    for block_column in prange(counts[0] * counts[1]):
        block_row, block_line = block_column // counts[1], block_column % counts[1]
        # Inside samples per block: ends of spans one by one, the blocks that a span covers from
        # end to end by a difference array, so that the cost is one of crossings, not samples.
        ends = np.zeros(counts[2], dtype=np.int64)
        covered = np.zeros(counts[2] + 1, dtype=np.int64)
        for cell in range(block_size * block_size):
            row = min(block_row * block_size + cell // block_size, rows - 1)
            line = min(block_line * block_size + cell % block_size, lines - 1)
            start = offsets[row * lines + line]
            pairs = (offsets[row * lines + line + 1] - start) // 2
            for pair in range(pairs):
                low, high = _inside_span(first_samples, start + 2 * pair, depths, whole)
                if low == high:
                    continue
                block0, block1 = low // block_size, (high - 1) // block_size
                if block0 == block1:
                    ends[block0] += high - low
                else:
                    ends[block0] += (block0 + 1) * block_size - low
                    ends[block1] += high - block1 * block_size
                    covered[block0 + 1] += 1
                    covered[block1] -= 1
        running = 0
        for block in range(counts[2]):
            running += covered[block]
            inside = ends[block] + running * block_size
            where = block_row * strides[0] + block_line * strides[1] + block * strides[2]
            if inside == 0:
                states[where] = EMPTY
            else:
                states[where] = FULL if inside == block_size**3 else MIXED


@njit(cache=True, nogil=True, parallel=True)
def _fill_blocks(
    offsets: Ints,
    first_samples: Ints,
    sizes: Triple,
    counts: Triple,
    strides: Triple,
    block_size: int,
    slots: Ints,
    inner_strides: Triple,
    values: npt.NDArray[np.uint8],
) -> None:
    rows, lines, depths = sizes
    whole = counts[2] * block_size
    samples = block_size**3
    for block_column in prange(counts[0] * counts[1]):
        block_row, block_line = block_column // counts[1], block_column % counts[1]
        base = block_row * strides[0] + block_line * strides[1]
        for cell in range(block_size * block_size):
            inner_row, inner_line = cell // block_size, cell % block_size
            row = min(block_row * block_size + inner_row, rows - 1)
            line = min(block_line * block_size + inner_line, lines - 1)
            inner = inner_row * inner_strides[0] + inner_line * inner_strides[1]
            start = offsets[row * lines + line]
            pairs = (offsets[row * lines + line + 1] - start) // 2
            for pair in range(pairs):
                low, high = _inside_span(first_samples, start + 2 * pair, depths, whole)
                if low == high:
                    continue
                for block in range(low // block_size, (high - 1) // block_size + 1):
                    slot = slots[base + block * strides[2]]
                    if slot < 0:
                        continue
                    first = max(low - block * block_size, 0)
                    stop = min(high - block * block_size, block_size)
                    where = slot * samples + inner
                    for depth in range(first, stop):
                        values[where + depth * inner_strides[2]] = 1
