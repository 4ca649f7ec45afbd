"""The distance at every scale: analytic truth, one surface for all scales."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import Tensor

from geom_miner.errors import SettingsError
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.targets.mesh import mesh_target, target_of_occupancy
from geom_miner.targets.registry import TARGETS, target_builder, targets_of
from geom_miner.voxelize.occupancy import Occupancy, voxelize_mesh
from geom_miner.voxelize.settings import VoxelizeSettings
from tests.shapes import sphere

SCALES = 3


def dense(target: Target, scale: int) -> Tensor:
    blocks = target.scales[scale]
    assert isinstance(blocks, SparseBlocks)
    return blocks.to_dense(target.grid.at_scale(scale).shape)


@pytest.fixture(scope="module", params=[48, 50])
def ball(request: pytest.FixtureRequest) -> tuple[Occupancy, Target]:
    mesh = sphere(1.0, (0.1, 0.2, 0.3), 5)
    voxels = VoxelizeSettings(request.param)
    made = mesh_target(mesh, "distance", voxels, scales=SCALES, block_size=8)
    return made.occupancy, made.target


def test_values_are_a_half_and_half_the_distance_in_finest_voxels(
    ball: tuple[Occupancy, Target],
) -> None:
    occupancy, target = ball
    voxel = occupancy.grid.spacing[0]
    for scale in range(SCALES):
        grid = occupancy.grid.at_scale(scale)
        points = grid.index_to_world(np.stack(np.indices(grid.shape), axis=-1))
        depth = (1.0 - np.linalg.norm(points - [0.1, 0.2, 0.3], axis=-1)) / voxel
        found = dense(target, scale)[..., 0].numpy()
        truncation = target.truncations[scale]
        assert truncation == (0.5 if scale == 0 else 2.0**scale)
        assert target.units[scale] == 0.5 * 2**scale
        # The facets lie below the ball by up to 0.04 voxels.
        expected = np.clip(0.5 + depth / 2, 0.5 - truncation, 0.5 + truncation)
        np.testing.assert_allclose(found, expected, atol=0.04)


def test_the_finest_scale_has_the_occupancys_side_and_range(ball: tuple[Occupancy, Target]) -> None:
    occupancy, target = ball
    shape = occupancy.grid.shape
    values = dense(target, 0)
    assert torch.equal(values > 0.5, occupancy.blocks.to_dense(shape) > 0.5)
    assert (float(values.min()), float(values.max())) == (0.0, 1.0)
    blocks, ids = target.scales[0], target.layout.all_ids()
    constant = blocks.constants_of(ids[~torch.isin(ids, blocks.varying_ids)])
    assert set(constant.flatten().tolist()) == {0.0, 1.0}


def test_progress_goes_scale_by_scale() -> None:
    occupancy = voxelize_mesh(sphere(1.0, subdivisions=2), VoxelizeSettings(16), block_size=8)
    shares: list[float] = []
    target_of_occupancy(
        occupancy, "distance", scales=2, stages=lambda _: nullcontext(shares.append)
    )
    assert shares == [0.5, 1.0]


@pytest.mark.parametrize("name", targets_of("mesh"))
def test_every_target_of_a_mesh_says_what_it_is(name: str, ball: tuple[Occupancy, Target]) -> None:
    occupancy, _ = ball
    target = target_of_occupancy(occupancy, name, scales=2)
    info = target.info
    assert (info.kind, info.target, info.iso_level) == ("occupancy", name, 0.5)
    assert info.source.faces == occupancy.report.diagnosis.faces
    assert len(target.scales) == 2
    assert target.grid == occupancy.grid


@pytest.mark.parametrize(
    ("name", "bound", "exact"),
    [("distance", 0.51, False), ("occupancy", 0.0, True), ("coverage", 0.999, True)],
)
def test_the_built_in_targets_stay_near_the_occupancy(
    name: str, bound: float, exact: bool, ball: tuple[Occupancy, Target]
) -> None:
    occupancy, _ = ball
    target = target_of_occupancy(occupancy, name, scales=2)
    inside = occupancy.blocks.to_dense(occupancy.grid.shape)
    assert float((dense(target, 0) - inside).abs().max()) <= bound
    assert target.is_exact(0) == exact


def test_unknown_targets_are_answered_with_those_of_the_source() -> None:
    known = ", ".join(targets_of("mesh"))
    with pytest.raises(SettingsError, match=f"one of {known}, got 'image'"):
        target_builder("image", "mesh")
    assert all(callable(builder.build) and builder.summary for builder in TARGETS.values())
