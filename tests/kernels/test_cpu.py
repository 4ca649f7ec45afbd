"""The fused CPU kernel against its twin, against autograd in float64, and against mathematics."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from torch import Tensor

from geom_miner.errors import BackendUnavailable
from geom_miner.fit.settings import PRESETS
from geom_miner.kernels import cpu, reference
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.simd import load, sincospi, store
from geom_miner.kernels.training import TrainingState
from geom_miner.model.block_mlps import local_coordinates
from geom_miner.model.initialize import initialize_blocks

Problem = tuple[MLPArchitecture, Tensor, Tensor, Tensor]


def problem(
    architecture: MLPArchitecture, block_shape: tuple[int, ...], blocks: int = 5
) -> Problem:
    """Parameters as drawn for a fit, a lattice, and targets with a smooth part and noise."""
    coordinates = local_coordinates(block_shape, "cpu")
    parameters = initialize_blocks(architecture, torch.arange(blocks), gain=1.0, seed=1, scale=0)
    generator = torch.Generator().manual_seed(3)
    noise = torch.rand(blocks, len(coordinates), architecture.channels, generator=generator)
    return architecture, parameters, coordinates, 0.2 * noise + 0.3 * coordinates.sum(1)[:, None]


def preset_problems() -> list[Problem]:
    """Every architecture and block that a preset uses, for volumes and for color images."""
    cases = {}
    for name, values in PRESETS.items():
        ndim, channels = (2, 3) if "image" in name else (3, 1)
        for scale in (0, values.scales - 1):
            architecture = MLPArchitecture(
                ndim, values.width_at(scale), values.depth, channels, values.omega
            )
            cases[architecture, values.block_size] = (values.block_size,) * ndim
    return [problem(a, shape, blocks=2) for (a, _), shape in cases.items()]


def random_problem(data: st.DataObject) -> Problem:
    ndim = data.draw(st.integers(1, 4))
    architecture = MLPArchitecture(
        ndim,
        data.draw(st.integers(1, 21)),
        data.draw(st.integers(1, 3)),
        data.draw(st.integers(1, 4)),
        data.draw(st.sampled_from([3.0, 10.0, 30.0])),
    )
    shape = tuple(data.draw(st.integers(1, 12 if ndim < 3 else 5)) for _ in range(ndim))
    return problem(architecture, shape, blocks=3)


def gradient_of(kernel: object, case: Problem, dead_zone: float) -> tuple[Tensor, Tensor]:
    """Losses and gradient, read off Adam's first moment after one step from rest."""
    architecture, parameters, coordinates, targets = case
    state = TrainingState.start(parameters.clone())
    kernel.train(  # type: ignore[attr-defined]
        architecture, state, coordinates, targets,
        learning_rates=torch.tensor([1e-3]), tolerances=torch.zeros(len(parameters)),
        dead_zone=dead_zone,
    )  # fmt: skip
    return state.losses, state.first_moment / 0.1


def exact_gradient(case: Problem, dead_zone: float) -> tuple[Tensor, Tensor]:
    """Losses and gradient by autograd in float64."""
    architecture, parameters, coordinates, targets = case
    leaf = parameters.double().requires_grad_()
    h = coordinates.double().expand(len(leaf), -1, -1)
    for k, (weights, biases) in enumerate(architecture.unpack(leaf)):
        z = torch.bmm(h, weights) + biases[:, None]
        h = torch.sin(architecture.omega * z) if k < architecture.depth else z
    error = h - targets.double()
    excess = torch.sign(error) * (error.abs() - dead_zone).clamp(min=0)
    losses = excess.square().mean(dim=(1, 2))
    losses.sum().backward()
    assert leaf.grad is not None
    return losses.detach(), leaf.grad


def check_gradient(case: Problem, dead_zone: float = 0.0) -> None:
    losses, gradient = gradient_of(cpu, case, dead_zone)
    exact_losses, exact = exact_gradient(case, dead_zone)
    # The dead zone can swallow every error, hence the absolute part.
    assert (losses - exact_losses).abs().max() < 2e-5 * exact_losses.max() + 1e-9
    assert (gradient - exact).abs().max() < 2e-5 * exact.abs().max() + 1e-9


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


def test_fifty_steps_follow_the_reference() -> None:
    architecture, parameters, coordinates, targets = problem(
        MLPArchitecture(3, 20, 3, 1, 30.0), (16, 16, 16)
    )
    states = []
    for kernel in (cpu, reference):
        state = TrainingState.start(parameters.clone())
        kernel.train(
            architecture, state, coordinates, targets,
            learning_rates=torch.full((50,), 2e-3), tolerances=torch.zeros(len(parameters)),
        )  # fmt: skip
        states.append(state)
    ours, theirs = states
    assert (ours.losses / theirs.losses - 1).abs().max() < 1e-3
    # Adam divides tiny gradients by their own size, so rounding shows in single parameters.
    assert (ours.parameters - theirs.parameters).abs().max() < 0.05 * 50 * 2e-3


def test_a_block_stops_at_its_tolerance_and_stays_bit_identical() -> None:
    architecture, parameters, coordinates, targets = problem(
        MLPArchitecture(2, 12, 2, 1, 10.0), (8, 8)
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
        MLPArchitecture(3, 16, 2, 1, 30.0), (16, 16, 16), blocks=9
    )

    def trained(index: list[int]) -> Tensor:
        state = TrainingState.start(parameters[index].clone())
        cpu.train(
            architecture, state, coordinates, targets[index],
            learning_rates=torch.full((5,), 2e-3), tolerances=torch.zeros(len(index)),
        )  # fmt: skip
        return state.parameters

    assert torch.equal(trained([7, 2]), trained(list(range(9)))[[7, 2]])


def test_sines_are_within_their_bound() -> None:
    @njit
    def fill(z, s, c):  # type: ignore[no-untyped-def]
        for t in range(0, len(z), 8):
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
    architecture, parameters, coordinates, _ = problem(MLPArchitecture(1, 4, 1, 1, 1.0), (4,))
    with pytest.raises(BackendUnavailable, match="float32"):
        cpu.evaluate(architecture, parameters.double(), coordinates)


def test_no_blocks_are_no_work() -> None:
    architecture, parameters, coordinates, _ = problem(MLPArchitecture(1, 4, 1, 1, 1.0), (4,))
    assert cpu.evaluate(architecture, parameters[:0], coordinates).shape == (0, 4, 1)
