"""Blocks: equal, axis-aligned cells of samples, numbered along a Morton curve."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError

# Samples along an axis of a block at most; its samples are numbered in 63 bits.
MAX_BLOCK_SIZE = 1 << 20
# Index of the first sample on every axis, and of the first one beyond the box.
Box = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class BlockGrid:
    """Equal, non-overlapping blocks that cover a sampled signal of any dimension.

    A block is named by its Morton id: the bits of its coordinates interleaved, the last axis
    lowest. So sorting by id keeps neighbors together, and across a halving of every axis the
    parent of block ``id`` is ``id >> ndim`` and its children are ``(id << ndim) + k``.

    Parameters
    ----------
    counts : blocks per axis.
    block_shape : samples per axis of one block.
    """

    counts: tuple[int, ...]
    block_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.block_shape) or not self.counts:
            raise BlockShapeError(
                "counts and block_shape must have one entry per axis, got "
                f"{self.counts} and {self.block_shape}"
            )
        if min(self.counts) < 1 or min(self.block_shape) < 1:
            raise BlockShapeError(
                f"counts and block_shape must be >= 1, got {self.counts} and {self.block_shape}"
            )
        if max(self.block_shape) > MAX_BLOCK_SIZE or self.block_samples >= 1 << 62:
            raise BlockShapeError(f"blocks of {self.block_shape} samples are too large")
        if self._bits * self.ndim > 62:
            raise BlockShapeError(f"{self.counts} blocks are too many for 63-bit block ids")

    @classmethod
    def covering(
        cls, shape: tuple[int, ...], block_shape: tuple[int, ...], *, halvings: int = 0
    ) -> BlockGrid:
        """The smallest grid that covers ``shape`` and can be halved ``halvings`` times."""
        if len(shape) != len(block_shape):
            raise BlockShapeError(
                f"block_shape must have {len(shape)} entries as the signal has axes, "
                f"got {block_shape}"
            )
        multiples = [b * 2**halvings for b in block_shape]
        counts = tuple(-(-n // m) * 2**halvings for n, m in zip(shape, multiples, strict=True))
        return cls(counts, tuple(block_shape))

    @property
    def ndim(self) -> int:
        return len(self.counts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples per axis, whole blocks."""
        return tuple(c * b for c, b in zip(self.counts, self.block_shape, strict=True))

    @property
    def block_samples(self) -> int:
        """Samples in one block."""
        return math.prod(self.block_shape)

    @property
    def num_blocks(self) -> int:
        return math.prod(self.counts)

    @property
    def _bits(self) -> int:
        return max((max(self.counts) - 1).bit_length(), 1)

    def coarser(self) -> BlockGrid:
        """The grid of the next coarser scale; every count must be even."""
        if any(c % 2 for c in self.counts):
            raise BlockShapeError(f"counts must be even to be halved, got {self.counts}")
        return BlockGrid(tuple(c // 2 for c in self.counts), self.block_shape)

    def ids_of(self, coordinates: Tensor) -> Tensor:
        """Morton ids (q,) of block coordinates (q, ndim), both int64."""
        ids = torch.zeros(len(coordinates), dtype=torch.int64, device=coordinates.device)
        for bit, axis in itertools.product(range(self._bits), range(self.ndim)):
            place = bit * self.ndim + (self.ndim - 1 - axis)
            ids |= ((coordinates[:, axis] >> bit) & 1) << place
        return ids

    def coordinates_of(self, ids: Tensor) -> Tensor:
        """Block coordinates (q, ndim) of Morton ids (q,), both int64."""
        coordinates = torch.zeros(len(ids), self.ndim, dtype=torch.int64, device=ids.device)
        for bit, axis in itertools.product(range(self._bits), range(self.ndim)):
            place = bit * self.ndim + (self.ndim - 1 - axis)
            coordinates[:, axis] |= ((ids >> place) & 1) << bit
        return coordinates

    def all_coordinates(self, device: torch.device | None = None) -> Tensor:
        """Coordinates of every block in row-major order, (num_blocks, ndim)."""
        axes = [torch.arange(c, device=device) for c in self.counts]
        return torch.cartesian_prod(*axes).reshape(-1, self.ndim)

    def all_ids(self) -> Tensor:
        """Morton ids of every block, ascending."""
        return self.ids_of(self.all_coordinates()).sort().values

    def starts_of(self, ids: Tensor) -> Tensor:
        """Index of the first sample of each block, (q, ndim)."""
        return self.coordinates_of(ids) * torch.tensor(self.block_shape, device=ids.device)
