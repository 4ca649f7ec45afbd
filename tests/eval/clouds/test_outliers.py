"""Outliers are points that lie alone and far away, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from eval.clouds.outliers import without_outliers
from eval.clouds.point_cloud import PointCloud
from tests.eval.methods.clouds import sphere_cloud


@pytest.mark.parametrize(("count", "reach"), [(1, 1e6), (20, 30.0)])
def test_lone_far_points_are_left_out_and_said(count: int, reach: float) -> None:
    cloud = sphere_cloud(2000)
    points = cloud.points.copy()
    points[:count] *= reach * np.linspace(1, 2, count)[:, None]
    kept = without_outliers(PointCloud(points, cloud.normals))
    np.testing.assert_array_equal(kept.points, points[count:])
    assert cloud.normals is not None
    np.testing.assert_allclose(kept.normals, cloud.normals[count:], atol=1e-15)
    (note,) = kept.notes
    assert note.startswith(f"Outliers left out: {count} of 2,000 points, which lie alone")


def test_a_second_object_is_no_outlier() -> None:
    near, far = sphere_cloud(2000), sphere_cloud(30, radius=0.1, center=(50, 0, 0))
    cloud = PointCloud(np.concatenate([near.points, far.points]))
    assert without_outliers(cloud) is cloud


def test_clouds_of_few_or_equal_points_have_none() -> None:
    for points in (np.eye(3), np.zeros((9, 3)), np.array([[0.0, 0, 0]]), np.eye(3) * 1e300):
        cloud = PointCloud(points)
        assert without_outliers(cloud) is cloud
