"""The fused CPU kernel against its twin, against autograd in float64, and against mathematics."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import binding
from numba import njit
from torch import Tensor

from geom_miner.errors import BackendUnavailable, BlockShapeError
from geom_miner.fit.presets import PRESETS
from geom_miner.fit.settings import FitSettings
from geom_miner.kernels import cpu, reference
from geom_miner.kernels.simd import LANES, load, sincospi, store
from geom_miner.kernels.training import TrainingState
from tests.kernels.problems import (
    Bounds,
    Problem,
    dead_zone,
    exact_gradient,
    for_few,
    of_all_kinds,
    problem,
    single_numbers,
    trained,
)

# Numbers for all samples; intervals, few and most of which are met at once; and, where samples
# without a bound are left out, intervals and numbers for those that remain.
BOUNDS = {
    "single numbers": single_numbers,
    "wide": dead_zone(0.3),
    "narrow": dead_zone(0.02),
    "of all kinds": of_all_kinds,
    "for few": for_few,
    "wide for few": partial(for_few, bounds=dead_zone(0.3)),
}
each_kind_of_bounds = pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)


def preset_problems() -> list[Problem]:
    """Every architecture and block that a preset of MLPs uses, for volumes and for color images."""
    cases: dict[Any, None] = {}
    for entry in PRESETS.values():
        ndim, channels = (2, 3) if entry.target == "image" else (3, 1)
        values = entry.settings
        if not isinstance(values, FitSettings):
            continue
        for scale in (0, values.scales - 1):
            dims = ndim, values.width_at(scale), values.depth, channels
            cases[dims, values.omega, (values.block_size,) * ndim] = None
    return [problem(dims, shape, omega=omega, blocks=2) for dims, omega, shape in cases]


def random_problem(data: st.DataObject, bounds: Bounds = single_numbers) -> Problem:
    ndim = data.draw(st.integers(1, 4))
    width, depth, channels = (data.draw(st.integers(1, most)) for most in (21, 3, 4))
    shape = tuple(data.draw(st.integers(1, 12 if ndim < 3 else 5)) for _ in range(ndim))
    omega = data.draw(st.sampled_from([3.0, 10.0, 30.0]))
    return problem((ndim, width, depth, channels), shape, omega=omega, bounds=bounds)


def check_gradient(case: Problem) -> None:
    state = trained(cpu, case, 1)
    losses, exact = exact_gradient(case)
    # After one step from rest. Intervals can swallow every error, hence the absolute part.
    assert (state.losses - losses).abs().max() < 2e-5 * losses.max() + 1e-9
    assert (state.first_moment / 0.1 - exact).abs().max() < 2e-5 * exact.abs().max() + 1e-9


@pytest.mark.parametrize("case", preset_problems(), ids=lambda case: str(case[0].widths))
def test_gradients_of_presets_are_exact(case: Problem) -> None:
    check_gradient(case)


@given(st.data())
@settings(max_examples=60)
def test_gradients_of_any_shape_are_exact(data: st.DataObject) -> None:
    check_gradient(random_problem(data, data.draw(st.sampled_from([*BOUNDS.values()]))))


@each_kind_of_bounds
def test_gradients_of_intervals_are_exact(bounds: Bounds) -> None:
    check_gradient(problem((3, 16, 2, 1), (16, 16, 16), bounds=bounds))


@given(st.data())
@settings(max_examples=60)
def test_evaluate_agrees_with_the_reference(data: st.DataObject) -> None:
    architecture, parameters, coordinates, *_ = random_problem(data)
    ours = cpu.evaluate(architecture, parameters, coordinates)
    assert (ours - reference.evaluate(architecture, parameters, coordinates)).abs().max() < 2e-6


@each_kind_of_bounds
def test_fifty_steps_follow_the_reference(bounds: Bounds) -> None:
    case = problem((3, 20, 3, 1), (16, 16, 16), bounds=bounds)
    # Stopped before nothing but rounding is left of the loss of wide intervals.
    ours, theirs = (trained(k, case, 50, tolerance=1e-6) for k in (cpu, reference))
    assert torch.equal(ours.steps, theirs.steps)
    assert bool(((ours.losses - theirs.losses).abs() <= 1e-3 * theirs.losses).all())
    # Adam divides tiny gradients by their own size, so rounding shows in single parameters.
    assert (ours.parameters - theirs.parameters).abs().max() < 0.05 * 50 * 2e-3


def test_a_block_stops_at_its_tolerance_and_stays_bit_identical() -> None:
    architecture, parameters, coordinates, targets, _ = problem(
        (2, 12, 2, 1), (8, 8), omega=10.0, blocks=5
    )
    state = TrainingState.start(parameters.clone())
    tolerances = torch.tensor([5e-3, 0.0, 5e-3, 0.0, 5e-3])
    arguments = {"learning_rates": torch.full((300,), 5e-3), "tolerances": tolerances}
    cpu.train(architecture, state, coordinates, targets, targets, **arguments)
    stopped = tolerances > 0
    assert bool((state.losses[stopped] <= tolerances[stopped]).all())
    assert bool((state.steps[stopped] < 300).all())
    assert state.steps[~stopped].tolist() == [300, 300]
    measured = cpu.evaluate(architecture, state.parameters, coordinates) - targets
    assert torch.allclose(measured.square().mean(dim=(1, 2))[stopped], state.losses[stopped])
    before = state.parameters.clone()
    cpu.train(architecture, state, coordinates, targets, targets, **arguments)
    assert torch.equal(state.parameters[stopped], before[stopped])


@pytest.mark.parametrize("bounds", [for_few, of_all_kinds])
def test_a_block_stops_when_its_bounds_are_met(bounds: Bounds) -> None:
    case = problem((2, 12, 2, 1), (16, 16), omega=10.0, bounds=bounds)
    architecture, _, coordinates, lower, upper = case
    state = trained(cpu, case, 600, rate=5e-3, tolerance=2e-4)
    assert bool((state.losses <= 2e-4).all())
    assert 0 < int(state.steps.max()) < 600
    values = cpu.evaluate(architecture, state.parameters, coordinates)
    measured = (values - values.clamp(lower, upper)).square().mean(dim=(1, 2))
    assert torch.allclose(measured, state.losses)


def test_a_block_without_any_bound_is_left_alone() -> None:
    case = problem((3, 16, 2, 1), (16, 16, 16), bounds=for_few)
    state = trained(cpu, case, 5)
    assert state.steps.tolist() == [5, 0, 5]
    assert float(state.losses[1]) == 0.0
    assert torch.equal(state.parameters[1], case[1][1])


def test_samples_without_a_bound_are_not_run() -> None:
    """Their places may be nowhere."""
    architecture, parameters, coordinates, lower, upper = problem(
        (2, 8, 2, 2), (9, 9), blocks=1, bounds=for_few
    )
    nowhere = coordinates.where(torch.isfinite(lower[0]).any(dim=1, keepdim=True), torch.nan)
    there, here = (
        trained(cpu, (architecture, parameters, places, lower, upper), 5)
        for places in (nowhere, coordinates)
    )
    assert bool(nowhere.isnan().any())
    assert torch.equal(there.parameters, here.parameters)
    assert torch.equal(there.losses, here.losses)


@each_kind_of_bounds
def test_training_twice_gives_the_same_bits(bounds: Bounds) -> None:
    case = problem((3, 16, 2, 1), (16, 16, 16), blocks=6, bounds=bounds)
    once, again = (trained(cpu, case, 5) for _ in range(2))
    assert torch.equal(once.parameters, again.parameters)
    assert torch.equal(once.losses, again.losses)


def test_equal_bounds_are_as_good_as_one_tensor() -> None:
    case = problem((3, 16, 2, 1), (16, 16, 16))
    once, again = (trained(cpu, (*case[:4], upper), 5) for upper in (case[3], case[3].clone()))
    assert torch.equal(once.parameters, again.parameters)


@each_kind_of_bounds
def test_blocks_give_the_same_bits_in_any_company(bounds: Bounds) -> None:
    architecture, parameters, coordinates, lower, upper = problem(
        (3, 16, 2, 1), (16, 16, 16), omega=30.0, blocks=9, bounds=bounds
    )

    def alone(index: list[int]) -> Tensor:
        case = architecture, parameters[index], coordinates, lower[index], upper[index]
        return trained(cpu, case, 5).parameters

    assert torch.equal(alone([7, 2]), alone(list(range(9)))[[7, 2]])


def test_sines_are_within_their_bound() -> None:
    @njit
    def fill(z, s, c):  # type: ignore[no-untyped-def]
        for t in range(0, len(z), LANES):
            a, b = sincospi(load(z, t))
            store(s, t, a)
            store(c, t, b)

    z = np.random.default_rng(0).uniform(-40, 40, 1 << 20).astype(np.float32)
    z[:17] = np.arange(17) / 2 - 4
    s, c = np.empty_like(z), np.empty_like(z)
    fill(z, s, c)
    exact = np.pi * z.astype(np.float64)
    assert np.abs(s - np.sin(exact)).max() < 2e-6
    assert np.abs(c - np.cos(exact)).max() < 2e-6


def test_what_the_kernel_cannot_take_is_refused() -> None:
    case = problem((1, 4, 1, 1), (4,), omega=1.0)
    architecture, parameters, coordinates, lower, _ = case
    with pytest.raises(BackendUnavailable, match="float32"):
        cpu.evaluate(architecture, parameters.double(), coordinates)
    with pytest.raises(BlockShapeError, match="parameters of 1-4-1 must have 13 columns"):
        cpu.evaluate(architecture, parameters[:, 1:], coordinates)
    with pytest.raises(BlockShapeError, match="coordinates of 1-4-1 must have 1 columns"):
        cpu.evaluate(architecture, parameters, coordinates.repeat(1, 2))
    for wrong in (lower[1:], lower[:, 1:], lower.repeat(1, 1, 2)):
        with pytest.raises(BlockShapeError, match=r"lower must have shape \(3, 4, 1\)"):
            trained(cpu, (*case[:3], wrong, lower), 1)
        with pytest.raises(BlockShapeError, match=r"upper must have shape \(3, 4, 1\)"):
            trained(cpu, (*case[:3], lower, wrong), 1)


def test_no_blocks_are_no_work() -> None:
    architecture, parameters, coordinates, *_ = problem((1, 4, 1, 1), (4,), omega=1.0)
    assert cpu.evaluate(architecture, parameters[:0], coordinates).shape == (0, 4, 1)


@pytest.mark.skipif(LANES == 8, reason="this machine's vectors have eight lanes anyway")
def test_vectors_of_eight_lanes_are_as_good() -> None:
    """What machines without AVX-512 compile, compiled here."""
    features = binding.get_host_cpu_features().items()
    narrow = [
        ("+" if has and not name.startswith("avx512") else "-") + name for name, has in features
    ]
    environment = {
        "NUMBA_CPU_NAME": binding.get_host_cpu_name(), "NUMBA_CPU_FEATURES": ",".join(narrow)
    }  # fmt: skip
    chosen = "sines or evaluate or fifty or random"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", chosen],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_compiling_is_announced_once_and_loading_is_not(tmp_path: Path) -> None:
    """In interpreters of their own, with a cache of their own."""
    program = "from geom_miner.kernels import cpu; cpu.prepare()"
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for _ in range(2)
    ]
    assert [text.count("compiling the CPU kernel") for text in said] == [1, 0]
