"""Merge vertices that are equal bit for bit."""

from __future__ import annotations

from geom_miner.mesh.triangle_mesh import TriangleMesh


def merge_identical_vertices(mesh: TriangleMesh) -> TriangleMesh:
    """Give vertices of equal position one index; positions and face order stay as they are.

    Formats without shared vertices (STL), or that split them where a normal or texture changes,
    come back connected. Vertices keep the order of their first occurrence, unused ones stay,
    and a mesh without duplicates is returned as it is. -0.0 and 0.0 are equal.
    """
    # Numba is imported on first use.
    from geom_miner.mesh.equal_vertices import distances_to_first, renumber

    numbers = distances_to_first(mesh.vertices)
    if not numbers.any():
        return mesh
    kept = mesh.vertices[numbers == 0]
    renumber(numbers)
    return TriangleMesh(kept, numbers[mesh.faces].astype(mesh.faces.dtype, copy=False))
