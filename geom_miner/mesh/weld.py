"""Merge vertices that are equal bit for bit."""

from __future__ import annotations

import numpy as np

from geom_miner.mesh.triangle_mesh import TriangleMesh


def merge_identical_vertices(mesh: TriangleMesh) -> TriangleMesh:
    """Give vertices of equal position one index; positions and face order stay as they are.

    Formats without shared vertices (STL), or that split them where a normal or texture changes,
    come back connected. Vertices keep the order of their first occurrence, unused ones stay,
    and a mesh without duplicates is returned as it is. -0.0 and 0.0 are equal.
    """
    positions = mesh.vertices + 0.0  # -0.0 + 0.0 is 0.0
    order = np.lexsort(positions.T)
    ordered = positions[order]
    starts = np.ones(len(order), dtype=bool)
    np.any(ordered[1:] != ordered[:-1], axis=1, out=starts[1:])
    if starts.all():
        return mesh
    # lexsort is stable, so the first of each run is the first occurrence in the mesh.
    representative = np.empty(len(order), dtype=np.int64)
    representative[order] = order[starts][np.cumsum(starts) - 1]
    kept = representative == np.arange(len(order))
    new_index = np.cumsum(kept) - 1
    faces = new_index[representative][mesh.faces].astype(mesh.faces.dtype)
    return TriangleMesh(mesh.vertices[kept], faces)
