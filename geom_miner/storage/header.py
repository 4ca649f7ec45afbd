"""What a model file holds before its first scale: grid, scales, metadata."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from geom_miner.constraints import Range, check_fields
from geom_miner.grid.samples import MAX_SCALES, SampleGrid
from geom_miner.grid.signal_info import SignalInfo
from geom_miner.records import RecordError, decode_record

# Bytes of a header's text at most: a few bytes must not inflate to gigabytes.
_LONGEST = 1 << 20


def header_text(payload: bytes, version: int) -> bytes:
    """The JSON of a HEADER section.

    Raises
    ------
    RecordError
        It cannot be inflated, or is longer than any header.
    """
    if version == 1:
        return payload
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(payload, _LONGEST)
    except zlib.error as error:
        raise RecordError(f"the header cannot be inflated ({error})") from error
    if not inflater.eof or inflater.unused_data:
        raise RecordError("the header is cut short, too long, or has bytes behind its end")
    return text


@dataclass(frozen=True)
class _GridRecord:
    """A sample grid in JSON; a whole number stays one, so that equal headers give equal bytes."""

    shape: tuple[int, ...]
    spacing: tuple[int | float, ...]
    origin: tuple[int | float, ...]


@dataclass(frozen=True)
class _HeaderRecord:
    grid: _GridRecord
    num_scales: int
    info: dict[str, Any]


@dataclass(frozen=True)
class Header:
    """Contents of the HEADER section.

    Parameters
    ----------
    metadata : JSON-able facts about the fit: settings, backend, versions.
    """

    grid: SampleGrid
    num_scales: Annotated[int, Range(1, MAX_SCALES)]
    info: SignalInfo
    metadata: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_fields(self)

    def to_json(self) -> bytes:
        """Canonical JSON: equal headers give equal bytes."""
        info = {**self.metadata, **self.info.to_json()}
        values = {"grid": asdict(self.grid), "num_scales": self.num_scales, "info": info}
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()

    def to_payload(self, version: int) -> bytes:
        """The payload of a HEADER section: JSON, deflated from format version 2 on."""
        return zlib.compress(self.to_json(), 9) if version > 1 else self.to_json()

    @classmethod
    def from_payload(cls, payload: bytes, version: int) -> Header:
        """The inverse of ``to_payload``.

        Raises
        ------
        ValueError
            The payload is no header, or a number lies outside its range.
        """
        return cls.from_json(header_text(payload, version))

    @classmethod
    def from_json(cls, payload: bytes) -> Header:
        """The inverse of ``to_json``.

        Raises
        ------
        ValueError
            The payload is no header, or a number lies outside its range.
        """
        record = decode_record(payload, _HeaderRecord)
        grid = SampleGrid(record.grid.shape, record.grid.spacing, record.grid.origin)
        return cls(grid, record.num_scales, *SignalInfo.from_json(record.info))
