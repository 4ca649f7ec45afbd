from dataclasses import replace

import pytest
import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError, SettingsError
from geom_miner.fit.coarse_to_fine import fit_signal
from geom_miner.fit.learned_start import (
    ReptileSettings,
    finest_residuals,
    learn_start,
    try_start,
)
from geom_miner.fit.settings import FitSettings
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.model.initialize import learned_start
from tests.signals import as_blocks, ball

TINY = FitSettings(scales=2, block_size=8, width=8, depth=2, steps=10, coarse_steps=20)
SHIPPED = FitSettings(
    scales=2, start="learned", width=20, depth=3, learning_rate=2e-3, dead_zone=0.3, steps=10
)


def torus(size: int) -> Tensor:
    """Occupancy of a torus in the cube [-1, 1]^3, (size, size, size, 1)."""
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    return (((x.square() + y.square()).sqrt() - 0.6).square() + z.square() < 0.07).float()[
        ..., None
    ]


def test_the_shipped_start_beats_siren_draws_on_an_unseen_shape() -> None:
    residuals = finest_residuals(*as_blocks(torus(64), 16), SHIPPED)
    row = learned_start(MLPArchitecture(3, 20, 3, 1, 30.0))
    learned = try_start(residuals, SHIPPED, row, ndim=3)
    siren = try_start(residuals, SHIPPED, None, ndim=3)
    assert learned.blocks == siren.blocks == len(residuals)
    assert 2 * learned.wrong_samples < siren.wrong_samples
    assert learned.converged >= siren.converged


def test_every_block_of_the_finest_scale_starts_alike() -> None:
    settings = replace(SHIPPED, steps=1, coarse_steps=1, dead_zone=0.0)
    finest = fit_signal(*as_blocks(torus(32), 16), settings).levels[-1]
    row = learned_start(finest.architecture)
    assert len(finest.parameters) > 1
    # One Adam step moves no parameter by more than the learning rate.
    assert float((finest.parameters - row).abs().max()) <= settings.learning_rate * 1.01


def test_coarser_scales_start_from_their_own_draws() -> None:
    settings = replace(SHIPPED, steps=1, coarse_steps=5)
    learned = fit_signal(*as_blocks(torus(32), 16), settings).levels[0]
    siren = fit_signal(*as_blocks(torus(32), 16), replace(settings, start="siren")).levels[0]
    assert torch.equal(learned.parameters, siren.parameters)


def test_an_architecture_without_a_start_is_refused_before_any_fit() -> None:
    seen: list[object] = []
    with pytest.raises(SettingsError, match=r"3-20-20-20-1_omega30.*make learn-start"):
        fit_signal(
            *as_blocks(ball(16), 8),
            replace(TINY, start="learned"),
            on_scale=lambda *entry: seen.append(entry),
        )
    assert seen == []


def test_learning_is_repeatable_and_lowers_the_loss_of_unseen_blocks() -> None:
    residuals = finest_residuals(*as_blocks(torus(32), 8), TINY)
    reptile = ReptileSettings(outer_steps=15, batch=8, inner_steps=5)
    losses: list[float] = []
    first = learn_start(
        residuals, TINY, reptile, ndim=3, on_step=lambda _, loss: losses.append(loss)
    )
    again = learn_start(residuals, TINY, reptile, ndim=3)
    assert torch.equal(first.row, again.row)
    assert first.file_name == "3-8-8-1_omega30.npy"
    assert len(losses) == 15
    unseen = finest_residuals(*as_blocks(ball(32), 8), TINY)
    before = try_start(unseen, replace(TINY, steps=3), None, ndim=3)
    after = try_start(unseen, replace(TINY, steps=3), first.row, ndim=3)
    assert after.loss < before.loss


def test_residuals_are_what_the_finest_scale_is_given() -> None:
    blocks, grid = as_blocks(ball(32), 8)
    representation = fit_signal(blocks, grid, TINY)
    residuals = finest_residuals(blocks, grid, TINY)
    assert residuals.shape == (len(representation.levels[-1].fitted_ids), 512, 1)
    alone = finest_residuals(blocks, grid, replace(TINY, scales=1))
    assert torch.equal(alone, blocks.values.float())


@pytest.mark.parametrize(
    "wrong", [{"outer_steps": 0}, {"batch": 0}, {"inner_steps": 0}, {"outer_rate": 0.0}]
)
def test_nonsense_is_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        ReptileSettings(**wrong)  # type: ignore[arg-type]


def test_nothing_is_learned_from_nothing() -> None:
    with pytest.raises(BlockShapeError, match="at least one block"):
        learn_start(torch.zeros(0, 512, 1), TINY, ReptileSettings(), ndim=3)
