"""Casting all columns of one axis: inside on sparse blocks, slab after slab, cost as the surface.

A slab is one layer of blocks across the rows of columns. Faces are listed once by the slabs that
they reach; each slab is then crossed, its spans of inside found and its blocks stored by itself,
so that slabs run in parallel and only one slab's crossings per thread are in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.packing import Packing
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.side_by_side import side_by_side
from geom_miner.voxelize.crossings import Floats, Ints, bin_faces, cross_slab
from geom_miner.voxelize.spans import FULL, MIXED, Bytes, block_states, fill_blocks, find_spans

Triple = tuple[int, int, int]
Bools = npt.NDArray[np.bool_]
Progress = Callable[[float], None]

# (row, line, depth) axes for rays along each axis, and whether they are right-handed.
_AXES: dict[int, tuple[Triple, int]] = {0: ((1, 2, 0), 1), 1: ((0, 2, 1), -1), 2: ((0, 1, 2), 1)}


@dataclass(frozen=True)
class Parts:
    """Into how many parts a sample's cell is divided, across the columns and along them.

    The value of a sample is the share of its parts whose centers are inside: occupancy with one
    part, coverage with many.
    """

    across: int = 1
    along: int = 1

    @property
    def packing(self) -> Packing:
        """How values are stored: in whole numbers of parts."""
        return Packing(self.across**2 * self.along)


OCCUPANCY = Parts()
# 16 columns in each sample, and crossings to a fifteenth of it: 240 parts fit one byte.
COVERAGE = Parts(4, 15)


@dataclass(frozen=True)
class ColumnCast:
    """What the columns of one axis say about inside, and how sound they are."""

    axis: int
    """The axis that the rays follow."""
    blocks: SparseBlocks
    """Inside, 0 to 1, one channel."""
    columns: int
    """Columns that the surface crosses."""
    odd_columns: int
    """Those crossed an odd number of times: 0 for every closed mesh."""
    crossings: int
    """Crossings of columns and surface."""
    overlap_samples: int
    """Samples inside by their directions, which parity alone would leave hollow."""
    unbalanced: Bools
    """(rows, lines) of samples, over the other two axes in order: columns entered and left
    unequally often; none if directions were not looked at."""

    @property
    def unbalanced_columns(self) -> int:
        """Columns entered and left unequally often."""
        return int(np.count_nonzero(self.unbalanced))


def cast_columns(
    vertices: Floats,
    faces: Ints,
    shape: Triple,
    layout: BlockGrid,
    *,
    axis: int = 2,
    directed: bool = True,
    parts: Parts = OCCUPANCY,
    progress: Progress | None = None,
) -> ColumnCast:
    """Decide for every sample of a grid whether it is inside, by the columns along one axis.

    Parameters
    ----------
    vertices : (v, 3), in sample units (``SampleGrid.world_to_index``).
    faces : (f, 3) vertex indices.
    shape : samples per axis.
    layout : cubic blocks that just cover the samples.
    axis : the axis that the rays follow.
    directed : count crossings by the orientation of the faces (see ``spans``), not by parity alone.
    parts : of a sample; with several, the result is the share of them that is inside.
    progress : called with the share of the work done, in (0, 1].
    """
    order, handedness = _AXES[axis]
    row_parts, line_parts, depth_parts = each = (parts.across, parts.across, parts.along)
    rows, lines, depths = (shape[a] * n for a, n in zip(order, each, strict=True))
    placed = _placed(vertices, order, each)
    faces = np.ascontiguousarray(faces, dtype=np.int32)
    block_size = layout.block_shape[0]
    slab_rows = block_size * row_parts
    starts, members = bin_faces(placed, faces, rows, slab_rows)
    counts = (layout.counts[order[1]], layout.counts[order[2]])
    along_axis = (block_size**2, block_size, 1)
    strides = (along_axis[order[0]], along_axis[order[1]], along_axis[order[2]])

    def one_slab(slab: int) -> _Slab:
        first, stop = slab * slab_rows, min((slab + 1) * slab_rows, rows)
        some = members[starts[slab] : starts[slab + 1]]
        offsets, crossings = cross_slab(
            placed, faces, some, (first, stop), lines, depths, handedness
        )
        ends, ends_of, totals, unbalanced = find_spans(offsets, crossings, depths, directed)
        sizes = (stop - first, lines, depths)
        edges = (slab_rows, block_size * line_parts, block_size * depth_parts)
        states = block_states(offsets, ends, ends_of, sizes, counts, edges)
        mixed = np.argwhere(states == MIXED)
        slots = np.full(counts, -1, dtype=np.int32)
        slots[tuple(mixed.T)] = np.arange(len(mixed), dtype=np.int32)
        values = fill_blocks(
            offsets, ends, ends_of, sizes, slots, len(mixed), block_size, each, strides
        )
        if parts.packing.per_byte > 1:
            values = np.packbits(values, axis=1, bitorder="little")
        flags: Bools = unbalanced.reshape(-1, row_parts, lines // line_parts, line_parts)
        return _Slab(states == FULL, mixed, values, totals, np.any(flags, axis=(1, 3)))

    slabs = side_by_side(one_slab, [(k,) for k in range(len(starts) - 1)], progress)
    full = np.stack([slab.full for slab in slabs]).transpose(np.argsort(order))
    mixed = [np.insert(slab.mixed, 0, k, axis=1) for k, slab in enumerate(slabs)]
    coordinates = torch.from_numpy(np.concatenate(mixed)[:, np.argsort(order)])
    ids, by_id = layout.ids_of(coordinates).sort()
    values = torch.from_numpy(np.concatenate([slab.values for slab in slabs]))[by_id]
    constants = torch.from_numpy(full.astype(np.uint8))[..., None]
    totals = np.sum([slab.totals for slab in slabs], axis=0)
    return ColumnCast(
        axis=axis,
        blocks=SparseBlocks(layout, ids, values, constants, parts.packing),
        columns=int(totals[0]),
        odd_columns=int(totals[1]),
        crossings=int(totals[2]),
        overlap_samples=int(totals[3]) // parts.packing.steps,
        unbalanced=np.concatenate([slab.unbalanced for slab in slabs]),
    )


class _Slab(NamedTuple):
    """One layer of blocks: (lines, depths) of full ones, and the mixed ones, (line, depth)."""

    full: Bools
    mixed: Ints
    values: Bytes
    totals: Ints
    unbalanced: Bools


def _placed(vertices: Floats, order: Triple, parts: Triple) -> Floats:
    """Positions as (row, line, depth), in units of the parts of samples."""
    if order == (0, 1, 2) and parts == (1, 1, 1):
        return np.ascontiguousarray(vertices, dtype=np.float64)
    placed = np.empty(vertices.shape)
    for column, (axis, count) in enumerate(zip(order, parts, strict=True)):
        placed[:, column] = vertices[:, axis]
        if count > 1:
            placed[:, column] = (placed[:, column] + 0.5) * count - 0.5
    return placed
