"""Nearest neighbors between point sets of any dimension, on the processor or on a GPU.

The search on the processor is exact in float64. The one on a GPU compares every pair of points in
float32, which is enough to choose a neighbor; its distance is then computed in float64.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from eval.errors import MetricError

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
# From points (n, d) and a cloud (m, d), float32 in [-1, 1], to the index of the nearest, (n,).
Pick = Callable[["Tensor", "Tensor"], "Tensor"]

# Distances that are held at once: 64 MB of float32, twice.
TILE = 1 << 24


def find_nearest(points: Floats, cloud: Floats, *, device: str = "cpu") -> tuple[Floats, Indices]:
    """Find for each point the nearest of a cloud; of several equally near ones any.

    Parameters
    ----------
    points, cloud : (n, d) and (m, d), one unit of length, finite: who calls has seen to it.
    device : cpu, or cuda: Kaolin's search if it is installed, else ``pick_by_differences``.

    Returns
    -------
    distances : (n,) Euclidean; infinite if the cloud is empty.
    indices : (n,) into the cloud; -1 if it is empty.

    Raises
    ------
    MetricError
        ``device`` is another word.
    SettingsError
        ``device`` is cuda and there is none.
    """
    if device not in ("cpu", "cuda"):
        raise MetricError(f"device must be cpu or cuda, got {device!r}")
    if not len(cloud):
        return np.full(len(points), np.inf), np.full(len(points), -1, dtype=np.int64)
    if device == "cpu":
        return nearest_by_tree(points, cloud)
    # PyTorch is imported on first use.
    from geom_miner.kernels import choose_device

    chosen = choose_device(device)
    return nearest_by_pick(points, cloud, kaolin_pick() or pick_by_differences, chosen)


def nearest_by_tree(points: Floats, cloud: Floats) -> tuple[Floats, Indices]:
    """The nearest by a k-d tree on all cores; for the arguments see ``find_nearest``.

    Time grows with the distance: many points are about equally far from a far one.
    """
    # In the order of a tree's leaves neighbors are close in memory, which makes the search among
    # points that come in a random order three to five times as fast.
    order, inner = _tree(points).indices, _tree(cloud).indices
    found, at = _tree(cloud[inner]).query(points[order], workers=-1)
    distances, indices = np.empty(len(points)), np.empty(len(points), dtype=np.int64)
    distances[order], indices[order] = found, inner[at]
    return distances, indices


def _tree(points: Floats) -> cKDTree:
    # Plain midpoint splits build twice as fast as balanced, tightened ones; they and large leaves
    # answer as fast for near surfaces and several times as fast for far ones.
    return cKDTree(points, leafsize=64, balanced_tree=False, compact_nodes=False)


def nearest_by_pick(
    points: Floats, cloud: Floats, pick: Pick, device: str
) -> tuple[Floats, Indices]:
    """The nearest as chosen in float32 on a device; its distance in float64.

    What is chosen is farther than the nearest by at most 2**-18 of half the longest side of the
    box around both sets: coordinates are centered, and scaled by a power of two to at most 1,
    before they and then their differences are rounded to float32.

    Parameters
    ----------
    points, cloud : as ``find_nearest``; at least one point in the cloud.
    pick : on tensors of that device.
    """
    import torch

    low = points.min(axis=0, initial=np.inf).clip(max=cloud.min(axis=0))
    high = points.max(axis=0, initial=-np.inf).clip(min=cloud.max(axis=0))
    center = low + (high - low) / 2
    exponent = np.frexp(float((high - center).max()))[1]
    first, second = (
        torch.from_numpy(np.ldexp(each - center, -exponent).astype(np.float32)).to(device)
        for each in (points, cloud)
    )
    indices: Indices = pick(first, second).cpu().numpy().astype(np.int64)
    return np.linalg.norm(points - cloud[indices], axis=1), indices


def pick_by_differences(points: Tensor, cloud: Tensor, *, tile: int = TILE) -> Tensor:
    """Compare all pairs, ``tile`` of them at once, by sums of squared differences.

    The product form |p|^2 - 2 p.q + |q|^2 would be faster and is not taken: of near points it
    leaves nothing but rounding.
    """
    import torch

    columns = min(len(cloud), tile, 1 << 14)
    rows = tile // columns
    picked = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for first in range(0, len(points), rows):
        part, at = points[first : first + rows], picked[first : first + rows]
        least = torch.full((len(part),), torch.inf, device=points.device)
        for start in range(0, len(cloud), columns):
            squares = _squared_distances(part, cloud[start : start + columns])
            smallest, where = squares.min(dim=1)
            at.copy_(torch.where(smallest < least, where + start, at))
            least = torch.minimum(least, smallest)
    return picked


def _squared_distances(points: Tensor, cloud: Tensor) -> Tensor:
    squares = (points[:, :1] - cloud[:, 0]).square_()
    for axis in range(1, points.shape[1]):
        gap = points[:, axis, None] - cloud[:, axis]
        squares.addcmul_(gap, gap)
    return squares


def kaolin_pick() -> Pick | None:
    """The same choice by Kaolin's CUDA kernel, which knows three dimensions; None without Kaolin.

    A package of that name that lacks the kernel, such as a place holder, counts as none.
    """
    try:
        sided_distance = importlib.import_module("kaolin.metrics.pointcloud").sided_distance
    except (ImportError, OSError, AttributeError):
        return None

    def pick(points: Tensor, cloud: Tensor) -> Tensor:
        from torch.nn.functional import pad

        first, second = (pad(each, (0, 3 - each.shape[1]))[None] for each in (points, cloud))
        _, indices = sided_distance(first.contiguous(), second.contiguous())
        picked: Tensor = indices[0]
        return picked

    return pick
