"""Shapes made by code for when the scans cannot be had; they never bear the name of a scan."""

from __future__ import annotations

from collections.abc import Callable

from geom_miner import TriangleMesh
from pipelines.stand_in_engine import procedural_engine
from pipelines.stand_in_statue import procedural_statue

STAND_INS: dict[str, Callable[[], TriangleMesh]] = {
    "procedural-statue": procedural_statue,
    "procedural-engine": procedural_engine,
}
