"""Flipped normals are found, and weigh no more than their own area."""

from __future__ import annotations

import numpy as np
import pytest

from geom_miner.points.disagreement import flipped_normals
from geom_miner.points.surface import Floats, PointSurface
from tests.eval.methods.clouds import plate_cloud, sphere_cloud, surface_of


def flipped_sphere(share: float) -> tuple[Floats, Floats, np.ndarray]:
    """Points, normals, and which of them are flipped."""
    cloud = sphere_cloud(4000)
    assert cloud.normals is not None
    flipped = np.random.default_rng(1).random(len(cloud)) < share
    return cloud.points, np.where(flipped[:, None], -1.0, 1.0) * cloud.normals, flipped


@pytest.mark.parametrize("share", [0.005, 0.02, 0.1])
def test_the_winding_number_is_that_of_the_areas(share: float) -> None:
    points, normals, flipped = flipped_sphere(share)
    surface = PointSurface(points, normals)
    (winding,) = surface.winding(np.zeros((1, 3)))
    # The areas of the cells add up to 1 % more than the sphere's.
    assert winding == pytest.approx(1 - 2 * flipped.mean(), abs=0.02)
    assert np.mean(surface.flipped == flipped) > 0.999


def test_distances_of_a_sphere_with_flipped_normals_are_the_spheres() -> None:
    points, normals, _ = flipped_sphere(0.1)
    rng = np.random.default_rng(2)
    queries = rng.standard_normal((500, 3))
    queries *= (rng.uniform(0.97, 1.03, 500) / np.linalg.norm(queries, axis=1))[:, None]
    found, sure = PointSurface(points, normals).distance(queries)
    depth = 1 - np.linalg.norm(queries, axis=1)
    assert sure.mean() > 0.9
    np.testing.assert_allclose(found[sure], depth[sure], atol=1e-3)


def test_both_sides_of_a_plate_are_right() -> None:
    assert not surface_of(plate_cloud(0.02)).flipped.any()
    assert not surface_of(plate_cloud(0.1)).flipped.any()


def test_a_lone_point_has_a_bounded_area() -> None:
    cloud = sphere_cloud(2000)
    assert cloud.normals is not None
    points, normals = cloud.points.copy(), cloud.normals.copy()
    # Beside the sphere and facing along it, so that no neighbor bounds its cell on the far side.
    points[0], normals[0] = [3, 0, 0], [0, 0, 1]
    surface = PointSurface(points, normals)
    assert surface.areas[0] == pytest.approx(100 * np.median(surface.areas), rel=0.5)


def test_one_neighborhood_decides_alone() -> None:
    points = np.concatenate([np.zeros((1, 3)), np.eye(3)[:2], -np.eye(3)[:2]])
    normals = np.tile([0.0, 0.0, 1.0], (5, 1))
    normals[0] *= -1
    neighbors = np.array([[1, 2, 3, 4], *[[0, 1, 2, 3]] * 4])
    assert flipped_normals(points, normals, neighbors)[0]
