"""Nearest neighbors between point sets of any dimension, on the CPU or on a GPU.

The search on the CPU is exact in float64. The search on a GPU compares every pair of points in
float32, which suffices to choose a neighbor; its distance is then computed in float64.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from eval.errors import MetricError

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
NeighborChooser = Callable[["Tensor", "Tensor"], "Tensor"]
"""From points (n, d) and a cloud (m, d), float32 in [-1, 1], to the index (n,) of the nearest."""

# Distances in memory at once: 64 MB of float32, twice.
TILE = 1 << 24


class SearchedPoints:
    """Points for several searches: what a search on the CPU prepares is kept.

    Parameters
    ----------
    points : (n, d) float64, finite; this is not checked.
    """

    def __init__(self, points: Floats) -> None:
        self.points = points

    @cached_property
    def order(self) -> Indices:
        """The order of a tree's leaves, (n,): in it, neighbors are close in memory."""
        order: Indices = _tree(self.points).indices
        return order

    @cached_property
    def ordered_tree(self) -> cKDTree:
        """A k-d tree of ``points[order]``."""
        return _tree(self.points[self.order])


def find_nearest(
    points: Floats | SearchedPoints, cloud: Floats | SearchedPoints, *, device: str = "cpu"
) -> tuple[Floats, Indices]:
    """Find for each point the nearest point of a cloud; any of them if several are equally near.

    Parameters
    ----------
    points, cloud : (n, d) and (m, d) in one unit of length, finite; this is not checked. Give
        ``SearchedPoints`` for a set that is searched more than once.
    device : cpu, or cuda: Kaolin's search if it is installed, else ``choose_by_differences``.

    Returns
    -------
    distances : (n,) Euclidean; infinite if the cloud is empty.
    indices : (n,) into the cloud; -1 if it is empty.

    Raises
    ------
    MetricError
        ``device`` is neither cpu nor cuda.
    SettingsError
        ``device`` is cuda and there is no CUDA GPU.
    """
    if device not in ("cpu", "cuda"):
        raise MetricError(f"device must be cpu or cuda, got {device!r}")
    points, cloud = (
        p if isinstance(p, SearchedPoints) else SearchedPoints(p) for p in (points, cloud)
    )
    count = len(points.points)
    if not len(cloud.points):
        return np.full(count, np.inf), np.full(count, -1, dtype=np.int64)
    if device == "cpu":
        return nearest_by_tree(points, cloud)
    # Importing PyTorch takes seconds, so only a GPU search does.
    from geom_miner.kernels import choose_device

    chooser = kaolin_chooser() or choose_by_differences
    return nearest_on_device(points.points, cloud.points, chooser, choose_device(device))


def nearest_by_tree(points: SearchedPoints, cloud: SearchedPoints) -> tuple[Floats, Indices]:
    """Search by a k-d tree on all cores; for the arguments see ``find_nearest``.

    The search takes longer for distant points: many points of the cloud are about equally far.
    """
    # The order of leaves makes the search among points in random order three to five times as fast.
    order = points.order
    in_order = cloud.ordered_tree.query(points.points[order], workers=-1)
    distances, indices = np.empty(len(order)), np.empty(len(order), dtype=np.int64)
    distances[order], indices[order] = in_order[0], cloud.order[in_order[1]]
    return distances, indices


def _tree(points: Floats) -> cKDTree:
    # Midpoint splits and large leaves build twice as fast as balanced, compact trees. Queries are
    # as fast for close surfaces and several times as fast for distant ones.
    return cKDTree(points, leafsize=64, balanced_tree=False, compact_nodes=False)


def nearest_on_device(
    points: Floats, cloud: Floats, chooser: NeighborChooser, device: str
) -> tuple[Floats, Indices]:
    """Choose neighbors in float32 on a device; compute their distances in float64.

    The chosen neighbor is farther than the nearest one by at most 2**-18 of half the longest side
    of the box around both sets: coordinates are centered, and scaled by a power of two to at most
    1, before they and then their differences are rounded to float32.

    Parameters
    ----------
    points, cloud : as for ``find_nearest``; at least one point in the cloud.
    chooser : works on tensors on that device.
    """
    import torch

    low = points.min(axis=0, initial=np.inf).clip(max=cloud.min(axis=0))
    high = points.max(axis=0, initial=-np.inf).clip(min=cloud.max(axis=0))
    center = low + (high - low) / 2
    exponent = np.frexp(float((high - center).max()))[1]
    first, second = (
        torch.from_numpy(np.ldexp(positions - center, -exponent).astype(np.float32)).to(device)
        for positions in (points, cloud)
    )
    indices: Indices = chooser(first, second).cpu().numpy().astype(np.int64)
    return np.linalg.norm(points - cloud[indices], axis=1), indices


def choose_by_differences(points: Tensor, cloud: Tensor, *, tile: int = TILE) -> Tensor:
    """Compare all pairs, ``tile`` of them at once, by sums of squared differences.

    The product form |p|^2 - 2 p.q + |q|^2 would be faster, but for close points only rounding
    errors remain of it.
    """
    import torch

    columns = min(len(cloud), tile, 1 << 14)
    rows = tile // columns
    chosen = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for first in range(0, len(points), rows):
        tile_points, tile_chosen = points[first : first + rows], chosen[first : first + rows]
        least = torch.full((len(tile_points),), torch.inf, device=points.device)
        for start in range(0, len(cloud), columns):
            squares = _squared_distances(tile_points, cloud[start : start + columns])
            smallest, where = squares.min(dim=1)
            tile_chosen.copy_(torch.where(smallest < least, where + start, tile_chosen))
            least = torch.minimum(least, smallest)
    return chosen


def _squared_distances(points: Tensor, cloud: Tensor) -> Tensor:
    squares = (points[:, :1] - cloud[:, 0]).square_()
    for axis in range(1, points.shape[1]):
        gap = points[:, axis, None] - cloud[:, axis]
        squares.addcmul_(gap, gap)
    return squares


def kaolin_chooser() -> NeighborChooser | None:
    """The same choice by Kaolin's three-dimensional CUDA kernel; None if it is not installed.

    A package of that name without the kernel, such as a placeholder, does not count.
    """
    try:
        sided_distance = importlib.import_module("kaolin.metrics.pointcloud").sided_distance
    except (ImportError, OSError, AttributeError):
        return None

    def choose(points: Tensor, cloud: Tensor) -> Tensor:
        from torch.nn.functional import pad

        first, second = (pad(p, (0, 3 - p.shape[1]))[None] for p in (points, cloud))
        _, indices = sided_distance(first.contiguous(), second.contiguous())
        chosen: Tensor = indices[0]
        return chosen

    return choose
