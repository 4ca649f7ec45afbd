"""What every training kernel takes and changes: the optimizer's state of a set of blocks."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

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
