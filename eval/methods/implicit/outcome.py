"""Check a network's surface: which side is inside, and whether it fits the points."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from eval.clouds.point_cloud import Floats
from eval.errors import MethodError
from eval.methods.implicit.level_set import Function
from eval.methods.protocol import Contours
from geom_miner import SampleGrid, TriangleMesh

# A surface is refused if its bounding box has less than the first share of the diagonal of the
# points' box; it gets a note if half of the points are farther from it than the second share.
_SMALLEST, _FAR = 0.1, 0.02
# Points along each axis that are checked on the border of the grid, and points of the cloud.
_BORDER_POINTS, _CHECKED_POINTS = 16, 10_000


def orient_outward(
    function: Function, grid: SampleGrid, device: str
) -> tuple[Function, tuple[str, ...]]:
    """The function with the sign that puts most of the grid's border outside, and notes."""
    values = _border_values(function, grid, device)
    if float((values < 0).float().mean()) > 0.5:
        note = "The network was negative outside; its sign was flipped."

        def flipped(points: Tensor) -> Tensor:
            return -function(points)

        return flipped, (note, *_note_if_cut(-values))
    return function, _note_if_cut(values)


def check_surface(surface: TriangleMesh | Contours, points: Floats) -> tuple[str, ...]:
    """Notes on a surface that misses the points; both are normalized.

    Raises
    ------
    MethodError
        The surface is empty, or far too small for the points.
    """
    vertices = _vertices(surface)
    if not len(vertices):
        raise MethodError(
            "no surface came out, the network has one sign everywhere in the box; "
            "give it more steps or another seed"
        )
    diagonal = float(np.linalg.norm(np.ptp(points, axis=0)))
    share = float(np.linalg.norm(np.ptp(vertices, axis=0))) / diagonal
    if share < _SMALLEST:
        raise MethodError(
            f"the surface that came out has {share:.1%} of the points' size; "
            "give it more steps or another seed"
        )
    checked = points[:: -(-len(points) // _CHECKED_POINTS)]
    distances, _ = cKDTree(vertices).query(checked, workers=-1)
    far = float(np.median(distances)) / diagonal
    if far > _FAR:
        return (f"Half of the points are more than {far:.1%} of the diagonal off the surface.",)
    return ()


def _border_values(function: Function, grid: SampleGrid, device: str) -> Tensor:
    low = torch.tensor(grid.origin)
    sides = torch.tensor(grid.shape) * torch.tensor(grid.spacing)
    steps = torch.cartesian_prod(*(torch.linspace(0, 1, _BORDER_POINTS),) * grid.ndim)
    steps = steps[((steps == 0) | (steps == 1)).any(dim=1)]
    with torch.no_grad():
        return function((low + steps * sides).to(device)).cpu()


def _note_if_cut(values: Tensor) -> tuple[str, ...]:
    if bool((values < 0).any()):
        return ("The surface leaves the box around the points and was closed along its border.",)
    return ()


def _vertices(surface: TriangleMesh | Contours) -> Floats:
    if isinstance(surface, TriangleMesh):
        return surface.vertices
    return np.concatenate([*surface.lines, np.empty((0, 2))])
