"""Point clouds drawn on a mesh, as a scanner that sees the whole surface would measure them."""

from __future__ import annotations

import math

import numpy as np

from eval.clouds.point_cloud import PointCloud
from eval.errors import CloudError
from eval.metrics.sampling import sample_surface
from geom_miner import TriangleMesh


def sample_cloud(mesh: TriangleMesh, count: int, seed: int, noise: float = 0.0) -> PointCloud:
    """Draw points on a mesh, uniform in area, with the normals of their triangles.

    Parameters
    ----------
    mesh : its faces are counter-clockwise seen from outside, so that the normals point outward.
    count : number of points, >= 1.
    seed : the same seed and mesh give the same points, and the same noise up to its scale.
    noise : standard deviation of the noise on each coordinate, world units; the normals remain
        those of the mesh.

    Raises
    ------
    CloudError
        The mesh has no area, or ``noise`` is negative or not finite.
    MetricError
        ``count`` is below 1.
    """
    if not 0 <= noise < math.inf:
        raise CloudError(f"noise must be >= 0 and finite, got {noise}")
    samples = sample_surface(mesh, count, seed)
    if not len(samples):
        raise CloudError("the mesh has no area, so no points lie on it; give a mesh with faces")
    # A random stream of its own: with and without noise the same points are drawn.
    (noise_seed,) = np.random.SeedSequence(seed).spawn(1)
    shift = np.random.default_rng(noise_seed).standard_normal(samples.points.shape)
    return PointCloud(samples.points + noise * shift, samples.normals)
