"""Errors of the evaluation; the message of each is one sentence, as in geom_miner."""

from __future__ import annotations

from geom_miner import GeomMinerError


class MetricError(GeomMinerError):
    """Inputs that a metric or a picture cannot use."""


class CloudError(GeomMinerError):
    """A point cloud that is damaged or empty, or lacks what is needed."""


class MethodError(GeomMinerError):
    """A method that does not exist, cannot do what is requested, or failed."""
