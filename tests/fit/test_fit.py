from dataclasses import replace

import pytest
import torch
from torch import Tensor

import geom_miner.fit.scale_fit
from geom_miner.errors import BlockShapeError, SettingsError
from geom_miner.fit.activity import candidate_blocks, plan_blocks
from geom_miner.fit.coarse_to_fine import fit_signal
from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.observer import Observer
from geom_miner.fit.resume import Resume
from geom_miner.fit.settings import FitSettings, ReleasedCode
from geom_miner.grid.pyramid import build_pyramid
from geom_miner.grid.target import Target
from geom_miner.model.block_mlps import BlockMLPs
from geom_miner.model.representation import Representation
from tests.signals import Recorder, as_blocks, as_target, ball

SMALL = FitSettings(scales=3, block_size=8, width=12, depth=2, steps=60, coarse_steps=60)


def fitted(
    signal: Tensor, settings: FitSettings = SMALL
) -> tuple[Representation, list[ScaleHistory]]:
    recorder = Recorder()
    target = as_target(signal, settings.block_size, settings.scales)
    return fit_signal(target, settings, observer=recorder), recorder.history


def picture(height: int = 40, width: int = 56) -> Tensor:
    """A smooth three-channel picture with an edge, no side a multiple of the block."""
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    channels = [0.5 + 0.4 * torch.sin(9 * x + 3 * y), x * y, (x + y > 0.9).float()]
    return torch.stack(channels, dim=-1)


def moving_disc() -> Tensor:
    """A video (time, height, width, channel): a disc that moves."""
    t, y, x = torch.meshgrid(*[torch.linspace(0, 1, n) for n in (12, 20, 24)], indexing="ij")
    disc = ((y - 0.5) ** 2 + (x - 0.25 - 0.5 * t) ** 2 < 0.04).float()
    return torch.stack([disc, t * disc, y], dim=-1)


@pytest.mark.parametrize(
    ("signal", "floor"),
    [(picture(), 30.0), (moving_disc(), 24.0), (picture()[20], 30.0)],
    ids=["image", "video", "line"],
)
def test_one_path_fits_any_dimension(signal: Tensor, floor: float) -> None:
    settings = replace(SMALL, scales=2, steps=300, coarse_steps=300, add_threshold=1e-5)
    representation, _ = fitted(signal, settings)
    shape = tuple(signal.shape[:-1])
    error = (representation.decode(0).to_dense(shape) - signal).square().mean()
    assert float(-10 * torch.log10(error)) > floor


def test_a_ball_is_fitted_well_at_every_scale() -> None:
    signal = ball(48)
    representation, history = fitted(signal, replace(SMALL, steps=150, width=16))
    decoded = representation.decode(0).to_dense((48, 48, 48)) >= 0.5
    truth = signal >= 0.5
    iou = float((decoded & truth).sum() / (decoded | truth).sum())
    assert iou > 0.99
    assert [entry.scale for entry in history] == [2, 1, 0]
    assert history[0].loss < 0.2 * history[0].energy


def test_the_reported_loss_is_that_of_the_result() -> None:
    signal = ball(32)
    representation, history = fitted(signal)
    blocks, _ = as_blocks(signal, SMALL.block_size)
    for entry, level, target in zip(
        history, representation.scales, build_pyramid(blocks, 3)[::-1], strict=True
    ):
        decoded = representation.decode(entry.scale)
        ids = level.fitted_ids
        error = (decoded.read_blocks(ids) - target.read_blocks(ids)).square().mean()
        assert entry.loss == pytest.approx(float(error), rel=1e-6)


def test_converged_blocks_meet_their_tolerance_in_the_result() -> None:
    settings = replace(SMALL, block_tolerance=2e-3, steps=200, coarse_steps=200)
    signal = picture(32, 32)
    representation, history = fitted(signal, settings)
    blocks, _ = as_blocks(signal, settings.block_size)
    assert sum(entry.converged_blocks for entry in history) > 0
    for entry, level, target in zip(
        history, representation.scales, build_pyramid(blocks, 3)[::-1], strict=True
    ):
        ids = level.fitted_ids
        decoded = representation.decode(entry.scale).read_blocks(ids)
        errors = (decoded - target.read_blocks(ids)).square().mean(dim=(1, 2))
        within = int((errors <= settings.block_tolerance * (1 + 1e-3)).sum())
        assert within >= entry.converged_blocks


def test_constant_blocks_cost_nothing_and_come_back_exactly() -> None:
    signal = ball(64, radius=0.5)
    representation, _ = fitted(signal, replace(SMALL, steps=1, coarse_steps=1))
    blocks, _ = as_blocks(signal, SMALL.block_size)
    finest = representation.scales[-1]
    assert torch.equal(finest.varying_ids, blocks.ids)
    decoded, dense = representation.decode(0).to_dense(), blocks.to_dense()
    constant = blocks.layout.all_ids()
    constant = constant[~torch.isin(constant, blocks.ids)]
    for start in blocks.layout.starts_of(constant).tolist():
        box = tuple(slice(a, a + 8) for a in start)
        assert torch.equal(decoded[box], dense[box])


def test_the_papers_rule_fits_badly_predicted_constants() -> None:
    signal = ball(32)
    blocks, grid = as_blocks(signal, 8)
    released = ReleasedCode(constant_blocks="fit")
    settings = replace(SMALL, scales=2, released=released, add_threshold=1e-6, steps=1)
    target = Target.pooled(blocks, 2, grid)
    coarse = fit_signal(target, settings).decode(1)
    ids = candidate_blocks(target, 0, coarse, settings)
    task = plan_blocks(target, 0, coarse, ids, settings)
    dense = torch.nn.functional.interpolate(
        coarse.to_dense()[..., 0][None, None], scale_factor=2, mode="trilinear"
    )[0, 0]
    layout = target.layout
    for block_id in layout.all_ids().tolist():
        box = tuple(slice(a, a + 8) for a in layout.starts_of(torch.tensor([block_id]))[0].tolist())
        error = (dense[box] - blocks.to_dense()[box][..., 0]).square().mean()
        if abs(float(error) - 1e-6) > 1e-8:
            is_fitted = block_id in ids[task.fitted].tolist()
            assert is_fitted == (float(error) > 1e-6)


def test_padding_stays_out_of_the_result() -> None:
    signal = ball(40)[:37, :33, :]
    representation, history = fitted(signal)
    assert representation.grid.shape == (37, 33, 40)
    assert [entry.shape for entry in history] == [(10, 9, 10), (19, 17, 20), (37, 33, 40)]
    assert representation.decode(0).to_dense(representation.grid.shape).shape == signal.shape


def test_equal_fits_are_equal_to_the_bit() -> None:
    first, _ = fitted(picture())
    second, _ = fitted(picture())
    for a, b in zip(first.scales, second.scales, strict=True):
        assert torch.equal(a.parameters, b.parameters)
    other, _ = fitted(picture(), replace(SMALL, seed=1))
    assert not torch.equal(other.scales[0].parameters, first.scales[0].parameters)


def test_a_fit_goes_on_from_finished_scales_as_if_never_stopped() -> None:
    whole, _ = fitted(picture())
    recorder, target = Recorder(), as_target(picture(), SMALL.block_size, 3)
    resumed = fit_signal(target, SMALL, resume=Resume(whole.scales[:2]), observer=recorder)
    assert [blocks.scale for blocks in recorder.scales] == [0]
    assert torch.equal(resumed.scales[2].parameters, whole.scales[2].parameters)


def test_progress_rises_to_one() -> None:
    recorder = Recorder()
    fit_signal(as_target(picture(), SMALL.block_size, 3), SMALL, observer=recorder)
    shares = [status.done for status in recorder.statuses]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert {status.scale for status in recorder.statuses} == {0, 1, 2}


def test_released_coupling_runs_and_plateaus_end_coarse_scales() -> None:
    released = ReleasedCode(rate_by_activity=True, plateau=1.0)
    settings = replace(SMALL, released=released, coarse_steps=50, steps=3)
    _, history = fitted(picture(), settings)
    assert [entry.curve[-1][1] for entry in history] == [2, 2, 3]


def test_children_start_from_their_parents() -> None:
    settings = replace(SMALL, scales=2, start="parent", steps=1, coarse_steps=30)
    siren = fitted(picture(), replace(settings, start="siren"))[0].scales[1]
    parent = fitted(picture(), settings)[0]
    coarse, fine = parent.scales
    assert not torch.equal(siren.parameters, fine.parameters)
    row = coarse.fitted_ids.tolist().index(int(fine.fitted_ids[0]) >> 2)
    # One Adam step moves no parameter by more than the learning rate.
    moved = (fine.parameters[0] - 0.5 * coarse.parameters[row]).abs().max()
    assert float(moved) <= settings.learning_rate * 1.01


def test_a_constant_signal_needs_no_mlp() -> None:
    representation, _ = fitted(torch.full((20, 20, 1), 0.25))
    assert representation.num_parameters == 0
    assert torch.equal(representation.decode(0).to_dense((20, 20)), torch.full((20, 20, 1), 0.25))


def test_blocks_that_do_not_match_are_refused() -> None:
    with pytest.raises(BlockShapeError, match="blocks of 8"):
        fit_signal(as_target(picture(), 4, 3), SMALL)


def test_a_stopped_block_of_a_dead_zone_has_no_wrong_sample() -> None:
    settings = replace(SMALL, width=16, dead_zone=0.3, steps=400, learning_rate=4e-3)
    signal = ball(48)
    representation, history = fitted(signal, settings)
    blocks, _ = as_blocks(signal, settings.block_size)
    ids = representation.scales[-1].fitted_ids
    wrong = (representation.decode(0).read_blocks(ids) >= 0.5) != (blocks.read_blocks(ids) >= 0.5)
    clean = int((~wrong.flatten(1).any(dim=1)).sum())
    assert 0.5 * len(ids) < history[-1].converged_blocks <= clean
    # It stops long before the field itself is close: that is what the zone is for.
    assert history[-1].block_steps < 0.8 * 400 * len(ids)


def test_an_observer_that_watches_rounds_sees_the_scale_and_ends_it() -> None:
    seen: list[tuple[int, Tensor]] = []

    class Watch(Observer):
        watches_rounds = True

        def should_stop(self, blocks: BlockMLPs) -> bool:
            seen.append((blocks.scale, blocks.parameters.clone()))
            return blocks.scale == 0

    target = as_target(picture(), SMALL.block_size, 3)
    representation = fit_signal(target, SMALL, observer=Watch())
    assert [scale for scale, _ in seen].count(0) == 1
    assert torch.equal(representation.scales[-1].parameters, seen[-1][1])
    assert [scale for scale, _ in seen].count(1) > 1


def test_a_diverging_fit_is_an_error_and_no_model() -> None:
    with pytest.raises(SettingsError, match="diverged"):
        fitted(picture(), replace(SMALL, learning_rate=1e6))


@pytest.mark.parametrize("memory", [0, 2_000_000])
def test_any_memory_gives_the_same_bits(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geom_miner.fit.scale_fit, "_SMALLEST_BATCH", 5)
    recorder, target = Recorder(), as_target(ball(40), SMALL.block_size, 3)
    whole, history = fitted(ball(40))
    part = fit_signal(target, SMALL, memory=memory, observer=recorder)
    for a, b in zip(whole.scales, part.scales, strict=True):
        assert torch.equal(a.varying_ids, b.varying_ids)
        assert torch.equal(a.fitted, b.fitted)
        assert torch.equal(a.parameters, b.parameters)
        assert torch.equal(a.constant_ids, b.constant_ids)
    for entry, known in zip(recorder.history, history, strict=True):
        assert (entry.block_steps, entry.parameters) == (known.block_steps, known.parameters)
        assert entry.energy == pytest.approx(known.energy)
    # Batches were made: steps begin again within a scale.
    finest = [status.step for status in recorder.statuses if status.scale == 0]
    assert (finest != sorted(finest)) == (memory == 0)
    shares = [status.done for status in recorder.statuses]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
