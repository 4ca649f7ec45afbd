"""How a fit reads a signal: block by block, so that it need not lie in memory as a whole."""

from __future__ import annotations

from typing import Protocol, Self

import torch
from torch import Tensor

from geom_miner.grid.blocks import BlockGrid


class BlockSource(Protocol):
    """A signal on whole blocks, each of which can be read by its Morton id.

    ``SparseBlocks`` is the one that lies in memory.
    """

    @property
    def layout(self) -> BlockGrid:
        """The grid of blocks."""

    @property
    def channels(self) -> int:
        """Values per sample."""

    @property
    def device(self) -> torch.device:
        """Where ``read_blocks`` puts samples."""

    @property
    def varying_ids(self) -> Tensor:
        """Morton ids (m,) int64, ascending, of the blocks that are not constant."""

    def read_blocks(self, ids: Tensor) -> Tensor:
        """Samples of blocks, constant ones among them: (q, sample, channel) float32."""

    def constants_of(self, ids: Tensor) -> Tensor:
        """Values of constant blocks, (q, channel)."""

    def content_digest(self) -> str:
        """SHA-256 of everything that defines the signal, in hexadecimal digits."""

    def to(self, device: torch.device | str) -> Self:
        """The same signal, read to another device."""
