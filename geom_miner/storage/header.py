"""What a model file holds before its first scale: grid, scales, metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.signal_info import SignalInfo


@dataclass(frozen=True)
class Header:
    """Contents of the HEADER section.

    Parameters
    ----------
    metadata : JSON-able facts about the fit: settings, backend, versions.
    """

    grid: SampleGrid
    num_scales: int
    info: SignalInfo
    metadata: Mapping[str, Any]

    def to_json(self) -> bytes:
        """Canonical JSON: equal headers give equal bytes."""
        info = {**self.metadata, **self.info.to_json()}
        values = {"grid": asdict(self.grid), "num_scales": self.num_scales, "info": info}
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Header:
        """The inverse of ``to_json``."""
        values = json.loads(payload)
        grid = SampleGrid(**{key: tuple(entry) for key, entry in values["grid"].items()})
        return cls(grid, int(values["num_scales"]), *SignalInfo.from_json(values["info"]))


def read_head(payload: bytes) -> dict[str, Any]:
    """The JSON line that opens the payload of a SCALE or BATCH section."""
    return dict(json.loads(payload.split(b"\n", 1)[0]))
