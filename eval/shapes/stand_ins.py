"""Shapes made by code, used if the scans are not available; none has the name of a scan."""

from __future__ import annotations

from collections.abc import Callable

from eval.shapes.stand_in_engine import procedural_engine
from eval.shapes.stand_in_statue import procedural_statue
from geom_miner import TriangleMesh

STAND_INS: dict[str, Callable[[], TriangleMesh]] = {
    "procedural-statue": procedural_statue,
    "procedural-engine": procedural_engine,
}
