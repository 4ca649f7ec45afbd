"""Surfels: right areas, right frames, and from afar the sum of dipoles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from geom_miner.points.surfels import Floats, surfels, tangents, voronoi_areas
from geom_miner.voxelize import winding_numbers
from tests.eval.methods.clouds import plate_cloud, sphere_cloud


def areas_of(points: Floats, normals: Floats) -> Floats:
    distances, neighbors = cKDTree(points).query(points, k=17)
    return voronoi_areas(points, normals, distances[:, 1:], neighbors[:, 1:])


def dipole_sum(points: Floats, normals: Floats, areas: Floats, queries: Floats) -> Floats:
    """Winding numbers by the definition for points: Barill et al. 2018, equation 6."""
    offsets = points - queries[:, None]
    lengths = np.linalg.norm(offsets, axis=2)
    heights = np.einsum("qkj,kj->qk", offsets, normals)
    return np.asarray((areas * heights / lengths**3).sum(axis=1) / (4 * np.pi))


@pytest.mark.parametrize("across", [1.0, 3.0])
def test_a_cell_of_a_lattice_has_the_lattices_area(across: float) -> None:
    i = np.arange(9.0) - 4
    points = np.stack(np.meshgrid(i, across * i, [0.0], indexing="ij"), axis=-1).reshape(-1, 3)
    normals = np.tile([0.0, 0.0, 1.0], (len(points), 1))
    middle = int(np.flatnonzero((points == 0).all(axis=1))[0])
    # The border is looked for along 32 directions, so that its corners are cut or overshot.
    assert areas_of(points, normals)[middle] == pytest.approx(across, rel=0.05)


def test_areas_of_a_sphere_sum_up_to_its_own() -> None:
    cloud = sphere_cloud(5000, radius=3.0, center=(10, 0, 0))
    assert cloud.normals is not None
    total = areas_of(cloud.points, cloud.normals).sum()
    assert total == pytest.approx(4 * np.pi * 9, rel=0.03)


def test_the_other_side_of_a_thin_plate_takes_no_area() -> None:
    # Each point's nearest neighbor lies across the plate.
    cloud = plate_cloud(0.02, spacing=0.05)
    assert cloud.normals is not None
    inner = (np.abs(cloud.points[:, :2] - 0.5) < 0.3).all(axis=1)
    areas = areas_of(cloud.points, cloud.normals)[inner]
    np.testing.assert_allclose(areas, 0.05**2, rtol=0.05)


def test_frames_are_right_handed_for_every_normal() -> None:
    normals = sphere_cloud(500).normals
    assert normals is not None
    normals = np.concatenate([normals, np.eye(3), -np.eye(3)])
    along, across = tangents(normals)
    frame = np.stack([along, across, normals], axis=1)
    np.testing.assert_allclose(
        frame @ frame.transpose(0, 2, 1), np.eye(3)[None].repeat(506, 0), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(frame), 1.0, atol=1e-12)


def test_a_surfel_has_its_points_center_normal_and_area() -> None:
    cloud = sphere_cloud(200)
    assert cloud.normals is not None
    areas = np.random.default_rng(1).uniform(0.1, 2.0, 200)
    corners = surfels(cloud.points, cloud.normals, areas).triangles
    twice = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    np.testing.assert_allclose(corners.mean(axis=1), cloud.points, atol=1e-12)
    np.testing.assert_allclose(twice / 2, areas[:, None] * cloud.normals, atol=1e-12)


def test_winding_numbers_away_from_points_are_the_sum_of_dipoles() -> None:
    cloud = sphere_cloud(3000)
    assert cloud.normals is not None
    areas = areas_of(cloud.points, cloud.normals)
    rng = np.random.default_rng(2)
    queries = rng.uniform(-2, 2, (3000, 3))
    spacing = np.sqrt(4 * np.pi / 3000)
    queries = queries[np.abs(np.linalg.norm(queries, axis=1) - 1) > 3 * spacing]
    exact = dipole_sum(cloud.points, cloud.normals, areas, queries)
    found = winding_numbers(surfels(cloud.points, cloud.normals, areas), queries)
    # A triangle of area a at distance d differs from its dipole by less than a / d^2 of it; the
    # tree that sums them up by less than .005.
    np.testing.assert_allclose(found, exact, atol=0.01)
    inside = np.linalg.norm(queries, axis=1) < 1
    np.testing.assert_allclose(found, inside, atol=0.03)


def test_close_to_points_triangles_stay_bounded_where_dipoles_do_not() -> None:
    cloud = sphere_cloud(3000)
    assert cloud.normals is not None
    areas = areas_of(cloud.points, cloud.normals)
    queries = cloud.points + 0.002 * cloud.normals
    dipoles = dipole_sum(cloud.points, cloud.normals, areas, queries)
    triangles = winding_numbers(surfels(cloud.points, cloud.normals, areas), queries)
    # Where triangles overlap each counts.
    assert np.abs(triangles).max() < 3 < 30 < np.abs(dipoles).max()
