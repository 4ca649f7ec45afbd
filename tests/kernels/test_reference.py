import copy
from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from geom_miner.errors import BlockShapeError, SettingsError
from geom_miner.kernels import load_backend, resolve_backend
from geom_miner.kernels import reference as reference_kernel
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.training import TrainingState
from tests.kernels.problems import Bounds, dead_zone, for_few, of_all_kinds, single_numbers

architectures = st.builds(
    MLPArchitecture,
    ndim=st.integers(1, 4),
    width=st.integers(1, 9),
    depth=st.integers(1, 3),
    channels=st.integers(1, 3),
    omega=st.sampled_from([1.0, 10.0, 30.0]),
)


def naive(architecture: MLPArchitecture, row: Tensor, point: Tensor) -> Tensor:
    """One block at one point, written as the paper writes it."""
    h = point
    for k, (weights, biases) in enumerate(architecture.unpack(row[None])):
        z = h @ weights[0] + biases[0]
        h = torch.sin(architecture.omega * z) if k < architecture.depth else z
    return h


def problem(
    architecture: MLPArchitecture, blocks: int, samples: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)

    def draw(*shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1).to(dtype)

    return (
        draw(blocks, architecture.num_parameters) / 4,
        draw(samples, architecture.ndim),
        draw(blocks, samples, architecture.channels),
    )


@pytest.mark.parametrize(
    ("architecture", "count"),
    [
        (MLPArchitecture(3, 16, 3, 1, 30.0), 625),  # the paper's volumes
        (MLPArchitecture(3, 20, 3, 1, 30.0), 941),  # released, volumes
        (MLPArchitecture(2, 20, 3, 3, 30.0), 963),  # the paper's images
        (MLPArchitecture(2, 18, 3, 3, 150.0), 795),  # released, images
        (MLPArchitecture(2, 72, 3, 3, 150.0), 10947),  # released, coarsest image scale
        (MLPArchitecture(3, 16, 2, 1, 30.0), 353),
    ],
)
def test_parameter_counts_are_the_papers(architecture: MLPArchitecture, count: int) -> None:
    assert architecture.num_parameters == count


@given(architectures)
@settings(max_examples=30)
def test_evaluate_is_the_paper_block_by_block(architecture: MLPArchitecture) -> None:
    parameters, points, _ = problem(architecture, 3, 5)
    values = reference_kernel.evaluate(architecture, parameters, points)
    for block in range(3):
        for sample in range(5):
            expected = naive(architecture, parameters[block], points[sample])
            assert (values[block, sample] - expected).abs().max() < 1e-12


@given(architectures, st.sampled_from([single_numbers, dead_zone(0.2), of_all_kinds, for_few]))
@settings(max_examples=40)
def test_gradient_is_autograds(architecture: MLPArchitecture, bounds: Bounds) -> None:
    parameters, points, targets = problem(architecture, 3, 17)
    lower, upper = bounds(targets)
    losses, gradient = reference_kernel.loss_and_gradient(
        architecture, parameters, points, lower, upper
    )
    leaf = parameters.clone().requires_grad_()
    rows = [
        torch.stack([naive(architecture, leaf[block], point) for point in points])
        for block in range(3)
    ]
    values = torch.stack(rows)
    excess = (lower - values).clamp(min=0) + (values - upper).clamp(min=0)
    expected = excess.square().mean(dim=(1, 2))
    expected.sum().backward()
    assert leaf.grad is not None
    assert (losses - expected).abs().max() < 1e-12
    assert (gradient - leaf.grad).abs().max() < 1e-10 * max(1.0, float(leaf.grad.abs().max()))


def test_training_is_torchs_adam_per_block() -> None:
    architecture = MLPArchitecture(2, 5, 2, 2, 10.0)
    parameters, points, targets = problem(architecture, 3, 40)
    rates = torch.linspace(1e-2, 5e-3, 25)
    state = TrainingState.start(parameters.clone())
    reference_kernel.train(
        architecture, state, points, targets, targets,
        learning_rates=rates, tolerances=torch.zeros(3),
    )  # fmt: skip
    for block in range(3):
        leaf = parameters[block : block + 1].clone().requires_grad_()
        adam = torch.optim.Adam([leaf])
        for rate in rates.tolist():
            adam.param_groups[0]["lr"] = rate
            adam.zero_grad()
            values = torch.stack([naive(architecture, leaf[0], point) for point in points])
            (values - targets[block]).square().mean().backward()
            adam.step()
        assert (leaf.detach() - state.parameters[block]).abs().max() < 1e-9
    assert state.steps.tolist() == [25, 25, 25]


def test_a_block_stops_at_its_tolerance_and_stays_bit_identical() -> None:
    architecture = MLPArchitecture(1, 8, 2, 1, 5.0)
    parameters, points, targets = problem(architecture, 2, 30, torch.float32)
    targets[0] *= 0.01
    state = TrainingState.start(parameters.clone())
    tolerances = torch.tensor([0.05, 0.0])
    rate = torch.full((1,), 1e-2)
    frozen: Tensor | None = None
    for _ in range(200):
        reference_kernel.train(
            architecture, state, points, targets, targets,
            learning_rates=rate, tolerances=tolerances,
        )  # fmt: skip
        if state.losses[0] <= tolerances[0]:
            frozen = state.parameters[0].clone() if frozen is None else frozen
            assert torch.equal(state.parameters[0], frozen)
    assert frozen is not None
    assert int(state.steps[0]) < int(state.steps[1]) == 200
    values = reference_kernel.evaluate(architecture, state.parameters, points)
    measured = (values[0] - targets[0]).square().mean()
    assert float(measured) == pytest.approx(float(state.losses[0]), rel=1e-6)


def test_a_block_without_any_bound_is_left_alone() -> None:
    architecture = MLPArchitecture(2, 5, 2, 2, 10.0)
    parameters, points, targets = problem(architecture, 3, 40)
    lower, upper = for_few(targets)
    state = TrainingState.start(parameters.clone())
    reference_kernel.train(
        architecture, state, points, lower, upper,
        learning_rates=torch.full((4,), 1e-2), tolerances=torch.zeros(3),
    )  # fmt: skip
    assert state.steps.tolist() == [4, 0, 4]
    assert float(state.losses[1]) == 0.0
    assert torch.equal(state.parameters[1], parameters[1])
    assert not torch.equal(state.parameters[0], parameters[0])


def test_bounds_of_other_blocks_samples_or_channels_are_refused() -> None:
    architecture = MLPArchitecture(1, 4, 1, 1, 1.0)
    parameters, points, targets = problem(architecture, 3, 4)
    for wrong in (targets[1:], targets[:, 1:], targets.repeat(1, 1, 2)):
        for name, bounds in (("lower", (wrong, targets)), ("upper", (targets, wrong))):
            with pytest.raises(BlockShapeError, match=rf"{name} must have shape \(3, 4, 1\)"):
                reference_kernel.train(
                    architecture, TrainingState.start(parameters), points, *bounds,
                    learning_rates=torch.ones(1), tolerances=torch.zeros(3),
                )  # fmt: skip


def test_blocks_do_not_influence_one_another() -> None:
    architecture = MLPArchitecture(3, 16, 2, 1, 30.0)
    parameters, points, targets = problem(architecture, 20, 4096, torch.float32)
    rates = torch.full((3,), 2e-3)

    def trained(index: list[int]) -> Tensor:
        state = TrainingState.start(parameters[index].clone())
        reference_kernel.train(
            architecture, state, points, targets[index], targets[index],
            learning_rates=rates, tolerances=torch.zeros(len(index)),
        )  # fmt: skip
        return state.parameters

    together = trained(list(range(20)))
    assert (trained([19, 4, 11]) - together[[19, 4, 11]]).abs().max() < 1e-6


def test_rows_come_back_where_they_were_taken() -> None:
    state = TrainingState.start(torch.rand(5, 4))
    before = copy.deepcopy(state)
    part = state.rows(torch.tensor([3, 1]))
    part.parameters += 1
    state.put_rows(torch.tensor([3, 1]), part)
    assert torch.equal(state.parameters[[3, 1]], before.parameters[[3, 1]] + 1)
    for entry in fields(TrainingState):
        same = getattr(state, entry.name)[[0, 2, 4]], getattr(before, entry.name)[[0, 2, 4]]
        assert torch.equal(*same)


def test_the_switch_knows_its_backends() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert (resolve_backend("auto", cpu), resolve_backend("auto", cuda)) == ("cpu", "reference")
    assert load_backend("reference", cpu).train is reference_kernel.train
    with pytest.raises(SettingsError, match="backend must be"):
        load_backend("quantum", cpu)
