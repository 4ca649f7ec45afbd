"""The points at which PHASE evaluates its functional: in Ω, and in balls around the data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from eval.methods.implicit.sampling import CloudBatch

# Approximate number of cells that Ω is divided into: 64 along each of three axes.
_CELLS = 2**18


@dataclass(frozen=True)
class PhaseBatch(CloudBatch):
    """Points of one step.

    Parameters
    ----------
    moves : (n, b, ndim) offsets within the unit ball, b for each point of the surface.
    domain : (m, ndim) samples of Ω.
    weights : (m,) uniform density divided by the density from which each sample was drawn.
    """

    moves: Tensor
    domain: Tensor
    weights: Tensor


class DomainSampler:
    """Draws samples of Ω = [-box, box]^ndim, more of them near points, with their weights.

    Ω is divided into equal cells. With the share ``near`` a cell is drawn by its distance to the
    nearest cell with a point, otherwise uniformly; the sample is uniform in the cell. So the
    density of the samples is known exactly.

    Parameters
    ----------
    points : (n, ndim), on the device of the samples.
    box : half the side of Ω.
    near, reach : see ``PhaseSettings``.
    """

    def __init__(self, points: Tensor, *, box: float, near: float, reach: float) -> None:
        self.ndim, device = points.shape[1], points.device
        self.per_axis = round(_CELLS ** (1 / self.ndim))
        self.side, self.box = 2 * box / self.per_axis, box
        cells = np.floor((points.cpu().numpy() + box) / self.side).astype(np.int64)
        empty = np.ones((self.per_axis,) * self.ndim, dtype=bool)
        empty[tuple(cells.clip(0, self.per_axis - 1).T)] = False
        # Distances between centers; a sample may be nearer by half the diagonal of its cell.
        distances = distance_transform_edt(empty).ravel() * self.side
        least = np.maximum(distances - self.side * math.sqrt(self.ndim) / 2, 0)
        falloff = np.exp(-least / reach)
        shares = (1 - near) / len(least) + near * falloff / falloff.sum()
        self._weights = torch.from_numpy(1 / (len(least) * shares)).float().to(device)
        cumulative = np.cumsum(shares)
        self._cumulative = torch.from_numpy(cumulative / cumulative[-1]).to(device)

    def draw(self, generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Samples (count, ndim), and weights (count,) whose mean tends to 1."""
        device = self._weights.device
        # Evenly spaced quantiles with one common random shift lower the variance of a sum.
        shift = torch.rand(1, generator=generator, device=device, dtype=torch.float64)
        quantiles = (torch.arange(count, device=device) + shift) / count
        # Rounding may move the last quantile to 1.
        cell = torch.searchsorted(self._cumulative, quantiles).clamp_(max=len(self._weights) - 1)
        strides = self.per_axis ** torch.arange(self.ndim - 1, -1, -1, device=device)
        corner = (cell[:, None] // strides) % self.per_axis
        inner = torch.rand(count, self.ndim, generator=generator, device=device)
        return (corner + inner) * self.side - self.box, self._weights[cell]


def draw_in_ball(generator: torch.Generator, count: int, pairs: int, ndim: int) -> Tensor:
    """Positions (count, 2 pairs, ndim) uniform in the unit ball, each with its opposite."""
    device = generator.device
    directions = torch.randn(count, pairs, ndim, generator=generator, device=device)
    shares = torch.rand(count, pairs, 1, generator=generator, device=device)
    moves = torch.nn.functional.normalize(directions, dim=2) * shares ** (1 / ndim)
    return torch.cat([moves, -moves], dim=1)
