"""Where the network is looked at in a step: on the surface, near it, and anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from eval.clouds.point_cloud import Floats

NEIGHBOR = 50
"""Rank of the neighbor whose distance is a point's reach off the surface (IGR)."""


@dataclass(frozen=True)
class Batch:
    """Points of one step, normalized, float32.

    Parameters
    ----------
    surface : (n, ndim) points of the cloud.
    normals : (n, ndim) theirs, or None where the cloud has none.
    near : (n, ndim) each a surface point moved at random.
    anywhere : (m, ndim) uniform in the box.
    """

    surface: Tensor
    normals: Tensor | None
    near: Tensor
    anywhere: Tensor


@dataclass(frozen=True)
class SampleCounts:
    """Points of a step: on the surface, as many near it, and in the box around it.

    ``box`` is half the side of the box that has 0 at its center.
    """

    surface: int
    anywhere: int
    box: float


class CloudSampler:
    """Draws batches from a cloud.

    Parameters
    ----------
    points : (n, ndim) float64, normalized.
    normals : (n, ndim) or None.
    counts : points of a batch.
    device : where the batches are.
    """

    def __init__(
        self, points: Floats, normals: Floats | None, counts: SampleCounts, device: str = "cpu"
    ) -> None:
        self.counts = counts
        self.points = _tensor(points, device)
        self.normals = None if normals is None else _tensor(normals, device)
        self.reach = _tensor(neighbor_distances(points), device)[:, None]

    def draw(self, generator: torch.Generator) -> Batch:
        """The next batch; the generator's device must be the sampler's."""
        counts, points, device = self.counts, self.points, self.points.device
        chosen = torch.randint(len(points), (counts.surface,), generator=generator, device=device)
        surface = points[chosen]
        moves = torch.randn(surface.shape, generator=generator, device=device)
        return Batch(
            surface,
            None if self.normals is None else self.normals[chosen],
            surface + moves * self.reach[chosen],
            uniform(generator, counts.anywhere, points.shape[1], counts.box),
        )


def uniform(generator: torch.Generator, count: int, ndim: int, box: float) -> Tensor:
    """Points (count, ndim) in [-box, box]**ndim, on the generator's device."""
    shape = (count, ndim)
    return torch.rand(shape, generator=generator, device=generator.device) * (2 * box) - box


def neighbor_distances(points: Floats, neighbor: int = NEIGHBOR) -> Floats:
    """Distance (n,) from each point to its neighbor of that rank, the nearest being 1.

    In a cloud of no more points than the rank it is the one farthest away.
    """
    rank = min(neighbor, len(points) - 1)
    distances, _ = cKDTree(points).query(points, k=[rank + 1], workers=-1)
    return np.asarray(distances, dtype=np.float64)[:, 0]


def _tensor(values: Floats, device: str) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)
