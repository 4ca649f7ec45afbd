"""What a model file holds before its first scale: grid, scales, metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from geom_miner.constraints import Range, check_fields
from geom_miner.grid.samples import MAX_SCALES, SampleGrid
from geom_miner.grid.signal_info import SignalInfo
from geom_miner.records import decode_record


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
