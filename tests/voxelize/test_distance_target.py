"""The distance at every scale: analytic truth, one surface for all scales."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geom_miner.grid.target import Target
from geom_miner.voxelize.distance_target import distance_target
from geom_miner.voxelize.occupancy import Occupancy, voxelize_mesh
from geom_miner.voxelize.settings import VoxelizeSettings
from tests.shapes import sphere

SCALES = 3


@pytest.fixture(scope="module", params=[48, 50])
def ball(request: pytest.FixtureRequest) -> tuple[Occupancy, Target]:
    settings = VoxelizeSettings(request.param, target="distance")
    mesh = sphere(1.0, (0.1, 0.2, 0.3), 5)
    occupancy = voxelize_mesh(mesh, settings, block_size=8)
    return occupancy, distance_target(mesh, occupancy, settings, scales=SCALES)


def test_values_are_a_half_and_half_the_distance_in_finest_voxels(
    ball: tuple[Occupancy, Target],
) -> None:
    occupancy, target = ball
    voxel = occupancy.grid.spacing[0]
    for scale in range(SCALES):
        grid = occupancy.grid.at_scale(scale)
        points = grid.index_to_world(np.stack(np.indices(grid.shape), axis=-1))
        depth = (1.0 - np.linalg.norm(points - [0.1, 0.2, 0.3], axis=-1)) / voxel
        found = target.scales[scale].to_dense(grid.shape)[..., 0].numpy()
        reach = target.reaches[scale]
        assert reach == (0.5 if scale == 0 else 2.0**scale)
        assert target.units[scale] == 0.5 * 2**scale
        # The facets lie below the ball by up to .04 voxels.
        expected = np.clip(0.5 + depth / 2, 0.5 - reach, 0.5 + reach)
        np.testing.assert_allclose(found, expected, atol=0.04)


def test_the_finest_scale_has_the_occupancys_side_and_range(ball: tuple[Occupancy, Target]) -> None:
    occupancy, target = ball
    shape = occupancy.grid.shape
    values = target.scales[0].to_dense(shape)
    assert torch.equal(values > 0.5, occupancy.blocks.to_dense(shape) > 0.5)
    assert (float(values.min()), float(values.max())) == (0.0, 1.0)
    blocks = target.scales[0]
    constant = blocks.constants[blocks.slots < 0]
    assert set(constant.flatten().tolist()) == {0.0, 1.0}


def test_progress_goes_scale_by_scale() -> None:
    settings, mesh = VoxelizeSettings(16, target="distance"), sphere(1.0, subdivisions=2)
    occupancy = voxelize_mesh(mesh, settings, block_size=8)
    shares: list[float] = []
    distance_target(mesh, occupancy, settings, scales=2, progress=shares.append)
    assert shares == [0.5, 1.0]
