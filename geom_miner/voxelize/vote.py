"""Several axes' answers made one, on sparse blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.packing import Packing
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.voxelize.columns import ColumnCast

# From indices of samples (q, 3), inside the grid, to whether they are inside the surface, (q,).
Decide = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]

# Samples of blocks that are looked through at once.
CHUNK_SAMPLES = 1 << 22

# Of more unsound samples than this, so many are asked about first; the others only if these
# contradict the vote more often than the share below.
FIRST_ASKED = 1 << 13
TOLERATED = 1e-3

_BITS = Packing()


@dataclass(frozen=True)
class Vote:
    """What the axes agree on, and how often they do not."""

    blocks: SparseBlocks
    disputed: int
    """Samples of the grid on which the axes disagree."""
    decided: int
    """Samples of the grid that were decided otherwise than by vote."""


def vote(
    casts: Sequence[ColumnCast],
    shape: tuple[int, int, int],
    *,
    decide: Decide | None = None,
    unsound: bool = False,
) -> Vote:
    """Inside where one axis, or more than half of three, say so: the median of their values.

    Axes disagree about a sample if their values differ by more than 1/2.

    Parameters
    ----------
    casts : one axis, or all three, of one grid.
    shape : samples per axis of that grid.
    decide : judge of the samples on which the axes disagree, instead of their majority.
    unsound : in columns whose crossings do not balance, the axes may agree and be wrong; a random
        choice of such samples shows whether ``decide`` is asked about all of them.
    """
    if len(casts) == 1:
        return Vote(casts[0].blocks, 0, 0)
    ballot = _Ballot.over(casts, shape, unsound and decide is not None)
    disputed = ballot.count(ballot.disputed)
    decided = 0
    if decide is not None:
        decided = ballot.settle(ballot.disputed, decide)
        if ballot.often_wrong(ballot.doubtful, decide):
            decided += ballot.settle(ballot.doubtful, decide)
    return Vote(ballot.result(), disputed, decided)


@dataclass(frozen=True)
class _Ballot:
    """Blocks on which the axes do not all say the same number, and their samples, packed."""

    layout: BlockGrid
    shape: tuple[int, int, int]
    packing: Packing
    constants: Tensor
    ids: Tensor
    coordinates: npt.NDArray[np.int64]
    inside: Tensor
    """(block, bytes), the answer as it stands."""
    disputed: Tensor
    """(block, bytes), bits of the samples on which the axes disagree."""
    doubtful: Tensor
    """The same, of samples on which they agree in a column that does not balance."""

    @classmethod
    def over(
        cls, casts: Sequence[ColumnCast], shape: tuple[int, int, int], unsound: bool
    ) -> _Ballot:
        first = casts[0].blocks
        layout, packing = first.layout, first.packing or _BITS
        said = torch.stack([cast.blocks.constants for cast in casts])
        is_open = (said != said[0]).any(dim=0)[..., 0]
        for cast in casts:
            is_open |= cast.blocks.slots >= 0
            if unsound:
                is_open |= torch.from_numpy(_blocks_of(cast, layout).copy())
        constants = said.median(dim=0).values
        ids = layout.ids_of(is_open.nonzero()).sort().values
        coordinates = layout.coordinates_of(ids).numpy()
        samples = layout.block_samples
        inside = torch.empty(len(ids), packing.row_bytes(samples), dtype=torch.uint8)
        disputed = torch.empty(len(ids), _BITS.row_bytes(samples), dtype=torch.uint8)
        doubtful = torch.zeros_like(disputed)
        for rows in _chunks(len(ids), samples):
            values = torch.stack([cast.blocks.read_blocks(ids[rows])[..., 0] for cast in casts])
            low, high = values.aminmax(dim=0)
            differ = high - low > 0.5
            inside[rows] = packing.pack(values.median(dim=0).values)
            disputed[rows] = _BITS.pack(differ)
            if unsound:
                marked = np.zeros((len(differ), *layout.block_shape), dtype=bool)
                for cast in casts:
                    marked |= _samples_of(cast, layout, coordinates[rows])
                doubt = torch.from_numpy(marked.reshape(len(differ), -1)) & ~differ
                doubtful[rows] = _BITS.pack(doubt)
        return cls(layout, shape, packing, constants, ids, coordinates, inside, disputed, doubtful)

    def count(self, mask: Tensor) -> int:
        """Samples of a mask that belong to the grid, not to the padding."""
        return sum(self._in_grid(index) for _, _, index in self._chosen(mask))

    def settle(self, mask: Tensor, decide: Decide) -> int:
        """Overwrite the samples of a mask; returns how many belong to the grid."""
        number = 0
        for rows, chosen, index in self._chosen(mask):
            values = self.packing.unpack(self.inside[rows], self.layout.block_samples)
            values[chosen] = torch.from_numpy(decide(self._clamped(index))).float()
            self.inside[rows] = self.packing.pack(values)
            number += self._in_grid(index)
        return number

    def often_wrong(self, mask: Tensor, decide: Decide) -> bool:
        """Whether to ask about all samples of a mask, by asking about some."""
        samples = self.layout.block_samples
        number = sum(int(_BITS.unpack(mask[rows], samples).sum()) for rows in _chunks(*mask.shape))
        if number <= FIRST_ASKED:
            return number > 0
        rng = np.random.default_rng(0)
        # Enough draws that about the wanted number fall into the mask, whatever its share.
        draws = int(FIRST_ASKED * len(mask) * samples / number)
        slot = torch.from_numpy(rng.integers(0, len(mask), draws))
        inner = torch.from_numpy(rng.integers(0, samples, draws))
        drawn = _BITS.read(mask, slot, inner) > 0
        slot, inner = slot[drawn], inner[drawn]
        verdict = decide(self._clamped(self._index(slot, inner)))
        found = self.packing.read(self.inside, slot, inner).numpy() > 0.5
        return bool(np.mean(verdict != found) > TOLERATED)

    def result(self) -> SparseBlocks:
        """The answer; blocks that came out all alike are constants."""
        varies = torch.zeros(len(self.ids), dtype=torch.bool)
        constants = self.constants.clone()
        for rows in _chunks(len(self.ids), self.layout.block_samples):
            values = self.packing.unpack(self.inside[rows], self.layout.block_samples)
            varies[rows] = (values != values[:, :1]).any(dim=1)
            constants[tuple(self.coordinates[rows].T)] = values[:, :1].to(constants.dtype)
        constants[tuple(self.coordinates[varies.numpy()].T)] = 0
        return SparseBlocks(
            self.layout, self.ids[varies], self.inside[varies], constants, self.packing
        )

    def _chosen(
        self, mask: Tensor
    ) -> Iterator[tuple[slice, tuple[Tensor, Tensor], npt.NDArray[np.int64]]]:
        """Runs of rows, samples of the mask within the run, and their places on the grid."""
        samples = self.layout.block_samples
        for rows in _chunks(len(mask), samples):
            slot, inner = _BITS.unpack(mask[rows], samples).nonzero(as_tuple=True)
            if len(slot):
                yield rows, (slot, inner), self._index(slot + rows.start, inner)

    def _index(self, slot: Tensor, inner: Tensor) -> npt.NDArray[np.int64]:
        within = np.stack(np.unravel_index(inner.numpy(), self.layout.block_shape), axis=1)
        index: npt.NDArray[np.int64] = (
            self.coordinates[slot.numpy()] * np.array(self.layout.block_shape) + within
        )
        return index

    def _clamped(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Padding goes on as the grid's last sample."""
        clamped: npt.NDArray[np.int64] = np.minimum(index, np.array(self.shape) - 1)
        return clamped

    def _in_grid(self, index: npt.NDArray[np.int64]) -> int:
        return int(np.count_nonzero((index < self.shape).all(axis=1)))


def _chunks(rows: int, samples: int) -> Iterator[slice]:
    per_chunk = max(1, CHUNK_SAMPLES // samples)
    for start in range(0, rows, per_chunk):
        yield slice(start, min(start + per_chunk, rows))


def _blocks_of(cast: ColumnCast, layout: BlockGrid) -> npt.NDArray[np.bool_]:
    """Blocks, (*counts), that an unbalanced column of a cast runs through."""
    size, across = layout.block_shape[0], np.delete(layout.counts, cast.axis)
    padding = [
        (0, count * size - n) for count, n in zip(across, cast.unbalanced.shape, strict=True)
    ]
    flags = np.pad(cast.unbalanced, padding).reshape(across[0], size, across[1], size)
    found = np.expand_dims(flags.any(axis=(1, 3)), cast.axis)
    return np.broadcast_to(found, layout.counts)


def _samples_of(
    cast: ColumnCast, layout: BlockGrid, coordinates: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Samples of blocks in unbalanced columns of a cast, of size 1 along its axis."""
    size = layout.block_shape[0]
    starts = np.delete(coordinates, cast.axis, axis=1) * size
    # Padding goes on as the last sample.
    last = np.array(cast.unbalanced.shape) - 1
    index = np.minimum(starts[:, :, None] + np.arange(size), last[:, None])
    flags = cast.unbalanced[index[:, 0, :, None], index[:, 1, None, :]]
    return np.expand_dims(flags, cast.axis + 1)
