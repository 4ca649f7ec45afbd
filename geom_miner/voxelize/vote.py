"""Combine the column casts of several axes into one occupancy, on sparse blocks."""

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

# A test of samples: from grid indices (q, 3) of samples to whether each is inside, (q,).
IsInside = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]

# Samples that are processed at once.
CHUNK_SAMPLES = 1 << 22

# Suspect samples are tested one by one if there are no more than this. Otherwise about this many
# random ones are tested, and the others only if these contradict the vote more often than a
# tolerated share.
FIRST_TESTED = 1 << 13
TOLERATED_SHARE = 1e-3

_BITS = Packing()


@dataclass(frozen=True)
class Vote:
    """The occupancy by a vote of the axes, and how often they disagree."""

    blocks: SparseBlocks
    disputed: int
    """Samples of the grid on which the axes disagree."""
    decided: int
    """Samples of the grid that were decided by the test instead of the vote."""


def vote(
    casts: Sequence[ColumnCast],
    shape: tuple[int, int, int],
    *,
    is_inside: IsInside | None = None,
    check_unbalanced: bool = False,
) -> Vote:
    """The median of the axes' values: inside where the only axis, or two of three, find inside.

    Axes disagree about a sample if their values differ by more than 1/2.

    Parameters
    ----------
    casts : casts along one axis, or along all three, of one grid.
    shape : samples per axis of that grid.
    is_inside : decides the samples on which the axes disagree, instead of their majority.
    check_unbalanced : also test samples in columns whose crossings do not balance, where the axes
        may agree and be wrong. A random choice of such samples shows whether all of them need
        ``is_inside``.
    """
    if len(casts) == 1:
        return Vote(casts[0].blocks, 0, 0)
    ballot = _Ballot.over(casts, shape, check_unbalanced and is_inside is not None)
    disputed = ballot.count(ballot.disputed)
    decided = 0
    if is_inside is not None:
        decided = ballot.overwrite(ballot.disputed, is_inside)
        if ballot.is_often_wrong(ballot.suspect, is_inside):
            decided += ballot.overwrite(ballot.suspect, is_inside)
    return Vote(ballot.result(), disputed, decided)


@dataclass(frozen=True)
class _Ballot:
    """The blocks whose values are not the same constant on all axes, with packed samples."""

    layout: BlockGrid
    shape: tuple[int, int, int]
    packing: Packing
    constants: Tensor
    ids: Tensor
    coordinates: npt.NDArray[np.int64]
    inside: Tensor
    """(block, bytes), the result so far."""
    disputed: Tensor
    """(block, bytes), one bit per sample: set where the axes disagree."""
    suspect: Tensor
    """(block, bytes), one bit per sample: set where the axes agree in an unbalanced column."""

    @classmethod
    def over(
        cls, casts: Sequence[ColumnCast], shape: tuple[int, int, int], check_unbalanced: bool
    ) -> _Ballot:
        """The median of the casts, the disputed samples, and on request the suspect ones."""
        first = casts[0].blocks
        layout, packing = first.layout, first.packing or _BITS
        per_cast = torch.stack([cast.blocks.constants for cast in casts])
        is_mixed = (per_cast != per_cast[0]).any(dim=0)[..., 0]
        for cast in casts:
            is_mixed |= cast.blocks.is_varying
            if check_unbalanced:
                is_mixed |= torch.from_numpy(_unbalanced_blocks(cast, layout).copy())
        constants = per_cast.median(dim=0).values
        ids = layout.ids_of(is_mixed.nonzero()).sort().values
        coordinates = layout.coordinates_of(ids).numpy()
        samples = layout.block_samples
        inside = torch.empty(len(ids), packing.row_bytes(samples), dtype=torch.uint8)
        disputed = torch.empty(len(ids), _BITS.row_bytes(samples), dtype=torch.uint8)
        suspect = torch.zeros_like(disputed)
        for rows in _chunks(len(ids), samples):
            values = torch.stack([cast.blocks.read_blocks(ids[rows])[..., 0] for cast in casts])
            low, high = values.aminmax(dim=0)
            disagree = high - low > 0.5
            inside[rows] = packing.pack(values.median(dim=0).values)
            disputed[rows] = _BITS.pack(disagree)
            if check_unbalanced:
                unbalanced = np.zeros((len(disagree), *layout.block_shape), dtype=bool)
                for cast in casts:
                    unbalanced |= _unbalanced_samples(cast, layout, coordinates[rows])
                flat = torch.from_numpy(unbalanced.reshape(len(disagree), -1))
                suspect[rows] = _BITS.pack(flat & ~disagree)
        return cls(layout, shape, packing, constants, ids, coordinates, inside, disputed, suspect)

    def count(self, mask: Tensor) -> int:
        """Samples of a mask that belong to the grid, not to the padding."""
        return sum(self._count_in_grid(index) for _, _, index in self._masked_samples(mask))

    def overwrite(self, mask: Tensor, is_inside: IsInside) -> int:
        """Decide the samples of a mask by a test; returns how many of them belong to the grid."""
        number = 0
        for rows, masked, index in self._masked_samples(mask):
            values = self.packing.unpack(self.inside[rows], self.layout.block_samples)
            values[masked] = torch.from_numpy(is_inside(self._clamped(index))).float()
            self.inside[rows] = self.packing.pack(values)
            number += self._count_in_grid(index)
        return number

    def is_often_wrong(self, mask: Tensor, is_inside: IsInside) -> bool:
        """Whether a test contradicts the vote often in a mask; estimated from random samples of it.

        A mask of few samples counts as often wrong without a test.
        """
        samples = self.layout.block_samples
        number = sum(int(_BITS.unpack(mask[rows], samples).sum()) for rows in _chunks(*mask.shape))
        if number <= FIRST_TESTED:
            return number > 0
        rng = np.random.default_rng(0)
        # Drawn from all samples of the blocks, so that about FIRST_TESTED fall into the mask.
        draws = int(FIRST_TESTED * len(mask) * samples / number)
        slot = torch.from_numpy(rng.integers(0, len(mask), draws))
        inner = torch.from_numpy(rng.integers(0, samples, draws))
        drawn = _BITS.read(mask, slot, inner) > 0
        slot, inner = slot[drawn], inner[drawn]
        tested = is_inside(self._clamped(self._grid_index(slot, inner)))
        voted = self.packing.read(self.inside, slot, inner).numpy() > 0.5
        return bool(np.mean(tested != voted) > TOLERATED_SHARE)

    def result(self) -> SparseBlocks:
        """The occupancy, with blocks of equal samples as constants."""
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

    def _masked_samples(
        self, mask: Tensor
    ) -> Iterator[tuple[slice, tuple[Tensor, Tensor], npt.NDArray[np.int64]]]:
        """Chunks of rows, the masked samples within each chunk, and their grid indices."""
        samples = self.layout.block_samples
        for rows in _chunks(len(mask), samples):
            slot, inner = _BITS.unpack(mask[rows], samples).nonzero(as_tuple=True)
            if len(slot):
                yield rows, (slot, inner), self._grid_index(slot + rows.start, inner)

    def _grid_index(self, slot: Tensor, inner: Tensor) -> npt.NDArray[np.int64]:
        within = np.stack(np.unravel_index(inner.numpy(), self.layout.block_shape), axis=1)
        index: npt.NDArray[np.int64] = (
            self.coordinates[slot.numpy()] * np.array(self.layout.block_shape) + within
        )
        return index

    def _clamped(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Indices with padding replaced by the grid's last sample, which padding repeats."""
        clamped: npt.NDArray[np.int64] = np.minimum(index, np.array(self.shape) - 1)
        return clamped

    def _count_in_grid(self, index: npt.NDArray[np.int64]) -> int:
        return int(np.count_nonzero((index < self.shape).all(axis=1)))


def _chunks(rows: int, samples: int) -> Iterator[slice]:
    per_chunk = max(1, CHUNK_SAMPLES // samples)
    for start in range(0, rows, per_chunk):
        yield slice(start, min(start + per_chunk, rows))


def _unbalanced_blocks(cast: ColumnCast, layout: BlockGrid) -> npt.NDArray[np.bool_]:
    """Whether an unbalanced column of a cast runs through each block, (*counts)."""
    size, across = layout.block_shape[0], np.delete(layout.counts, cast.axis)
    padding = [
        (0, count * size - n) for count, n in zip(across, cast.unbalanced.shape, strict=True)
    ]
    flags = np.pad(cast.unbalanced, padding).reshape(across[0], size, across[1], size)
    blocks = np.expand_dims(flags.any(axis=(1, 3)), cast.axis)
    return np.broadcast_to(blocks, layout.counts)


def _unbalanced_samples(
    cast: ColumnCast, layout: BlockGrid, coordinates: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether samples of blocks lie in unbalanced columns; of size 1 along the cast's axis."""
    size = layout.block_shape[0]
    starts = np.delete(coordinates, cast.axis, axis=1) * size
    # Padding repeats the last sample.
    last = np.array(cast.unbalanced.shape) - 1
    index = np.minimum(starts[:, :, None] + np.arange(size), last[:, None])
    flags = cast.unbalanced[index[:, 0, :, None], index[:, 1, None, :]]
    return np.expand_dims(flags, cast.axis + 1)
