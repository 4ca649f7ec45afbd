"""The surface of oriented points: spheres and planes are exact, noise is seen for what it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.clouds.point_cloud import PointCloud
from geom_miner.errors import PointsError
from geom_miner.points.surface import Floats
from tests.eval.methods.clouds import plate_cloud, sphere_cloud, surface_of

COUNT = 2000
SPACING = float(np.sqrt(4 * np.pi / COUNT))


def around_a_sphere(count: int = 1000, within: float = 2 * SPACING) -> tuple[Floats, Floats]:
    """Places near the unit sphere, and how deep they are inside of it."""
    rng = np.random.default_rng(3)
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    depth = rng.uniform(-within, within, count)
    return directions * (1 - depth)[:, None], depth


def test_the_distance_to_a_sphere_is_exact() -> None:
    places, depth = around_a_sphere()
    found = surface_of(sphere_cloud(COUNT)).distance(places)[0]
    np.testing.assert_allclose(found, depth, atol=1e-9)


def test_the_distance_to_a_plane_is_exact() -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(0, 1, (400, 2)), np.full(400, 0.25)])
    surface = surface_of(PointCloud(points, np.tile([0.0, 0.0, 2.0], (400, 1))))
    places = np.column_stack([rng.uniform(0.2, 0.8, (300, 2)), rng.uniform(0.15, 0.35, 300)])
    np.testing.assert_allclose(surface.distance(places)[0], 0.25 - places[:, 2], atol=1e-12)


def test_far_from_points_the_distance_is_that_to_them() -> None:
    surface = surface_of(sphere_cloud(COUNT))
    places, depth = around_a_sphere(300, within=0.8)
    np.testing.assert_allclose(np.abs(surface.distance(places)[0]), np.abs(depth), atol=0.01)


def test_each_side_of_a_thin_plate_has_its_own_distance() -> None:
    surface = surface_of(plate_cloud(0.03, spacing=0.05))
    z = np.linspace(-0.06, 0.06, 25)
    places = np.column_stack([np.full((25, 2), 0.51), z])
    np.testing.assert_allclose(surface.distance(places)[0], 0.015 - np.abs(z), atol=1e-9)


@settings(max_examples=10)
@given(
    seed=st.integers(0, 1000),
    scale=st.floats(1e-3, 1e3),
    shift=st.tuples(*[st.floats(-1e3, 1e3)] * 3),
)
def test_a_moved_cloud_has_moved_distances(
    seed: int, scale: float, shift: tuple[float, float, float]
) -> None:
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    cloud = sphere_cloud(300)
    assert cloud.normals is not None
    rough = cloud.points * np.random.default_rng(7).uniform(0.98, 1.02, (300, 1))
    places = around_a_sphere(50)[0]

    def moved(points: Floats) -> Floats:
        return scale * (points @ rotation.T) + np.asarray(shift)

    still = surface_of(PointCloud(rough, cloud.normals)).distance(places)[0]
    there = surface_of(PointCloud(moved(rough), cloud.normals @ rotation.T))
    assert there.noise > 0
    # Areas are looked for along fixed directions, so that a turned cloud's differ a little.
    np.testing.assert_allclose(there.distance(moved(places))[0] / scale, still, atol=2e-3)


@pytest.mark.parametrize("noise", [0.1 * SPACING, 0.5 * SPACING])
def test_noise_is_told_and_smoothed_away(noise: float) -> None:
    cloud = sphere_cloud(20 * COUNT)
    spacing = SPACING / np.sqrt(20)
    noise /= np.sqrt(20)
    rng = np.random.default_rng(1)
    points = cloud.points + noise * rng.standard_normal(cloud.points.shape)
    surface = surface_of(PointCloud(points, cloud.normals))
    # Of much noise less is seen: the nearest of noisy points are those whose noise is alike.
    assert 0.7 * noise < surface.noise < 1.1 * noise
    assert surface.width > surface_of(cloud).width
    places, depth = around_a_sphere(within=spacing)
    error = np.sqrt(np.mean(np.square(surface.distance(places)[0] - depth)))
    assert error < 0.7 * noise


def test_clean_points_of_a_sphere_have_no_noise() -> None:
    surface = surface_of(sphere_cloud(COUNT))
    assert surface.noise < 1e-12
    assert surface.doubt < 1e-9


def test_winding_numbers_tell_the_sides() -> None:
    surface = surface_of(sphere_cloud(COUNT))
    found = surface.winding(np.array([[0.0, 0, 0], [0.5, 0.5, 0], [1.5, 0, 0], [0, -3, 0]]))
    np.testing.assert_allclose(found, [1, 1, 0, 0], atol=0.03)


def test_what_it_cannot_use() -> None:
    with pytest.raises(PointsError, match="no normals"):
        surface_of(PointCloud(sphere_cloud(100).points))
    with pytest.raises(PointsError, match="points must be more than 16, got 16"):
        surface_of(sphere_cloud(16))
