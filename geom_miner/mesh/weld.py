"""Merge vertices of bit-identical position."""

from __future__ import annotations

from geom_miner.mesh.triangle_mesh import TriangleMesh


def merge_identical_vertices(mesh: TriangleMesh) -> TriangleMesh:
    """Give all vertices of equal position one index; faces keep their order.

    This reconnects faces that a file stored apart: STL shares no vertices, and other formats
    split vertices where a normal or a texture coordinate changes. Vertices keep the order of
    their first occurrence, and unused vertices and the notes stay. A mesh without vertices of
    equal position is returned as it is. -0.0 and 0.0 are equal.
    """
    # Numba is imported on first use.
    from geom_miner.mesh.equal_vertices import distances_to_first, renumber

    numbers = distances_to_first(mesh.vertices)
    if not numbers.any():
        return mesh
    kept = mesh.vertices[numbers == 0]
    renumber(numbers)
    faces = numbers[mesh.faces].astype(mesh.faces.dtype, copy=False)
    return TriangleMesh(kept, faces, mesh.notes)
