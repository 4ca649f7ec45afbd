"""Problems that every training kernel is given, and the truth about them from float64 autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from geom_miner.kernels import Backend
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.training import TrainingState
from geom_miner.model.block_mlps import local_coordinates
from geom_miner.model.initialize import initialize_blocks

# Architecture, parameters, coordinates, targets.
Problem = tuple[MLPArchitecture, Tensor, Tensor, Tensor]


def problem(
    dims: tuple[int, int, int, int],
    block_shape: tuple[int, ...],
    device: str = "cpu",
    omega: float = 30.0,
    blocks: int = 3,
) -> Problem:
    """Parameters as drawn for a fit, a lattice, and targets with a smooth part and noise."""
    architecture = MLPArchitecture(*dims, omega)
    coordinates = local_coordinates(block_shape, "cpu")
    parameters = initialize_blocks(architecture, torch.arange(blocks), gain=1.0, seed=1, scale=0)
    generator = torch.Generator().manual_seed(3)
    noise = torch.rand(blocks, len(coordinates), architecture.channels, generator=generator)
    targets = 0.2 * noise + 0.3 * coordinates.sum(1)[:, None]
    return architecture, parameters.to(device), coordinates.to(device), targets.to(device)


def trained(
    kernel: Backend,
    case: Problem,
    steps: int,
    *,
    rate: float = 2e-3,
    tolerance: float = 0.0,
    dead_zone: float = 0.0,
) -> TrainingState:
    architecture, parameters, coordinates, targets = case
    state = TrainingState.start(parameters.clone())
    kernel.train(
        architecture, state, coordinates, targets,
        learning_rates=torch.full((steps,), rate),
        tolerances=torch.full_like(state.losses, tolerance),
        dead_zone=dead_zone,
    )  # fmt: skip
    return state


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
