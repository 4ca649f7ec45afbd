"""Errors of judging; one sentence each, like those of geom_miner."""

from __future__ import annotations

from geom_miner import GeomMinerError


class MetricError(GeomMinerError):
    """Inputs that a metric or a picture cannot use."""


class CloudError(GeomMinerError):
    """A point cloud that is damaged, empty or of another kind than asked for."""


class MethodError(GeomMinerError):
    """A method that cannot do what is asked of it, or that failed at it."""
