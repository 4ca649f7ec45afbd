"""Coefficients of a model file that are decoded chunk by chunk, when they are asked for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from geom_miner.coding import BlockLevels, decode_chunk, encode_chunk
from geom_miner.compile_notice import announce_compiling
from geom_miner.errors import ModelFileError
from geom_miner.model.block_cosines import Levels, SparseLevels
from geom_miner.parallel import parallel_map
from geom_miner.records import RecordError

CHUNK_BLOCKS = 64
"""Blocks that are coded together; any chunk is decoded without the others."""


@dataclass(frozen=True)
class StoredLevels:
    """Coded rows, with the interface of ``SparseLevels``.

    Parameters
    ----------
    chunks : coded blocks, ``CHUNK_BLOCKS`` in each but the last.
    blocks, channels : number of blocks, and rows of each.
    block_shape : samples per axis of a block.
    """

    chunks: tuple[bytes, ...]
    blocks: int
    channels: int
    block_shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.blocks * self.channels

    @cached_property
    def all(self) -> SparseLevels:
        """Every row, decoded once."""
        return SparseLevels.stacked(self._decoded(range(len(self.chunks))))

    @property
    def offsets(self) -> Tensor:
        return self.all.offsets

    @property
    def places(self) -> Tensor:
        return self.all.places

    @property
    def levels(self) -> Tensor:
        return self.all.levels

    def chosen(self, rows: Tensor) -> SparseLevels:
        """The rows of a mask, from the chunks that hold them."""
        if "all" in self.__dict__ or bool(rows.all()):
            return self.all.chosen(rows)
        size = CHUNK_BLOCKS * self.channels
        parts = torch.split(rows.cpu(), size)
        touched = [index for index, part in enumerate(parts) if bool(part.any())]
        decoded = self._decoded(touched)
        pairs = zip(touched, decoded, strict=True)
        return SparseLevels.stacked([levels.chosen(parts[index]) for index, levels in pairs])

    def coefficients(self, first: int, stop: int, samples: int, steps: Tensor) -> Tensor:
        """See ``SparseLevels.coefficients``."""
        return self.all.coefficients(first, stop, samples, steps)

    def to(self, device: torch.device | str) -> Levels:
        """Decoded rows on a GPU; on the CPU these."""
        return self if torch.device(device).type == "cpu" else self.all.to(device)

    def _decoded(self, chunks: range | list[int]) -> list[SparseLevels]:
        with announce_compiling("the decoder of coefficients", 15):
            try:
                return parallel_map(self._decode, [(index,) for index in chunks])
            except RecordError as error:
                raise ModelFileError(
                    f"the model's coefficients cannot be read ({error}); copy the file again or "
                    "fit it anew"
                ) from error

    def _decode(self, index: int) -> SparseLevels:
        blocks = min(CHUNK_BLOCKS, self.blocks - index * CHUNK_BLOCKS)
        levels = decode_chunk(self.chunks[index], self.block_shape, self.channels, blocks=blocks)
        return SparseLevels(
            torch.from_numpy(levels.offsets),
            torch.from_numpy(levels.places),
            torch.from_numpy(levels.levels),
        )


def encode_levels(levels: Levels, block_shape: tuple[int, ...], channels: int) -> list[bytes]:
    """The chunks of some rows."""
    if isinstance(levels, StoredLevels):
        return list(levels.chunks)
    offsets, places, values = (
        np.ascontiguousarray(tensor.cpu().numpy())
        for tensor in (levels.offsets, levels.places, levels.levels)
    )
    whole = BlockLevels(offsets, places, values)
    ends = [*range(0, len(whole), CHUNK_BLOCKS * channels), len(whole)]
    with announce_compiling("the encoder of coefficients", 15):
        return parallel_map(
            lambda first, stop: encode_chunk(whole.rows(first, stop), block_shape, channels),
            itertools.pairwise(ends),
        )
