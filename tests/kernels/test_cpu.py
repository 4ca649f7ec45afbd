"""The fused CPU kernel against its twin, against autograd in float64, and against mathematics."""

import os
import subprocess
import sys
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
from geom_miner.fit.settings import PRESETS
from geom_miner.kernels import cpu, reference
from geom_miner.kernels.simd import LANES, load, sincospi, store
from geom_miner.kernels.training import TrainingState
from tests.kernels.problems import Problem, exact_gradient, problem, trained


def preset_problems() -> list[Problem]:
    """Every architecture and block that a preset uses, for volumes and for color images."""
    cases: dict[Any, None] = {}
    for name, values in PRESETS.items():
        ndim, channels = (2, 3) if "image" in name else (3, 1)
        for scale in (0, values.scales - 1):
            dims = ndim, values.width_at(scale), values.depth, channels
            cases[dims, values.omega, (values.block_size,) * ndim] = None
    return [problem(dims, shape, omega=omega, blocks=2) for dims, omega, shape in cases]


def random_problem(data: st.DataObject) -> Problem:
    ndim = data.draw(st.integers(1, 4))
    width, depth, channels = (data.draw(st.integers(1, most)) for most in (21, 3, 4))
    shape = tuple(data.draw(st.integers(1, 12 if ndim < 3 else 5)) for _ in range(ndim))
    omega = data.draw(st.sampled_from([3.0, 10.0, 30.0]))
    return problem((ndim, width, depth, channels), shape, omega=omega)


def check_gradient(case: Problem, dead_zone: float = 0.0) -> None:
    state = trained(cpu, case, 1, dead_zone=dead_zone)
    losses, exact = exact_gradient(case, dead_zone)
    # After one step from rest. The dead zone can swallow every error, hence the absolute part.
    assert (state.losses - losses).abs().max() < 2e-5 * losses.max() + 1e-9
    assert (state.first_moment / 0.1 - exact).abs().max() < 2e-5 * exact.abs().max() + 1e-9


@pytest.mark.parametrize("case", preset_problems(), ids=lambda case: str(case[0].widths))
def test_gradients_of_presets_are_exact(case: Problem) -> None:
    check_gradient(case)


@given(st.data())
@settings(max_examples=60)
def test_gradients_of_any_shape_are_exact(data: st.DataObject) -> None:
    check_gradient(random_problem(data), dead_zone=data.draw(st.sampled_from([0.0, 0.1])))


@given(st.data())
@settings(max_examples=60)
def test_evaluate_agrees_with_the_reference(data: st.DataObject) -> None:
    architecture, parameters, coordinates, _ = random_problem(data)
    ours = cpu.evaluate(architecture, parameters, coordinates)
    assert (ours - reference.evaluate(architecture, parameters, coordinates)).abs().max() < 2e-6


# With the small dead zone most samples are trained on, with the large one few.
@pytest.mark.parametrize("dead_zone", [0.0, 0.02, 0.3])
def test_fifty_steps_follow_the_reference(dead_zone: float) -> None:
    case = problem((3, 20, 3, 1), (16, 16, 16))
    ours, theirs = (trained(k, case, 50, dead_zone=dead_zone) for k in (cpu, reference))
    assert (ours.losses / theirs.losses - 1).abs().max() < 1e-3
    # Adam divides tiny gradients by their own size, so rounding shows in single parameters.
    assert (ours.parameters - theirs.parameters).abs().max() < 0.05 * 50 * 2e-3


def test_a_block_stops_at_its_tolerance_and_stays_bit_identical() -> None:
    architecture, parameters, coordinates, targets = problem(
        (2, 12, 2, 1), (8, 8), omega=10.0, blocks=5
    )
    state = TrainingState.start(parameters.clone())
    tolerances = torch.tensor([5e-3, 0.0, 5e-3, 0.0, 5e-3])
    arguments = {"learning_rates": torch.full((300,), 5e-3), "tolerances": tolerances}
    cpu.train(architecture, state, coordinates, targets, **arguments)
    stopped = tolerances > 0
    assert bool((state.losses[stopped] <= tolerances[stopped]).all())
    assert bool((state.steps[stopped] < 300).all())
    assert state.steps[~stopped].tolist() == [300, 300]
    measured = cpu.evaluate(architecture, state.parameters, coordinates) - targets
    assert torch.allclose(measured.square().mean(dim=(1, 2))[stopped], state.losses[stopped])
    before = state.parameters.clone()
    cpu.train(architecture, state, coordinates, targets, **arguments)
    assert torch.equal(state.parameters[stopped], before[stopped])


def test_blocks_give_the_same_bits_in_any_company() -> None:
    architecture, parameters, coordinates, targets = problem(
        (3, 16, 2, 1), (16, 16, 16), omega=30.0, blocks=9
    )

    def alone(index: list[int]) -> Tensor:
        return trained(
            cpu, (architecture, parameters[index], coordinates, targets[index]), 5
        ).parameters

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
    architecture, parameters, coordinates, _ = problem((1, 4, 1, 1), (4,), omega=1.0)
    with pytest.raises(BackendUnavailable, match="float32"):
        cpu.evaluate(architecture, parameters.double(), coordinates)
    with pytest.raises(BlockShapeError, match="parameters of 1-4-1 must have 13 columns"):
        cpu.evaluate(architecture, parameters[:, 1:], coordinates)
    with pytest.raises(BlockShapeError, match="coordinates of 1-4-1 must have 1 columns"):
        cpu.evaluate(architecture, parameters, coordinates.repeat(1, 2))
    case = architecture, parameters, coordinates, torch.zeros(len(parameters), 4, 2)
    with pytest.raises(BlockShapeError, match="targets"):
        trained(cpu, case, 1)


def test_no_blocks_are_no_work() -> None:
    architecture, parameters, coordinates, _ = problem((1, 4, 1, 1), (4,), omega=1.0)
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
