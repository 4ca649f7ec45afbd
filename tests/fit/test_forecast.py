"""The share of a fit's work: exact where nothing is left to chance, near where something is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.fit.forecast import _OVERHEAD_BLOCKS, _OVERHEAD_STEPS, ScaleWork, WorkForecast

ROUND = 5


def rounds(lives: list[int], limit: int) -> list[tuple[int, int]]:
    """(step, active blocks) after each round, for blocks that stop after ``lives`` steps."""
    found = []
    for step in range(ROUND, limit + ROUND, ROUND):
        active = sum(life > step for life in lives)
        found.append((min(step, limit), active))
        if not active:
            break
    return found


def told(
    scales: list[ScaleWork], batches: list[tuple[int, int, list[int]]]
) -> tuple[list[float], list[float]]:
    """Shares told, and the true ones, for batches (scale, first, lives); lives of 0 do not fit."""
    forecast = WorkForecast(scales)
    shares, behind = [], [0.0]
    for scale, first, lives in batches:
        work = scales[scale]
        fitted = sum(life > 0 for life in lives)
        behind[-1] += work.cost * _OVERHEAD_STEPS * (len(lives) + _OVERHEAD_BLOCKS)
        before, running = 0, fitted
        for step, active in rounds(lives, work.steps) if fitted else [(0, 0)]:
            shares.append(forecast.advance(scale, first, len(lives), fitted, step, active))
            blocks = running + _OVERHEAD_BLOCKS
            behind.append(behind.pop() + work.cost * blocks * (step - before))
            behind.append(behind[-1])
            before, running = step, active
    return shares, [part / behind[-1] for part in behind[:-1]]


@given(
    sizes=st.lists(st.integers(0, 300), min_size=1, max_size=4).filter(any),
    steps=st.integers(1, 40),
    wide=st.floats(1.0, 16.0),
)
@settings(max_examples=60)
def test_without_early_stops_the_share_is_the_truth(
    sizes: list[int], steps: int, wide: float
) -> None:
    scales = [
        ScaleWork(n, steps + s, wide if s + 1 == len(sizes) else 1.0) for s, n in enumerate(sizes)
    ]
    batches = [
        (s, 0, [10**6] * scales[s].blocks) for s in reversed(range(len(sizes))) if scales[s].blocks
    ]
    shares, truth = told(scales, batches)
    assert shares == pytest.approx(truth)
    assert shares[-1] == pytest.approx(1.0)


@given(
    seed=st.integers(0, 2**31),
    batch=st.sampled_from([17, 64, 1000]),
    dead_zone=st.booleans(),
)
@settings(max_examples=60)
def test_the_share_rises_to_one_whatever_stops(seed: int, batch: int, dead_zone: bool) -> None:
    rng = np.random.default_rng(seed)
    scales = [ScaleWork(int(n), 30, 1.0, dead_zone and s == 0) for s, n in enumerate((200, 50, 8))]
    batches = [
        (s, first, rng.integers(0, 60, min(batch, work.blocks - first)).tolist())
        for s, work in reversed(list(enumerate(scales)))
        for first in range(0, work.blocks, batch)
    ]
    shares, _ = told(scales, batches)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 1
    assert shares[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("batch", [64, 4096])
@pytest.mark.parametrize(
    ("mean_life", "dead_zone"), [(20, False), (60, False), (1000, False), (20, True), (60, True)]
)
def test_the_total_is_foreseen_from_a_fifth_on(mean_life: int, batch: int, dead_zone: bool) -> None:
    """Work done over share told is the foreseen total; within 1.5 times the true one."""
    rng = np.random.default_rng(3)
    sizes = (4096, 1024, 256, 64)
    scales = [ScaleWork(n, 100, 1.0, dead_zone and s == 0) for s, n in enumerate(sizes)]
    batches = [
        (s, first, np.ceil(rng.exponential(mean_life, min(batch, work.blocks - first))).tolist())
        for s, work in reversed(list(enumerate(scales)))
        for first in range(0, work.blocks, batch)
    ]
    shares, truth = told(scales, batches)
    ratios = [true / share for share, true in zip(shares, truth, strict=True) if true > 0.2]
    assert max(ratios) < 1.5
    assert min(ratios) > 1 / 1.5


def test_what_an_earlier_run_did_is_no_work() -> None:
    scales = [ScaleWork(n, 100, 1.0) for n in (800, 100, 10)]
    whole, resumed = WorkForecast(scales), WorkForecast(scales)
    whole.advance(2, 0, 10, 10, 100, 0)
    whole.advance(1, 0, 100, 100, 100, 0)
    # The earlier run ended after half of the finest scale's blocks.
    half = resumed.advance(0, 400, 400, 400, 50, 400)
    assert half == pytest.approx((_OVERHEAD_STEPS + 50) / (_OVERHEAD_STEPS + 100), rel=1e-6)
    assert whole.advance(0, 0, 800, 800, 5, 800) < half
    assert resumed.advance(0, 400, 400, 400, 100, 0) == pytest.approx(1.0)


def test_scales_that_a_plateau_ends_teach_the_next_ones() -> None:
    """Ten steps of a thousand in each scale so far: the finest is expected to be as short."""
    scales = [ScaleWork(n, 1000, 1.0) for n in (400, 100, 20)]
    forecast = WorkForecast(scales)
    unwarned = forecast.advance(2, 0, 20, 20, 10, 20)
    assert unwarned < 0.01
    forecast.advance(1, 0, 100, 100, 10, 100)
    assert forecast.advance(0, 0, 400, 400, 10, 400) > 0.05
    other = WorkForecast(scales)
    other.advance(2, 0, 20, 20, 1000, 20)
    other.advance(1, 0, 100, 100, 1000, 100)
    # Without plateaus ten more steps are ten of a thousand, and what was done before.
    assert other.advance(0, 0, 400, 400, 10, 400) == pytest.approx(
        (1020 * (30 + 110) + 20 * 410 + 10 * 410) / (1020 * (30 + 110 + 410))
    )
