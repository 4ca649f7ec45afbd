"""The JSON line that opens the payload of a SCALE or BATCH section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

from geom_miner.constraints import Range, check_fields
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import MAX_SCALES
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.records import RecordError, decode_record

# Bytes of the line at most; one of 8 axes has about 300.
_LONGEST = 1 << 16


@dataclass(frozen=True)
class SectionHead:
    """What the line of every section says."""

    scale: Annotated[int, Range(0, MAX_SCALES - 1)]
    codec: str = "mlp"

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class _ArchitectureRecord:
    ndim: int
    width: int
    depth: int
    channels: int
    omega: int | float


@dataclass(frozen=True)
class _ScaleRecord:
    scale: int
    counts: tuple[int, ...]
    block_shape: tuple[int, ...]
    architecture: _ArchitectureRecord


@dataclass(frozen=True)
class ScaleHead:
    """What the line of a scale of block MLPs says."""

    scale: int
    layout: BlockGrid
    architecture: MLPArchitecture


Record = TypeVar("Record")


def split_head(payload: bytes, record_type: type[Record]) -> tuple[Record, bytes]:
    """The line as a record, and what follows it.

    Raises
    ------
    RecordError
        There is no such line.
    """
    end = payload.find(b"\n", 0, _LONGEST)
    if end < 0:
        raise RecordError("a section must begin with one line of JSON")
    return decode_record(payload[:end], record_type), payload[end + 1 :]


def read_head(payload: bytes) -> SectionHead:
    """What every section says of itself; see ``split_head``."""
    return split_head(payload[:_LONGEST], SectionHead)[0]


def split_scale_head(payload: bytes) -> tuple[ScaleHead, bytes]:
    """The line of a scale of block MLPs, and its tensors as bytes; see ``split_head``."""
    record, packed = split_head(payload, _ScaleRecord)
    shape = record.architecture
    architecture = MLPArchitecture(
        shape.ndim, shape.width, shape.depth, shape.channels, shape.omega
    )
    layout = BlockGrid(record.counts, record.block_shape)
    if layout.ndim != architecture.ndim:
        raise RecordError(f"MLPs of {architecture.ndim} inputs on {layout.ndim} axes")
    return ScaleHead(record.scale, layout, architecture), packed
