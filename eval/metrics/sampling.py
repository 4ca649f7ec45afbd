"""Points drawn uniformly on a triangle mesh, with the normals of their triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.errors import MetricError
from geom_miner import TriangleMesh


@dataclass(frozen=True)
class SurfaceSamples:
    """Points on a surface.

    Parameters
    ----------
    points : (n, 3) float64, world units.
    normals : (n, 3) float64, unit length, from counter-clockwise faces.
    """

    points: npt.NDArray[np.float64]
    normals: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.points)


def sample_surface(
    mesh: TriangleMesh, count: int, seed: int | np.random.SeedSequence
) -> SurfaceSamples:
    """Draw independent points, uniform in area: first a triangle by its area, then a point in it.

    The points are sorted by face, which keeps neighbors close in memory. Faces without area are
    never drawn; a mesh without area (or without faces) gives no points.

    Parameters
    ----------
    mesh : the surface.
    count : number of points, >= 1.
    seed : the same seed and mesh give the same points.

    Raises
    ------
    MetricError
        ``count`` is below 1.
    """
    if count < 1:
        raise MetricError(f"count must be at least 1, got {count}")
    corners = mesh.triangles
    edge_1, edge_2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    cross = np.cross(edge_1, edge_2)
    double_area = np.linalg.norm(cross, axis=1)
    cumulative = np.cumsum(double_area)
    if not len(cumulative) or not cumulative[-1] > 0:
        return SurfaceSamples(np.zeros((0, 3)), np.zeros((0, 3)))
    rng = np.random.default_rng(seed)
    # side="right" skips faces of zero area: they add nothing to the cumulative sum.
    position = np.sort(rng.random(count)) * cumulative[-1]
    last = int(np.flatnonzero(double_area)[-1])
    face = np.minimum(np.searchsorted(cumulative, position, side="right"), last)
    # Folding the unit square over its diagonal keeps the density uniform in the triangle.
    u, v = rng.random((2, count))
    folded = u + v > 1
    u[folded], v[folded] = 1 - u[folded], 1 - v[folded]
    points = corners[face, 0] + u[:, None] * edge_1[face] + v[:, None] * edge_2[face]
    return SurfaceSamples(points, cross[face] / double_area[face, None])
