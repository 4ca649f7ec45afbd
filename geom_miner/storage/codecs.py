"""Codecs of block functions by name: how the blocks of a scale become bytes.

A section's JSON line may name its codec; one that names none holds block MLPs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from geom_miner.model.scale_blocks import FittedBatch, ScaleBlocks
from geom_miner.records import RecordError
from geom_miner.storage import cosine_codec, mlp_codec
from geom_miner.storage.scale_head import read_head


class Codec(Protocol):
    """What a codec module provides.

    A scale is packed and unpacked with all coarser ones at hand, coarsest first.
    """

    VERSION: int
    """Format version of the files that hold such blocks."""

    def pack_scale(self, blocks: Any, coarser: Any) -> bytes: ...

    def unpack_scale(self, payload: bytes, coarser: Any) -> ScaleBlocks: ...

    def pack_batch(self, batch: Any) -> bytes: ...

    def unpack_batch(self, payload: bytes) -> FittedBatch: ...


CODECS: dict[str, Codec] = {"mlp": mlp_codec, "cosine": cosine_codec}


def unpack_scale(payload: bytes, coarser: Sequence[ScaleBlocks]) -> ScaleBlocks:
    """Blocks of a SCALE section, by the codec that it names.

    Raises
    ------
    ValueError
        The codec is unknown, or the payload does not hold what the codec wrote.
    """
    name = read_head(payload).codec
    if any(blocks.kind != name for blocks in coarser):
        raise RecordError(f"a scale of kind {name} stands beside one of kind {coarser[-1].kind}")
    return _codec(name).unpack_scale(payload, coarser)


def unpack_batch(payload: bytes) -> FittedBatch:
    """Blocks of a BATCH section; see ``unpack_scale``."""
    return _codec(read_head(payload).codec).unpack_batch(payload)


def _codec(name: str) -> Codec:
    if name not in CODECS:
        raise RecordError(f"codec must be one of {', '.join(CODECS)}, got {name!r}")
    return CODECS[name]
