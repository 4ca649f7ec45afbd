"""Test points for inside by the parity of Embree rays: a cross-check of column casting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError, missing_extra
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.progress import Progress, silent

# Points that are tested at once, between two calls of ``progress``.
CHUNK_POINTS = 1 << 17

# Most hits of a ray, more than any reasonable shape has. trimesh silently stops counting at this
# number, and an incomplete count has no parity, so reaching it is an error.
MAX_HITS = 500

# Directions of the rays. They have no small rational relations, so that rays do not run along the
# edges of shapes built on lattices, and each is far from the others.
DIRECTIONS = np.array(
    [[0.436436, 0.218217, 0.872872], [0.912871, -0.365148, 0.182574], [-0.301511, 0.904534, 0.301]]
)


def embree_inside(
    mesh: TriangleMesh,
    points: npt.NDArray[np.float64],
    *,
    progress: Progress = silent,
) -> npt.NDArray[np.bool_]:
    """Whether points (p, 3), in world units, are inside, by a vote of the parities of three rays.

    Embree computes in float32 and may miss a hit at an edge. The vote makes a wrong answer rare
    but not impossible, so this test is only a cross-check.

    Parameters
    ----------
    progress : called with the share of points that are tested, in (0, 1].

    Raises
    ------
    BackendUnavailable
        embreex is not installed.
    MeshError
        A ray has more than ``MAX_HITS`` hits.
    """
    try:
        import trimesh
        from trimesh.ray.ray_pyembree import RayMeshIntersector
    except ImportError as error:
        raise missing_extra(
            "Embree rays need embreex", "eval", instead="take inside=auto"
        ) from error
    rays = RayMeshIntersector(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False))
    inside = np.empty(len(points), dtype=bool)
    for start in range(0, len(points), CHUNK_POINTS):
        chunk = np.asarray(points[start : start + CHUNK_POINTS], dtype=np.float64)
        votes = np.zeros(len(chunk), dtype=np.int64)
        for direction in DIRECTIONS:
            _, hit_rays = rays.intersects_id(
                chunk, np.tile(direction, (len(chunk), 1)), multiple_hits=True, max_hits=MAX_HITS
            )
            hits = np.bincount(hit_rays, minlength=len(chunk))
            if len(chunk) and hits.max() >= MAX_HITS:
                raise MeshError(
                    f"a ray must hit the mesh fewer than {MAX_HITS} times for the Embree "
                    "cross-check, got more; take inside=parity"
                )
            votes += hits & 1
        inside[start : start + CHUNK_POINTS] = votes >= 2
        progress(min(1.0, (start + CHUNK_POINTS) / len(points)))
    return inside
