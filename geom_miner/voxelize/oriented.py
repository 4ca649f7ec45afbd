"""Inside by signed crossings: the winding number of a closed surface, exact and per column.

Parity forgets which way the surface faces, so two overlapping closed parts come out hollow where
they overlap, although every column is even. Counted +1 where a ray enters the surface and -1 where
it leaves it, the crossings below a sample sum up to its winding number, an integer for every
closed, consistently oriented surface; a sample is inside iff it is not 0. Its sign does not
matter, so a mesh turned inside out has the same inside, a cavity (a closed inner shell that
faces inwards, 1 - 1) stays hollow and a nested shell that faces outwards (1 + 1) is solid.

Where the directions of a column do not balance, as at holes and turned faces, the sums from below
and from above differ. A sample is then inside by parity, or if both sums say so. In a balanced
column the two are one, and parity odd implies that it is not 0, so one rule holds for all columns:

    inside iff parity is odd, or the sums from below and from above are both not 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geom_miner.voxelize.columns import ColumnCrossings, Floats, Ints, Triple, cast_columns

# Faces whose corners are gathered at once.
CHUNK_FACES = 1 << 20

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class AxisColumns:
    """What the columns of one axis say about inside, and how sound they are."""

    boundaries: ColumnCrossings
    """Where inside begins and ends; its parity is the answer of this axis."""
    columns: int
    """Columns that the surface crosses."""
    odd_columns: int
    """Those crossed an odd number of times."""
    unbalanced: ColumnCrossings
    """Columns entered and left unequally often, as inside from end to end; none if directions
    were not looked at."""
    crossings: int
    """Crossings of columns and surface."""
    overlap_samples: int
    """Samples inside by their directions, which parity alone would leave hollow."""

    @property
    def unbalanced_columns(self) -> int:
        """Columns entered and left unequally often."""
        return self.unbalanced.columns


def by_parity(vertices: Floats, faces: Ints, shape: Triple, *, axis: int) -> AxisColumns:
    """Parity alone; arguments as for ``cast_columns``."""
    cast = cast_columns(vertices, faces, shape, axis=axis)
    none = _whole_columns(cast, np.zeros(len(cast.offsets) - 1, dtype=bool))
    return AxisColumns(cast, cast.columns, cast.odd_columns, none, cast.crossings, 0)


def by_direction(vertices: Floats, faces: Ints, shape: Triple, *, axis: int) -> AxisColumns:
    """Signed crossings; arguments as for ``cast_columns``, but the orientation of faces matters."""
    entered = _entered_faces(vertices, faces, axis)
    enter = cast_columns(vertices, faces[entered], shape, axis=axis)
    leave = cast_columns(vertices, faces[~entered], shape, axis=axis)
    entries, exits = np.diff(enter.offsets), np.diff(leave.offsets)
    balanced = entries == exits
    plain, pairs = _alternating(enter, leave, balanced, entries)
    rest = np.flatnonzero(~plain)
    tangled = _tangled(enter, leave, rest)

    counts = np.where(plain, 2 * entries, 0)
    counts[rest] = np.bincount(tangled.column, minlength=len(plain))[rest]
    first_samples = np.empty(counts.sum(), dtype=np.int32)
    of_plain = np.repeat(plain, counts)
    first_samples[of_plain] = pairs
    first_samples[~of_plain] = tangled.sample
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return AxisColumns(
        boundaries=ColumnCrossings(axis, shape, offsets, first_samples),
        columns=int(np.count_nonzero(entries + exits)),
        odd_columns=int(np.count_nonzero((entries + exits) & 1)),
        unbalanced=_whole_columns(enter, ~balanced),
        crossings=enter.crossings + leave.crossings,
        overlap_samples=tangled.overlap_samples,
    )


def _whole_columns(like: ColumnCrossings, chosen: Bools) -> ColumnCrossings:
    """Some columns of a cast, crossed at both ends."""
    ends = np.array([0, like.shape[like.axis]], dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum(2 * chosen)]).astype(np.int64)
    first_samples = np.tile(ends, np.count_nonzero(chosen))
    return ColumnCrossings(like.axis, like.shape, offsets, first_samples)


def _entered_faces(vertices: Floats, faces: Ints, axis: int) -> Bools:
    """Faces through which a ray towards larger coordinates enters, by their orientation.

    A face seen edge on has no crossing but by rounding, and counts as entered.
    """
    plane = np.ascontiguousarray(vertices[:, [(axis + 1) % 3, (axis + 2) % 3]])
    entered = np.empty(len(faces), dtype=bool)
    for start in range(0, len(faces), CHUNK_FACES):
        chunk = slice(start, start + CHUNK_FACES)
        corners = plane[faces[chunk]]
        u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        entered[chunk] = u[:, 0] * v[:, 1] <= u[:, 1] * v[:, 0]
    return entered


def _alternating(
    enter: ColumnCrossings, leave: ColumnCrossings, balanced: Bools, entries: Ints
) -> tuple[Bools, npt.NDArray[np.int32]]:
    """Columns in which entries and exits take turns, and their crossings in order.

    Nearly all columns of nearly all meshes: there the winding number never leaves {0, 1}, or
    {0, -1} if the faces point inwards, and parity is right.
    """
    of_balanced = np.repeat(balanced, entries)
    entry = enter.first_samples[of_balanced]
    leaving = leave.first_samples[np.repeat(balanced, np.diff(leave.offsets))]
    column = np.repeat(np.arange(len(balanced)), entries)[of_balanced]
    plain = balanced & ~(
        _out_of_turn(entry, leaving, column, len(balanced))
        & _out_of_turn(leaving, entry, column, len(balanced))
    )
    kept = plain[column]
    entry, leaving = entry[kept], leaving[kept]
    return plain, np.stack([np.minimum(entry, leaving), np.maximum(entry, leaving)], 1).reshape(-1)


def _out_of_turn(first: Ints, second: Ints, column: Ints, columns: int) -> Bools:
    """Columns in which the k-th of ``second`` is not between the k-th and next of ``first``."""
    wrong = second < first
    wrong[:-1] |= (first[1:] < second[:-1]) & (column[1:] == column[:-1])
    found = np.zeros(columns, dtype=bool)
    found[column[wrong]] = True
    return found


@dataclass(frozen=True)
class _Tangled:
    """Boundaries of inside in the columns where parity may be wrong, ordered by column."""

    column: Ints
    sample: Ints
    overlap_samples: int


def _tangled(enter: ColumnCrossings, leave: ColumnCrossings, columns: Ints) -> _Tangled:
    """Follow both sums through columns and note where the rule at the top changes its answer.

    Crossings below the same sample may come in any order: between them there is no sample.
    """
    parts = []
    for cast, direction in ((enter, 1), (leave, -1)):
        counts = np.diff(cast.offsets)
        chosen = np.zeros(len(counts), dtype=bool)
        chosen[columns] = True
        samples = cast.first_samples[np.repeat(chosen, counts)]
        parts.append(
            (np.repeat(columns, counts[columns]), samples, np.full(len(samples), direction))
        )
    column = np.concatenate([part[0] for part in parts])
    sample = np.concatenate([part[1] for part in parts])
    order = np.lexsort((sample, column))
    column, sample = column[order], sample[order]
    sign = np.concatenate([part[2] for part in parts])[order]

    first = np.flatnonzero(np.diff(column, prepend=-1))
    size = np.diff(first, append=len(column))
    running = np.cumsum(sign)
    below = running - np.repeat(running[first] - sign[first], size)
    total = np.repeat(below[first + size - 1], size)
    place = np.arange(len(column)) - np.repeat(first, size)
    # As in columns.py, the last crossing of an odd number is dropped.
    odd = (place % 2 == 0) & (place < np.repeat(size - size % 2, size))
    inside = odd | ((below != 0) & (below != total))
    # Every column ends outside, so what precedes a column's first crossing, rolled in from the
    # column before, is outside as it should be.
    change = inside != np.roll(inside, 1)
    reach = np.roll(sample, -1) - sample
    overlap = int(reach[inside & ~odd].sum())
    return _Tangled(column[change], sample[change], overlap)
