"""What every training kernel takes and changes: the goals and the optimizer's state of blocks.

A goal is an interval [lower, upper] for each sample and channel, and the error of an output its
signed distance to it, output - clamp(output, lower, upper). One number, lower = upper, is plain
regression. What only has to stay on one side of 1/2 is regression no longer: near a surface an
interval of some width says how exact an output must be, on both sides; away from it one finite
bound says on which side an output must stay, and a dead zone of +-w about a target t is
[t - w, t + w]. An interval without any finite bound is no goal; its error is 0 for every output.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError
from geom_miner.kernels.architecture import MLPArchitecture

# Adam's constants (Kingma and Ba 2015), the same for every kernel.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass
class TrainingState:
    """Parameters and Adam moments of blocks under training; kernels change them in place.

    Attributes
    ----------
    parameters, first_moment, second_moment : (block, parameter) float32
    steps : (block,) int64, optimizer steps taken so far by each block.
    losses : (block,) float32, mean squared error of the parameters as they are *before* the
        last step taken; for a block that stopped, of the parameters as they are.
    """

    parameters: Tensor
    first_moment: Tensor
    second_moment: Tensor
    steps: Tensor
    losses: Tensor

    @classmethod
    def start(cls, parameters: Tensor) -> TrainingState:
        """A fresh optimizer around initial parameters (block, parameter)."""
        blocks, device = len(parameters), parameters.device
        return cls(
            parameters,
            torch.zeros_like(parameters),
            torch.zeros_like(parameters),
            torch.zeros(blocks, dtype=torch.int64, device=device),
            torch.full((blocks,), torch.inf, device=device),
        )

    def rows(self, index: Tensor) -> TrainingState:
        """A copy of some blocks' state."""
        return TrainingState(*(getattr(self, f.name)[index] for f in fields(self)))

    def put_rows(self, index: Tensor, part: TrainingState) -> None:
        """Write back what ``rows`` took out."""
        for field in fields(self):
            getattr(self, field.name)[index] = getattr(part, field.name)


def interval_around(targets: Tensor, dead_zone: float) -> tuple[Tensor, Tensor]:
    """Lower and upper bounds at +-dead_zone; without a dead zone the targets themselves, twice."""
    return (targets - dead_zone, targets + dead_zone) if dead_zone else (targets, targets)


def check_goals(
    architecture: MLPArchitecture, state: TrainingState, coordinates: Tensor, *goals: Tensor
) -> None:
    """Each must be (block, sample, channel): compiled code would read past the end."""
    shape = len(state.parameters), len(coordinates), architecture.channels
    for name, goal in zip(("lower", "upper"), goals, strict=True):
        if goal.shape != shape:
            raise BlockShapeError(f"{name} must have shape {shape}, got {tuple(goal.shape)}")
