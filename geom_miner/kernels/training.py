"""What every training kernel takes and changes: bounds and the optimizer's state of blocks.

Every sample and channel has a lower and an upper bound, and the error of an output is its signed
distance to the interval between them, output - clamp(output, lower, upper). Equal bounds are plain
regression. Near a surface an interval of some width says how exact an output must be; away from it
one finite bound says on which side an output must stay; a dead zone of +-w about a target value t
is the interval [t - w, t + w]. Without any finite bound the error is 0 for every output.
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


def check_bounds(
    architecture: MLPArchitecture, state: TrainingState, coordinates: Tensor, *bounds: Tensor
) -> None:
    """Each must be (block, sample, channel): compiled code would read past the end."""
    shape = len(state.parameters), len(coordinates), architecture.channels
    for name, bound in zip(("lower", "upper"), bounds, strict=True):
        if bound.shape != shape:
            raise BlockShapeError(f"{name} must have shape {shape}, got {tuple(bound.shape)}")
