"""Codecs of block functions by name: how the blocks of a scale become bytes.

A section's JSON line may name its codec; one that names none holds block MLPs.
"""

from __future__ import annotations

from typing import Protocol

from geom_miner.model.block_mlps import BlockMLPs
from geom_miner.records import RecordError
from geom_miner.storage import mlp_codec
from geom_miner.storage.scale_head import read_head


class Codec(Protocol):
    """What a codec module provides."""

    def pack_scale(self, blocks: BlockMLPs) -> bytes: ...

    def unpack_scale(self, payload: bytes) -> BlockMLPs: ...


CODECS: dict[str, Codec] = {"mlp": mlp_codec}


def unpack_scale(payload: bytes) -> BlockMLPs:
    """Blocks of a SCALE section, by the codec that it names.

    Raises
    ------
    ValueError
        The codec is unknown, or the payload does not hold what the codec wrote.
    """
    name = read_head(payload).codec
    if name not in CODECS:
        raise RecordError(f"codec must be one of {', '.join(CODECS)}, got {name!r}")
    return CODECS[name].unpack_scale(payload)
