"""Codecs of block functions by name: how the blocks of a scale become bytes.

A section's JSON line may name its codec; one that names none holds block MLPs.
"""

from __future__ import annotations

from typing import Protocol

from geom_miner.model.block_mlps import BlockMLPs
from geom_miner.storage import mlp_codec
from geom_miner.storage.header import read_head


class Codec(Protocol):
    """What a codec module provides."""

    def pack_scale(self, blocks: BlockMLPs) -> bytes: ...

    def unpack_scale(self, payload: bytes) -> BlockMLPs: ...


MLP = "mlp"
CODECS: dict[str, Codec] = {MLP: mlp_codec}


def unpack_scale(payload: bytes) -> BlockMLPs:
    """Blocks of a SCALE section, by the codec that it names.

    Raises
    ------
    KeyError, TypeError, ValueError, SafetensorError
        The codec is unknown, or the payload does not hold what the codec wrote.
    """
    return CODECS[read_head(payload).get("codec", MLP)].unpack_scale(payload)
