"""The cloud that a network is trained on, as tensors, and the points that each step takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from eval.clouds.point_cloud import Floats


@dataclass(frozen=True)
class SampleCounts:
    """Numbers of points of a step.

    Parameters
    ----------
    surface : points of the cloud.
    anywhere : points in the box around it.
    box : half the side of that box, whose center is the origin.
    """

    surface: int
    anywhere: int
    box: float


@dataclass(frozen=True)
class CloudBatch:
    """Points of the cloud in one step, normalized, float32; each loss adds other points.

    Parameters
    ----------
    surface : (n, ndim) points of the cloud.
    normals : (n, ndim) their normals, or None if the cloud has none.
    """

    surface: Tensor
    normals: Tensor | None


class CloudTensors:
    """A normalized cloud on the device.

    Parameters
    ----------
    points : (n, ndim) float64, normalized.
    normals : (n, ndim) or None.
    device : where the tensors are kept.
    """

    def __init__(self, points: Floats, normals: Floats | None, device: str = "cpu") -> None:
        self.points = _to_tensor(points, device)
        self.normals = None if normals is None else _to_tensor(normals, device)
        self._float64_points = points

    @property
    def ndim(self) -> int:
        return self.points.shape[1]

    @cached_property
    def neighbor_distances(self) -> Tensor:
        """Distance (n, 1) from each point to its 50th neighbor."""
        return _to_tensor(neighbor_distances(self._float64_points), self.points.device)[:, None]

    def choose(self, generator: torch.Generator, count: int) -> Tensor:
        """Indices (count,) of points, drawn with repetition."""
        device = self.points.device
        return torch.randint(len(self.points), (count,), generator=generator, device=device)

    def normals_of(self, indices: Tensor) -> Tensor | None:
        """The normals of those points, or None if the cloud has none."""
        return None if self.normals is None else self.normals[indices]


def draw_uniform(generator: torch.Generator, count: int, ndim: int, box: float) -> Tensor:
    """Points (count, ndim) uniform in [-box, box]**ndim, on the generator's device."""
    shape = (count, ndim)
    return torch.rand(shape, generator=generator, device=generator.device) * (2 * box) - box


def neighbor_distances(points: Floats, neighbor: int = 50) -> Floats:
    """Distance (n,) from each point to its neighbor of that rank; the nearest has rank 1.

    If the cloud has no more points than the rank, it is the distance to the farthest point.
    """
    rank = min(neighbor, len(points) - 1)
    distances, _ = cKDTree(points).query(points, k=[rank + 1], workers=-1)
    return np.asarray(distances, dtype=np.float64)[:, 0]


def _to_tensor(values: Floats, device: torch.device | str) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)
