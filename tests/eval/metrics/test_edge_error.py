"""Errors at sharp edges against boxes, whose edges are known."""

from __future__ import annotations

import numpy as np
import pytest

from eval.errors import MetricError
from eval.metrics.edge_error import edge_errors, sharp_edges
from geom_miner import TriangleMesh
from tests.shapes import box, sphere


def chamfered(source: TriangleMesh, cut: float) -> TriangleMesh:
    """The convex hull of a box whose corners are cut off along all edges."""
    from scipy.spatial import ConvexHull

    low, high = source.bounds
    points = []
    for corner in np.ndindex(2, 2, 2):
        at = np.where(corner, high, low)
        inward = np.where(corner, -cut, cut)
        points += [at + inward * (1 - np.eye(3)[k]) for k in range(3)]
    hull = ConvexHull(np.array(points))
    return TriangleMesh(np.array(points), hull.simplices)


def test_a_box_has_its_twelve_edges() -> None:
    ends = sharp_edges(box())
    low, high = box().bounds
    assert np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum() == pytest.approx(
        4 * (high - low).sum()
    )


def test_a_fine_sphere_has_none() -> None:
    assert not len(sharp_edges(sphere()))
    assert edge_errors(sphere(), sphere(), voxel=1.0) is None


def test_the_same_box_is_at_its_edges() -> None:
    errors = edge_errors(box(), box(), voxel=0.01, samples=500)
    assert errors is not None
    assert errors["max"] < 1e-9


def test_a_chamfer_stays_away_by_its_height() -> None:
    cut, voxel = 0.05, 0.01
    errors = edge_errors(chamfered(box(), cut), box(), voxel=voxel, samples=5000)
    assert errors is not None
    assert errors["median"] == pytest.approx(cut / np.sqrt(2) / voxel, rel=1e-6)
    assert errors["max"] <= cut * np.sqrt(4 / 3) / voxel + 1e-6


def test_nothing_reconstructed_is_no_number() -> None:
    nothing = TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
    assert edge_errors(nothing, box(), voxel=1.0) is None


def test_an_angle_that_is_none() -> None:
    with pytest.raises(MetricError, match="angle must be"):
        sharp_edges(box(), 0.0)
