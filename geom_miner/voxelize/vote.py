"""Several axes' answers made one, on sparse blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.voxelize.columns import EMPTY, FULL, MIXED, ColumnCrossings

# From indices of samples (q, 3), inside the grid, to whether they are inside the surface, (q,).
Decide = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]
Bytes = npt.NDArray[np.uint8]
Where = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

# Samples of blocks that are looked through at once for some to ask about.
CHUNK_SAMPLES = 1 << 23

# Of more unsound samples than this, so many are asked about first; the others only if these
# contradict the vote more often than the share below.
FIRST_ASKED = 1 << 13
TOLERATED = 1e-3


@dataclass(frozen=True)
class Vote:
    """What the axes agree on, and how often they do not."""

    blocks: SparseBlocks
    disputed: int
    """Samples of the grid on which the axes disagree."""
    decided: int
    """Samples of the grid that were decided otherwise than by vote."""


def vote(
    casts: Sequence[ColumnCrossings],
    layout: BlockGrid,
    *,
    decide: Decide | None = None,
    unsound: Sequence[ColumnCrossings] = (),
) -> Vote:
    """Inside where one axis, or more than half of three, say so.

    Parameters
    ----------
    casts : one axis, or all three, of one grid.
    layout : blocks that cover this grid.
    decide : judge of the samples on which the axes disagree, instead of their majority.
    unsound : inside of these, the axes may agree and be wrong; a random choice of such samples
        shows whether ``decide`` is asked about all of them.
    """
    counts = (layout.counts[0], layout.counts[1], layout.counts[2])
    block_size = layout.block_shape[0]
    needed = len(casts) // 2 + 1
    open_blocks = np.zeros(counts, dtype=bool)
    full_votes = np.zeros(counts, dtype=np.uint8)
    for cast in casts:
        states = cast.block_states(counts, block_size)
        open_blocks |= states == MIXED
        full_votes += states == FULL
    open_blocks |= (full_votes > 0) & (full_votes < len(casts))
    for cast in unsound:
        open_blocks |= cast.block_states(counts, block_size) != EMPTY
    constants = torch.from_numpy((full_votes >= needed).astype(np.uint8))[..., None]
    constants[torch.from_numpy(open_blocks)] = 0

    ids, coordinates = _in_morton_order(layout, torch.from_numpy(np.argwhere(open_blocks)))
    slots = np.full(counts, -1, dtype=np.int32)
    slots[tuple(coordinates.numpy().T)] = np.arange(len(ids), dtype=np.int32)
    votes = casts[0].fill_blocks(slots, len(ids), block_size)
    if len(casts) == 1:
        return Vote(SparseBlocks(layout, ids, torch.from_numpy(votes)[..., None], constants), 0, 0)
    for cast in casts[1:]:
        votes += cast.fill_blocks(slots, len(ids), block_size)
    inside = (votes >= needed).astype(np.uint8)
    samples = _OpenSamples(inside, coordinates.numpy(), casts[0].shape, layout)
    disputed = (votes > 0) & (votes < len(casts))
    number = samples.count(disputed)
    decided = 0
    if decide is not None:
        decided = samples.settle(disputed, decide)
        doubt = np.zeros_like(disputed)
        for cast in unsound:
            doubt |= cast.fill_blocks(slots, len(ids), block_size) > 0
        doubt &= ~disputed
        if samples.often_wrong(doubt, decide):
            decided += samples.settle(doubt, decide)
    values = torch.from_numpy(inside)
    # Axes that vary in a block, or differ about it, may still end in one value.
    varying = (values != values[:, :1]).any(dim=1)
    same = coordinates[~varying]
    constants[tuple(same.T)] = values[~varying][:, :1]
    blocks = SparseBlocks(layout, ids[varying], values[varying][..., None], constants)
    return Vote(blocks, number, decided)


@dataclass(frozen=True)
class _OpenSamples:
    """Samples of the blocks that a vote looks into, (block, sample), and where they are."""

    inside: Bytes
    coordinates: npt.NDArray[np.int64]
    shape: tuple[int, int, int]
    layout: BlockGrid

    def count(self, mask: npt.NDArray[np.bool_]) -> int:
        """Samples of a mask that belong to the grid, not to the padding."""
        return sum(self._in_grid(index) for _, index in self._chosen(mask))

    def settle(self, mask: npt.NDArray[np.bool_], decide: Decide) -> int:
        """Overwrite the samples of a mask; returns how many belong to the grid."""
        number = 0
        for where, index in self._chosen(mask):
            self.inside[where] = decide(self._clamped(index))
            number += self._in_grid(index)
        return number

    def often_wrong(self, mask: npt.NDArray[np.bool_], decide: Decide) -> bool:
        """Whether to ask about all samples of a mask, by asking about some."""
        if np.count_nonzero(mask) <= FIRST_ASKED:
            return bool(mask.any())
        block_samples = mask.shape[1]
        rng = np.random.default_rng(0)
        # Enough draws that about the wanted number fall into the mask, whatever its share.
        draws = int(FIRST_ASKED * mask.size / np.count_nonzero(mask))
        slot, inner = np.divmod(rng.integers(0, mask.size, draws), block_samples)
        drawn = mask[slot, inner]
        slot, inner = slot[drawn], inner[drawn]
        verdict = decide(self._clamped(self._index(slot, inner)))
        return bool(np.mean(verdict != self.inside[slot, inner]) > TOLERATED)

    def _chosen(self, mask: npt.NDArray[np.bool_]) -> Iterator[tuple[Where, npt.NDArray[np.int64]]]:
        """Positions in the arrays and on the grid of the samples of a mask, some at a time."""
        blocks = max(1, CHUNK_SAMPLES // self.layout.block_samples)
        for start in range(0, len(mask), blocks):
            slot, inner = np.nonzero(mask[start : start + blocks])
            if len(slot):
                yield (slot + start, inner), self._index(slot + start, inner)

    def _index(
        self, slot: npt.NDArray[np.int64], inner: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        within = np.stack(np.unravel_index(inner, self.layout.block_shape), axis=1)
        index: npt.NDArray[np.int64] = (
            self.coordinates[slot] * np.array(self.layout.block_shape) + within
        )
        return index

    def _clamped(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Padding goes on as the grid's last sample."""
        clamped: npt.NDArray[np.int64] = np.minimum(index, np.array(self.shape) - 1)
        return clamped

    def _in_grid(self, index: npt.NDArray[np.int64]) -> int:
        return int(np.count_nonzero((index < self.shape).all(axis=1)))


def _in_morton_order(layout: BlockGrid, coordinates: Tensor) -> tuple[Tensor, Tensor]:
    ids, order = layout.ids_of(coordinates).sort()
    return ids, coordinates[order]
