"""What the fused GPU kernel must satisfy, on a device or in Triton's interpreter.

Triton decides when a kernel is defined whether it will be interpreted, so this module is also a
program: ``TRITON_INTERPRET=1 python -m tests.kernels.gpu_cases`` prints one line of JSON, each
case's name with its error or null.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from geom_miner.errors import BackendUnavailable, BlockShapeError
from geom_miner.kernels import Backend, load_backend, reference
from geom_miner.kernels.architecture import MLPArchitecture
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

Case = Callable[[Backend, str], None]

# Every count of inputs, outputs and layers; widths at, below and above a power of two; numbers of
# samples that do and do not fill the last tile.
SHAPES = [
    ((1, 4, 1, 1), (7,)),
    ((2, 16, 1, 2), (8, 8)),
    ((2, 18, 3, 3), (8, 5)),
    ((3, 16, 2, 1), (8, 8, 4)),
    ((3, 20, 3, 1), (5, 4, 3)),
    ((4, 33, 2, 4), (3, 3, 2, 2)),
]
LARGE_SHAPES = [
    *SHAPES,
    ((2, 18, 3, 3), (32, 32)),
    ((3, 16, 2, 1), (16, 16, 16)),
    ((3, 20, 3, 1), (16, 16, 16)),
    ((3, 64, 3, 1), (16, 16, 16)),
]


def problems(device: str, bounds: Bounds = single_numbers) -> list[Problem]:
    shapes = SHAPES if device == "cpu" else LARGE_SHAPES
    return [problem(dims, shape, device, bounds=bounds) for dims, shape in shapes]


def gradients_are_exact(kernel: Backend, device: str) -> None:
    """Read off Adam's first moment after one step from rest."""
    for bounds in (single_numbers, dead_zone(0.1), of_all_kinds, for_few):
        for case in problems(device, bounds):
            state = trained(kernel, case, 1)
            losses, exact = exact_gradient(case)
            gradient = state.first_moment / 0.1
            # Bounds at random can leave a block of a few samples none, hence the absolute part.
            assert (state.losses - losses).abs().max() < 2e-5 * losses.max() + 1e-9, case[0]
            assert (gradient - exact).abs().max() < 2e-5 * exact.abs().max() + 1e-9, case[0]


def evaluate_agrees_with_the_reference(kernel: Backend, device: str) -> None:
    """The last problem has more samples than one program walks."""
    for case in [*problems(device), problem((2, 5, 1, 1), (33, 32), device)]:
        difference = kernel.evaluate(*case[:3]) - reference.evaluate(*case[:3])
        assert difference.abs().max() < 2e-6, case[0]


def steps_follow_the_reference(kernel: Backend, device: str) -> None:
    steps = 6 if device == "cpu" else 50
    for case in [*problems(device, dead_zone(0.02)), *problems(device, of_all_kinds)]:
        ours, theirs = (trained(k, case, steps) for k in (kernel, reference))
        assert torch.equal(ours.steps, theirs.steps)
        assert (ours.losses / theirs.losses - 1).abs().max() < 1e-3, case[0]
        # Adam divides tiny gradients by their own size, so rounding shows in single parameters.
        assert (ours.parameters - theirs.parameters).abs().max() < 0.05 * steps * 2e-3, case[0]
        moments = ours.second_moment - theirs.second_moment
        assert moments.abs().max() < 1e-3 * theirs.second_moment.max(), case[0]


def a_block_stops_at_its_tolerance_and_stays_bit_identical(kernel: Backend, device: str) -> None:
    case = problem((2, 12, 2, 1), (8, 4), device, omega=10.0, blocks=4)
    architecture, parameters, coordinates, targets, _ = case
    state = TrainingState.start(parameters.clone())
    tolerances = torch.tensor([5e-3, 0.0, 5e-3, 1e9], device=device)
    rates = torch.full((150,), 5e-3)

    def go_on() -> None:
        kernel.train(
            architecture, state, coordinates, targets, targets,
            learning_rates=rates, tolerances=tolerances,
        )  # fmt: skip

    go_on()
    stopped = tolerances > 0
    assert bool((state.losses[stopped] <= tolerances[stopped]).all())
    assert 0 < int(state.steps[0]) < 150
    assert state.steps[1:4:2].tolist() == [150, 0]
    assert torch.equal(state.parameters[3], parameters[3])
    measured = kernel.evaluate(architecture, state.parameters, coordinates) - targets
    assert torch.allclose(measured.square().mean(dim=(1, 2))[stopped], state.losses[stopped])
    before = state.parameters.clone()
    go_on()
    assert torch.equal(state.parameters[stopped], before[stopped])
    assert int(state.steps[1]) == 300


def a_block_without_any_bound_is_left_alone(kernel: Backend, device: str) -> None:
    case = problem((3, 16, 2, 1), (4, 4, 4), device, bounds=for_few)
    state = trained(kernel, case, 4)
    assert state.steps.tolist() == [4, 0, 4]
    assert float(state.losses[1]) == 0.0
    assert torch.equal(state.parameters[1], case[1][1])


def two_calls_are_one(kernel: Backend, device: str) -> None:
    """Also the bias corrections of Adam go on where they were."""
    case = problem((3, 16, 2, 1), (4, 4, 4), device)
    architecture, parameters, coordinates, lower, upper = case
    state = TrainingState.start(parameters.clone())
    rates = torch.linspace(1e-3, 3e-3, 7)
    once = TrainingState.start(parameters.clone())
    for part, learning_rates in ((state, rates[:3]), (state, rates[3:]), (once, rates)):
        kernel.train(
            architecture, part, coordinates, lower, upper,
            learning_rates=learning_rates, tolerances=torch.zeros_like(part.losses),
        )  # fmt: skip
    # Powers of beta are taken anew in each call, in float64.
    assert (state.parameters - once.parameters).abs().max() < 1e-6
    assert torch.equal(state.steps, once.steps)


def blocks_give_the_same_bits_in_any_company(kernel: Backend, device: str) -> None:
    architecture, parameters, coordinates, lower, upper = problem(
        (3, 16, 2, 1), (4, 4, 4), device, blocks=6, bounds=of_all_kinds
    )

    def alone(index: list[int]) -> Tensor:
        case = architecture, parameters[index], coordinates, lower[index], upper[index]
        return trained(kernel, case, 3).parameters

    assert torch.equal(alone([4, 2]), alone(list(range(6)))[[4, 2]])


def what_the_kernel_cannot_take_is_refused(kernel: Backend, device: str) -> None:
    case = problem((1, 4, 1, 1), (4,), device)
    architecture, parameters, coordinates, lower, _ = case
    wide = MLPArchitecture(1, 65, 1, 1, 1.0)
    for *arguments, word in (
        (architecture, parameters.double(), coordinates, "float32"),
        (architecture, parameters.T.contiguous().T, coordinates, "contiguous"),
        (wide, parameters.new_zeros(1, wide.num_parameters), coordinates, "64"),
    ):
        with pytest.raises(BackendUnavailable, match=f"{word}.*; use backend reference"):
            kernel.evaluate(*arguments)
    for wrong in (lower[1:], lower[:, 1:], lower.repeat(1, 1, 2)):
        with pytest.raises(BlockShapeError, match=r"lower must have shape \(3, 4, 1\)"):
            trained(kernel, (*case[:3], wrong, lower), 1)
        with pytest.raises(BlockShapeError, match=r"upper must have shape \(3, 4, 1\)"):
            trained(kernel, (*case[:3], lower, wrong), 1)


def no_blocks_or_no_steps_are_no_work(kernel: Backend, device: str) -> None:
    case = problem((1, 4, 1, 1), (4,), device)
    assert kernel.evaluate(case[0], case[1][:0], case[2]).shape == (0, 4, 1)
    trained(kernel, (case[0], case[1][:0], case[2], case[3][:0], case[4][:0]), 2)
    assert torch.equal(trained(kernel, case, 0).parameters, case[1])


def the_peak_is_made_of_fmas(_: Backend, device: str) -> None:
    """64 times x -> x / 2 + 0.3, whose fixed point is 0.6; 2048 columns start as 0 to 2047."""
    from pipelines.benchmarks.gpu_peak import chains, fma_peak

    numbers = torch.empty(2, 2048, device=device)
    chains(numbers, 1)
    assert (numbers - 0.6).abs().max() < 1e-6
    chains(numbers, 0)
    assert torch.equal(numbers[1], torch.arange(2048.0, device=device))
    if device == "cuda":
        assert 1e12 < fma_peak(2) < 1e15


CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        gradients_are_exact,
        evaluate_agrees_with_the_reference,
        steps_follow_the_reference,
        a_block_stops_at_its_tolerance_and_stays_bit_identical,
        a_block_without_any_bound_is_left_alone,
        two_calls_are_one,
        blocks_give_the_same_bits_in_any_company,
        what_the_kernel_cannot_take_is_refused,
        no_blocks_or_no_steps_are_no_work,
        the_peak_is_made_of_fmas,
    )
}


def _interpret() -> None:
    kernel, outcome = load_backend("gpu", torch.device("cuda")), {}
    for name, case in CASES.items():
        try:
            case(kernel, "cpu")
            outcome[name] = None
        except Exception:
            outcome[name] = traceback.format_exc()
    sys.stdout.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    _interpret()
