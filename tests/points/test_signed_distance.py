"""The field on a grid: what a look at every single sample gives, at a fraction of the looks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from eval.clouds.point_cloud import PointCloud
from geom_miner import SampleGrid, diagnose
from geom_miner.extract import extract_mesh
from geom_miner.points.distance_field import occupancy_of, point_cloud_distance
from geom_miner.points.surface import PointSurface
from tests.eval.methods.clouds import plate_cloud, sphere_cloud, surface_of

Floats = npt.NDArray[np.float64]


def grid_of(resolution: int, side: float = 2.5) -> SampleGrid:
    return SampleGrid((resolution,) * 3, (side / resolution,) * 3, (-side / 2,) * 3)


def places_of(grid: SampleGrid) -> Floats:
    return grid.index_to_world(np.stack(np.indices(grid.shape), axis=-1))


@pytest.mark.parametrize(
    ("resolution", "block_size", "band"), [(48, 16, 1.0), (40, 8, 2.0), (33, 6, 1.5)]
)
def test_a_sphere_is_at_every_sample_as_deep_as_it_is(
    resolution: int, block_size: int, band: float
) -> None:
    grid = grid_of(resolution)
    blocks = point_cloud_distance(
        surface_of(sphere_cloud(8000)), grid, band=band, block_size=block_size
    )
    found = blocks.to_dense(grid.shape)[..., 0].numpy()
    depth = (1 - np.linalg.norm(places_of(grid), axis=-1)) / grid.spacing[0]
    # The sphere's sample that is nearest to it may be taken for one on the other side.
    np.testing.assert_allclose(found, np.clip(depth, -band, band), atol=0.02)
    constant = blocks.constants[blocks.slots < 0]
    assert set(constant.flatten().tolist()) <= {band, -band}
    varying = blocks.values.amax(dim=1) - blocks.values.amin(dim=1)
    assert float(varying.min()) > 0


@pytest.fixture(scope="module")
def bowl() -> PointSurface:
    """A sphere without its cap."""
    cloud = sphere_cloud(8000)
    assert cloud.normals is not None
    kept = cloud.points[:, 2] < 0.6
    return surface_of(PointCloud(cloud.points[kept], cloud.normals[kept]))


def test_every_side_is_the_spheres_and_beyond_its_points_that_of_winding_numbers(
    bowl: PointSurface,
) -> None:
    grid = grid_of(48)
    found = point_cloud_distance(bowl, grid, band=1.0, block_size=16).to_dense(grid.shape)[..., 0]
    places = places_of(grid)
    inside, height = found.numpy() > 0, places[..., 2]
    covered = height < 0.55
    hole = ~covered & (np.linalg.norm(places[..., :2], axis=-1) < 0.7)
    radius = np.linalg.norm(places, axis=-1)
    np.testing.assert_array_equal(inside[covered], radius[covered] < 1)
    winding = bowl.winding(places[hole]) > 0.5
    assert 0 < winding.mean() < 1
    np.testing.assert_array_equal(inside[hole], winding)


def test_a_hole_is_closed_over(bowl: PointSurface) -> None:
    grid = grid_of(48)
    blocks = point_cloud_distance(bowl, grid, band=1.0, block_size=16)
    mesh = extract_mesh(blocks, grid, iso_level=0.0)
    assert diagnose(mesh).watertight
    # A ball without the cap above z = .6, give or take the dome over the hole.
    height = 0.4
    cap = np.pi * height**2 * (3 - height) / 3
    assert 4 * np.pi / 3 - cap < mesh.volume < 4 * np.pi / 3


def test_a_thin_plate_is_solid() -> None:
    cloud = plate_cloud(0.04, spacing=0.02)
    grid = SampleGrid((32, 32, 32), (1 / 32,) * 3, (0.0, 0.0, -0.5 + 1 / 64))
    found = point_cloud_distance(surface_of(cloud), grid, band=1.0, block_size=16)
    inner = found.to_dense(grid.shape)[8:24, 8:24, :, 0]
    z = (np.arange(32) + 0.5) / 32 - 0.5 + 1 / 64
    expected = np.clip((0.02 - np.abs(z)) * 32, -1, 1)
    np.testing.assert_allclose(inner.numpy(), np.broadcast_to(expected, (16, 16, 32)), atol=1e-5)


def test_occupancy_is_the_sign() -> None:
    grid = grid_of(48)
    distance = point_cloud_distance(surface_of(sphere_cloud(2000)), grid, band=2.0, block_size=8)
    occupancy = occupancy_of(distance)
    assert torch.equal(occupancy.to_dense(), (distance.to_dense() > 0).float())
    # What the band alone opened is constant again.
    assert 0 < len(occupancy.ids) < len(distance.ids)
