"""Errors of judging; one sentence each, like those of geom_miner."""

from __future__ import annotations

from geom_miner import GeomMinerError


class MetricError(GeomMinerError):
    """Inputs that a metric or a picture cannot use."""
