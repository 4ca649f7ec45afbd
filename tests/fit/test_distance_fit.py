"""Fits of a distance: the surface, its stop rule in voxels, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from geom_miner.errors import SettingsError
from geom_miner.extract.level_of_detail import extract_level
from geom_miner.fit.certify import wrong_blocks
from geom_miner.fit.coarse_to_fine import fit_signal
from geom_miner.fit.file_fit import fit_to_file
from geom_miner.fit.presets import PRESETS, preset
from geom_miner.grid.target import Target
from geom_miner.storage.reader import load_model
from geom_miner.targets.mesh import mesh_target, target_of_occupancy
from geom_miner.voxelize.occupancy import Occupancy
from geom_miner.voxelize.settings import VoxelizeSettings
from tests.shapes import sphere
from tests.signals import Recorder

SETTINGS = replace(preset("surface").settings, scales=2, block_size=8, steps=150, coarse_steps=100)
RADIUS = 1.0


@pytest.fixture(scope="module")
def ball() -> tuple[Occupancy, Target]:
    mesh, voxels = sphere(RADIUS, subdivisions=5), VoxelizeSettings(32)
    made = mesh_target(mesh, "distance", voxels, scales=2, block_size=8)
    return made.occupancy, made.target


def test_the_surface_is_that_of_the_ball_at_both_scales(ball: tuple[Occupancy, Target]) -> None:
    occupancy, target = ball
    fitted = fit_signal(target, SETTINGS)
    voxel = occupancy.grid.spacing[0]
    for scale, most in ((0, 0.05), (1, 0.2)):
        mesh = extract_level(fitted, scale)
        off = np.abs(np.linalg.norm(mesh.vertices, axis=1) - RADIUS) / voxel
        assert off.mean() < most / 2
        assert np.quantile(off, 0.95) < most
        assert mesh.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.01)


def test_a_stopped_block_is_within_its_tolerance_near_the_surface(
    ball: tuple[Occupancy, Target],
) -> None:
    """In voxels of the scale, inside the band, and nothing beyond is on the wrong side."""
    _, target = ball
    recorder = Recorder()
    settings = replace(SETTINGS, steps=400, block_tolerance=0.02**2)
    fitted = fit_signal(target, settings, observer=recorder)
    blocks, history = recorder.scales[-1], recorder.history[-1]
    assert 0 < history.converged_blocks <= history.fitted_blocks
    values = fitted.decode(0).read_blocks(blocks.fitted_ids)
    lower, upper = target.bounds(0, target.scales[0].read_blocks(blocks.fitted_ids))
    error = (values - values.clamp(lower, upper)) / target.units[0]
    exact = (lower == upper).sum(dim=(1, 2))
    rms = (error.square().sum(dim=(1, 2)) / exact).sqrt()
    within = int((rms <= 0.02 * 1.001).sum())
    assert within >= history.converged_blocks


def test_a_file_is_the_same_after_a_kill_and_for_any_memory(
    ball: tuple[Occupancy, Target], tmp_path: Path
) -> None:
    _, target = ball
    settings = replace(SETTINGS, steps=20, coarse_steps=10)
    paths = [tmp_path / f"{k}.miner" for k in range(2)]
    for path, memory in zip(paths, (1, 1 << 30), strict=True):
        fit_to_file(target, settings, path, memory=memory)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    model = load_model(paths[0])
    again = fit_signal(target, settings)
    for ours, theirs in zip(model.scales, again.scales, strict=True):
        assert torch.equal(ours.parameters, theirs.parameters)
    other = replace(target, iso_level=0.25)
    changed = fit_to_file(other, settings, paths[0])
    assert changed.resumed_scales == 0


def test_what_does_not_fit_together_is_refused(ball: tuple[Occupancy, Target]) -> None:
    occupancy, target = ball
    with pytest.raises(SettingsError, match="scales is 3"):
        fit_signal(target, replace(SETTINGS, scales=3))
    with pytest.raises(SettingsError, match="dead_zone"):
        fit_signal(target, replace(SETTINGS, dead_zone=0.3))
    exact = target_of_occupancy(occupancy, "occupancy", scales=2)
    with pytest.raises(SettingsError, match="certify"):
        fit_signal(exact, replace(SETTINGS, certify=True))


def test_distance_presets_are_presets() -> None:
    distance = [entry for entry in PRESETS.values() if entry.target == "distance"]
    assert len(distance) >= 2
    for entry in distance:
        assert entry.settings.dead_zone_at(0) == 0


def test_a_certified_fit_has_every_sample_on_its_side(ball: tuple[Occupancy, Target]) -> None:
    """With too few steps the plain fit has wrong samples; certified, it has none and says so."""
    occupancy, target = ball
    settings = replace(SETTINGS, steps=15)
    shape = occupancy.grid.shape
    inside = occupancy.blocks.to_dense(shape) > 0.5
    recorder = Recorder()
    plain = fit_signal(target, settings).decode(0).to_dense(shape)
    assert bool(((plain >= 0.5) != inside).any())
    certified = fit_signal(target, replace(settings, certify=True), observer=recorder)
    assert bool(((certified.decode(0).to_dense(shape) >= 0.5) == inside).all())
    assert [entry.wrong_blocks for entry in recorder.history] == [0, 0]


def test_blocks_that_cannot_be_certified_are_counted(ball: tuple[Occupancy, Target]) -> None:
    """An MLP of one sine cannot bend as the surface does."""
    occupancy, target = ball
    settings = replace(SETTINGS, width=1, depth=1, steps=5, coarse_steps=2, certify=True)
    recorder = Recorder()
    fitted = fit_signal(target, settings, observer=recorder)
    wrong = fitted.decode(0).to_dense(occupancy.grid.shape) >= 0.5
    wrong = wrong != (occupancy.blocks.to_dense(occupancy.grid.shape) > 0.5)
    blocks = wrong.reshape(4, 8, 4, 8, 4, 8).any(dim=5).any(dim=3).any(dim=1)
    assert recorder.history[-1].wrong_blocks >= int(blocks.sum()) > 0


def test_a_wrong_side_is_seen_in_either_direction() -> None:
    lower = torch.tensor([[[0.3], [-torch.inf], [-0.2]]]).repeat(4, 1, 1)
    surface = torch.zeros_like(lower)
    outputs = torch.tensor([[0.1, -5.0, -0.1], [-0.1, -5, -1], [1, 0.1, -1], [1, -1, 0.0]])
    assert wrong_blocks(outputs[..., None], lower, surface).tolist() == [False, True, True, True]
