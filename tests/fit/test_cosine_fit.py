"""Fits of cosine blocks: the surface, bounds of samples, goals, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from geom_miner.errors import SettingsError
from geom_miner.extract.level_of_detail import extract_level
from geom_miner.fit.coarse_to_fine import fit_signal
from geom_miner.fit.cosine_settings import CosineSettings
from geom_miner.fit.goal import Goal, goal_of
from geom_miner.fit.goal_search import reach_goal, surface_error
from geom_miner.fit.presets import preset
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.model.block_cosines import BlockCosines
from geom_miner.targets.mesh import mesh_target
from geom_miner.voxelize.settings import VoxelizeSettings
from tests.shapes import sphere
from tests.signals import Recorder

SETTINGS = CosineSettings(scales=3, block_size=8, step=0.3, coarse_step=0.3)
RADIUS = 1.0


@pytest.fixture(scope="module")
def ball() -> Target:
    mesh = sphere(RADIUS, subdivisions=5)
    return mesh_target(mesh, "distance", VoxelizeSettings(48), scales=3, block_size=8).target


def picture(channels: int = 3) -> Target:
    """A smooth picture whose channels go together, with a sharp edge."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 96), torch.linspace(0, 1, 80), indexing="ij")
    gray = 0.5 + 0.3 * torch.sin(9 * x + 4 * y) + 0.2 * (x > y)
    signal = torch.stack([gray * (1 - 0.2 * c) + 0.05 * c * x for c in range(channels)], dim=-1)
    blocks = SparseBlocks.from_dense(signal, BlockGrid.covering((96, 80), (8, 8)))
    return Target.pooled(blocks, 2, SampleGrid.unit((96, 80)))


def test_the_surface_is_that_of_the_ball_at_every_scale(ball: Target) -> None:
    fitted = fit_signal(ball, SETTINGS)
    voxel = ball.grid.spacing[0]
    for scale, most in ((0, 0.06), (1, 0.2), (2, 0.6)):
        mesh = extract_level(fitted, scale)
        off = np.abs(np.linalg.norm(mesh.vertices, axis=1) - RADIUS) / voxel
        assert off.mean() < most
        assert mesh.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.03)


def test_a_smaller_step_costs_more_coefficients_and_less_error(ball: Target) -> None:
    errors, counts = [], []
    for step in (0.1, 0.4, 1.6):
        fitted = fit_signal(ball, replace(SETTINGS, step=step, coarse_step=step))
        errors.append(surface_error(fitted.decode(0), ball))
        counts.append(fitted.num_parameters)
    assert errors == sorted(errors)
    assert counts == sorted(counts, reverse=True)
    assert errors[0] < 0.02


def test_samples_keep_their_side_beyond_the_band_and_values_their_limits(ball: Target) -> None:
    decoded = fit_signal(ball, SETTINGS).decode(0)
    values, found = ball.scales[0].to_dense(), decoded.to_dense()  # type: ignore[attr-defined]
    far = (values - ball.iso_level).abs() >= 0.999 * ball.truncations[0]
    assert ((found > ball.iso_level) == (values > ball.iso_level))[far].all()
    assert (found - ball.iso_level).abs().max() <= 2 * ball.truncations[0]


@pytest.mark.parametrize("memory", [1, 1 << 30])
def test_batches_do_not_change_the_result(ball: Target, memory: int) -> None:
    expected, found = Recorder(), Recorder()
    fit_signal(ball, SETTINGS, observer=expected)
    fit_signal(ball, SETTINGS, observer=found, memory=memory)
    for one, other in zip(expected.scales, found.scales, strict=True):
        assert isinstance(one, BlockCosines)
        assert isinstance(other, BlockCosines)
        assert torch.equal(one.fitted, other.fitted)
        assert torch.equal(one.levels.levels, other.levels.levels)
        assert torch.equal(one.levels.places, other.levels.places)


def test_the_reference_kernel_gives_the_same_levels(ball: Target) -> None:
    one = fit_signal(ball, SETTINGS)
    other = fit_signal(ball, SETTINGS, backend="reference")
    off = (one.decode(0).to_dense() - other.decode(0).to_dense()).abs()
    assert off.mean() < 1e-3


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_is_as_good_as_its_step(channels: int) -> None:
    target = picture(channels)
    for step in (0.02, 0.1):
        settings = CosineSettings(scales=2, block_size=8, step=step, coarse_step=step)
        fitted = fit_signal(target, settings)
        error = (fitted.decode(0).to_dense() - target.scales[0].to_dense()).square().mean()
        # Dropped coefficients are at most 0.6 steps, rounded ones off by half a step.
        assert float(error.sqrt()) < 0.6 * step
    assert fitted.decode(0).channels == channels


def test_mixing_takes_fewer_coefficients_for_channels_that_go_together() -> None:
    target = picture()
    settings = CosineSettings(scales=2, block_size=8, step=0.05, coarse_step=0.05)
    mixed = fit_signal(target, settings).num_parameters
    apart = fit_signal(target, replace(settings, mixing="none")).num_parameters
    assert mixed < 0.7 * apart


def test_a_region_is_that_of_the_whole_decode(ball: Target) -> None:
    fitted = fit_signal(ball, SETTINGS)
    whole = fitted.decode(0).to_dense()
    found = fitted.decode_region((9, 3, 20), (30, 11, 47))
    assert torch.equal(found, whole[9:30, 3:11, 20:47])


@pytest.mark.parametrize(
    ("goal", "target"),
    [(Goal("error", 0.03), "ball"), (Goal("bytes", 3000), "ball"), (Goal("psnr", 34), "picture")],
)
def test_goals_are_met_within_five_percent(ball: Target, goal: Goal, target: str) -> None:
    signal = ball if target == "ball" else picture()
    reached = reach_goal(goal, signal, replace(SETTINGS, scales=len(signal.scales)))
    assert reached.is_met
    assert reached.value == pytest.approx(goal.value, rel=0.05)
    assert reached.trials <= 10


def test_goals_that_make_no_sense_are_refused(ball: Target) -> None:
    with pytest.raises(SettingsError, match="only one of --error, --bytes and --psnr"):
        goal_of(0.1, "5KB", None)
    with pytest.raises(SettingsError, match="must be > 0"):
        goal_of(-1.0, None, None)
    with pytest.raises(SettingsError, match="only cosine blocks can aim"):
        reach_goal(Goal("error", 0.1), ball, preset("surface").settings)
    with pytest.raises(SettingsError, match="psnr is for images"):
        reach_goal(Goal("psnr", 40), ball, SETTINGS)


def test_odd_blocks_are_refused() -> None:
    with pytest.raises(SettingsError, match="block_size must be even"):
        CosineSettings(block_size=7)
