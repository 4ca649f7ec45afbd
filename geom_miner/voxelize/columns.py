"""Cast rays through all columns of samples along one axis, and store inside on sparse blocks.

The grid is cut into slabs, each one layer of blocks thick. Faces are first sorted into the slabs
that they reach. Each slab then finds its crossings, its spans of inside and its blocks on its own,
so slabs run in parallel and each thread holds the crossings of only one slab. The cost grows with
the surface, not with the volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.packing import Packing
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.parallel import parallel_map
from geom_miner.progress import Progress, silent
from geom_miner.voxelize.crossings import Floats, Ints, bin_faces, cross_slab
from geom_miner.voxelize.spans import FULL, MIXED, Bytes, block_states, fill_blocks, find_spans

Triple = tuple[int, int, int]
Bools = npt.NDArray[np.bool_]

# The (row, line, depth) axes for rays along each axis, and their handedness: 1 if they are
# right-handed, else -1.
_AXES: dict[int, tuple[Triple, int]] = {0: ((1, 2, 0), 1), 1: ((0, 2, 1), -1), 2: ((0, 1, 2), 1)}


@dataclass(frozen=True)
class Subsamples:
    """Number of subsamples of a sample's cell, across the columns (along two axes) and along them.

    The value of a sample is the share of its subsamples whose centers are inside. With one
    subsample this is occupancy, with many it is coverage.
    """

    across: int = 1
    along: int = 1

    @property
    def packing(self) -> Packing:
        """How values are stored: as numbers of subsamples."""
        return Packing(self.across**2 * self.along)


OCCUPANCY = Subsamples()
# 16 columns through each cell, each cut into 15: the 240 subsamples of a cell fit one byte.
COVERAGE = Subsamples(4, 15)


@dataclass(frozen=True)
class ColumnCast:
    """Inside by the columns of one axis, and counts that show how reliable it is."""

    axis: int
    """The axis that the rays follow."""
    blocks: SparseBlocks
    """Inside in [0, 1], one channel."""
    columns: int
    """Columns that the surface crosses."""
    odd_columns: int
    """Columns with an odd number of crossings: 0 for every closed mesh."""
    crossings: int
    """Crossings of columns and surface."""
    overlap_samples: int
    """Samples that are inside by the directions of the crossings but outside by parity."""
    unbalanced: Bools
    """(rows, lines) of samples, over the other two axes in order: columns that enter and leave the
    surface unequally often. All False if directions were not used."""

    @property
    def unbalanced_columns(self) -> int:
        """Columns that enter and leave the surface unequally often."""
        return int(np.count_nonzero(self.unbalanced))


def cast_columns(
    vertices: Floats,
    faces: Ints,
    shape: Triple,
    layout: BlockGrid,
    *,
    axis: int = 2,
    directed: bool = True,
    subsamples: Subsamples = OCCUPANCY,
    progress: Progress = silent,
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
    subsamples : with several, the value of a sample is the share of its subsamples inside.
    progress : called with the share of the work done, in (0, 1].
    """
    order, handedness = _AXES[axis]
    divisions = (subsamples.across, subsamples.across, subsamples.along)
    rows_per_sample, lines_per_sample, depths_per_sample = divisions
    packing = subsamples.packing
    rows, lines, depths = (shape[a] * n for a, n in zip(order, divisions, strict=True))
    positions = _lattice_positions(vertices, order, divisions)
    faces = np.ascontiguousarray(faces, dtype=np.int32)
    block_size = layout.block_shape[0]
    slab_rows = block_size * rows_per_sample
    starts, members = bin_faces(positions, faces, rows, slab_rows)
    counts = (layout.counts[order[1]], layout.counts[order[2]])
    axis_strides = (block_size**2, block_size, 1)
    strides = (axis_strides[order[0]], axis_strides[order[1]], axis_strides[order[2]])

    def cast_slab(slab: int) -> _Slab:
        first, stop = slab * slab_rows, min((slab + 1) * slab_rows, rows)
        slab_faces = members[starts[slab] : starts[slab + 1]]
        offsets, crossings = cross_slab(
            positions, faces, slab_faces, (first, stop), lines, depths, handedness
        )
        ends, ends_of, totals, unbalanced = find_spans(offsets, crossings, depths, directed)
        sizes = (stop - first, lines, depths)
        edges = (slab_rows, block_size * lines_per_sample, block_size * depths_per_sample)
        states = block_states(offsets, ends, ends_of, sizes, counts, edges)
        mixed = np.argwhere(states == MIXED)
        slots = np.full(counts, -1, dtype=np.int32)
        slots[tuple(mixed.T)] = np.arange(len(mixed), dtype=np.int32)
        values = fill_blocks(
            offsets, ends, ends_of, sizes, slots, len(mixed), block_size, divisions, strides
        )
        if packing.per_byte > 1:
            values = np.packbits(values, axis=1, bitorder="little")
        flags: Bools = unbalanced.reshape(
            -1, rows_per_sample, lines // lines_per_sample, lines_per_sample
        )
        return _Slab(states == FULL, mixed, values, totals, np.any(flags, axis=(1, 3)))

    slabs = parallel_map(cast_slab, [(k,) for k in range(len(starts) - 1)], progress)
    full = np.stack([slab.full for slab in slabs]).transpose(np.argsort(order))
    mixed = [np.insert(slab.mixed, 0, k, axis=1) for k, slab in enumerate(slabs)]
    coordinates = torch.from_numpy(np.concatenate(mixed)[:, np.argsort(order)])
    ids, order_of_ids = layout.ids_of(coordinates).sort()
    values = torch.from_numpy(np.concatenate([slab.values for slab in slabs]))[order_of_ids]
    constants = torch.from_numpy(full.astype(np.uint8))[..., None]
    totals = np.sum([slab.totals for slab in slabs], axis=0)
    return ColumnCast(
        axis=axis,
        blocks=SparseBlocks(layout, ids, values, constants, packing),
        columns=int(totals[0]),
        odd_columns=int(totals[1]),
        crossings=int(totals[2]),
        overlap_samples=int(totals[3]) // packing.steps,
        unbalanced=np.concatenate([slab.unbalanced for slab in slabs]),
    )


class _Slab(NamedTuple):
    """One layer of blocks."""

    full: Bools  # (blocks along lines, along depths)
    mixed: Ints  # (mixed blocks, 2) coordinates (line, depth)
    values: Bytes  # (mixed blocks, bytes) packed samples
    totals: Ints  # of ``find_spans``
    unbalanced: Bools  # (rows, lines) of samples


def _lattice_positions(vertices: Floats, order: Triple, divisions: Triple) -> Floats:
    """Positions as (row, line, depth), in units of subsamples."""
    if order == (0, 1, 2) and divisions == (1, 1, 1):
        return np.ascontiguousarray(vertices, dtype=np.float64)
    positions = np.empty(vertices.shape)
    for column, (axis, count) in enumerate(zip(order, divisions, strict=True)):
        positions[:, column] = vertices[:, axis]
        if count > 1:
            positions[:, column] = (positions[:, column] + 0.5) * count - 0.5
    return positions
