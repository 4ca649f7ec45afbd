"""Problems that every training kernel is given, and the truth about them from float64 autograd."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from geom_miner.kernels import Backend
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.training import TrainingState, interval_around
from geom_miner.model.block_mlps import local_coordinates
from geom_miner.model.initialize import initialize_blocks

# Architecture, parameters, coordinates, lower and upper bounds.
Problem = tuple[MLPArchitecture, Tensor, Tensor, Tensor, Tensor]

# Bounds around targets (block, sample, channel).
Bounds = Callable[[Tensor], tuple[Tensor, Tensor]]


def dead_zone(width: float) -> Bounds:
    return partial(interval_around, dead_zone=width)


single_numbers = dead_zone(0.0)


def of_all_kinds(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Single numbers, intervals of some width, bounds from one side, and none, at random."""
    generator = torch.Generator().manual_seed(5)
    kind = torch.randint(5, targets.shape, generator=generator)
    below = torch.tensor([0.0, 0.1, torch.inf, 0.0, torch.inf])[kind]
    above = torch.tensor([0.0, 0.1, 0.0, torch.inf, torch.inf])[kind]
    return targets - below, targets + above


def for_few(targets: Tensor, bounds: Bounds = single_numbers) -> tuple[Tensor, Tensor]:
    """Bounds for one sample in five only, and none at all in the second block."""
    generator = torch.Generator().manual_seed(6)
    without = torch.rand(*targets.shape[:2], 1, generator=generator) > 0.2
    without[1:2] = True
    lower, upper = bounds(targets)
    return lower.where(~without, -torch.inf), upper.where(~without, torch.inf)


def problem(
    dims: tuple[int, int, int, int],
    block_shape: tuple[int, ...],
    device: str = "cpu",
    omega: float = 30.0,
    blocks: int = 3,
    bounds: Bounds = single_numbers,
) -> Problem:
    """Parameters as drawn for a fit, a lattice, and bounds about a smooth part and noise."""
    architecture = MLPArchitecture(*dims, omega)
    coordinates = local_coordinates(block_shape, "cpu")
    parameters = initialize_blocks(architecture, torch.arange(blocks), gain=1.0, seed=1, scale=0)
    generator = torch.Generator().manual_seed(3)
    noise = torch.rand(blocks, len(coordinates), architecture.channels, generator=generator)
    targets = 0.2 * noise + 0.3 * coordinates.sum(1)[:, None]
    lower, upper = bounds(targets)
    one = upper is lower
    lower = lower.to(device)
    upper = lower if one else upper.to(device)
    return architecture, parameters.to(device), coordinates.to(device), lower, upper


def trained(
    kernel: Backend,
    case: Problem,
    steps: int,
    *,
    rate: float = 2e-3,
    tolerance: float = 0.0,
) -> TrainingState:
    architecture, parameters, coordinates, lower, upper = case
    state = TrainingState.start(parameters.clone())
    kernel.train(
        architecture, state, coordinates, lower, upper,
        learning_rates=torch.full((steps,), rate),
        tolerances=torch.full_like(state.losses, tolerance),
    )  # fmt: skip
    return state


def exact_gradient(case: Problem) -> tuple[Tensor, Tensor]:
    """Losses and gradient by autograd in float64."""
    architecture, parameters, coordinates, lower, upper = case
    leaf = parameters.double().requires_grad_()
    h = coordinates.double().expand(len(leaf), -1, -1)
    for k, (weights, biases) in enumerate(architecture.unpack(leaf)):
        z = torch.bmm(h, weights) + biases[:, None]
        h = torch.sin(architecture.omega * z) if k < architecture.depth else z
    excess = (lower.double() - h).clamp(min=0) + (h - upper.double()).clamp(min=0)
    losses = excess.square().mean(dim=(1, 2))
    losses.sum().backward()
    assert leaf.grad is not None
    return losses.detach(), leaf.grad
