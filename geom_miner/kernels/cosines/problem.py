"""What the sparse fit of cosine blocks is given, and the course that every backend follows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError

# Steps of accelerated descent on the coefficients that are not zero, and between two classes of
# rounding; more change the error by less than 1 %.
REFIT_STEPS = 9
# Coefficients below this share of the step are dropped after the first refit. After the second,
# this share plus the sparsity: what rounds to a whole step is not always worth its bits.
DROPPED = 0.5
# Share of the coefficients that is rounded after each of the first rounds; then all.
ROUNDED = (0.34, 0.67)


@dataclass(frozen=True)
class CosineProblem:
    """What some rows are fitted to; a row is one channel of a block.

    The fit minimizes the weighted squared distance of the samples to their intervals plus
    ``sparsity * step`` times the sum of the coefficients' magnitudes, then refits the coefficients
    that are not zero and rounds them to whole multiples of the step.

    Parameters
    ----------
    block_shape : samples per axis of a block.
    lower, upper : (row, sample) float32, bounds of the samples; one tensor where every sample is
        held to its value.
    weights : (row, sample) float32 in [0, 1], how much a sample counts; None for 1 everywhere.
    steps : (row,) float32, the quantization steps of the coefficients.
    sparsity : threshold of the coefficients, in steps.
    iterations : steps of accelerated proximal descent (FISTA, Beck and Teboulle 2009).
    """

    block_shape: tuple[int, ...]
    lower: Tensor
    upper: Tensor
    weights: Tensor | None
    steps: Tensor
    sparsity: float
    iterations: int

    def __post_init__(self) -> None:
        shape = (len(self.steps), math.prod(self.block_shape))
        given = [self.lower, self.upper, *([] if self.weights is None else [self.weights])]
        for tensor in given:
            if tuple(tensor.shape) != shape:
                raise BlockShapeError(
                    f"bounds and weights must have shape {shape}, got {tuple(tensor.shape)}"
                )

    @property
    def is_exact(self) -> bool:
        """Whether every sample is held to its value and counts fully: a transform solves it."""
        return self.upper is self.lower and self.weights is None


def momenta(count: int) -> list[float]:
    """Factors of the accelerated descent, step by step."""
    factors, t = [], 1.0
    for _ in range(count):
        following = (1 + math.sqrt(1 + 4 * t * t)) / 2
        factors.append((t - 1) / following)
        t = following
    return factors


def cosine_matrix(size: int) -> Tensor:
    """The orthonormal DCT-II, (frequency, sample), float64.

    Row k is sqrt(2 / size) cos(pi k (i + 1/2) / size), row 0 divided by sqrt(2).
    """
    samples = torch.arange(size, dtype=torch.float64)
    return cosine_basis(samples, size)


def cosine_basis(positions: Tensor, size: int) -> Tensor:
    """The cosines of a block at positions between its samples: (frequency, position) float64.

    Parameters
    ----------
    positions : (q,) float64 in samples; sample i lies at i, the block reaches from -1/2 to
        ``size`` - 1/2.
    """
    frequencies = torch.arange(size, dtype=torch.float64, device=positions.device)[:, None]
    basis = torch.cos(math.pi * frequencies * (positions + 0.5) / size) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis
