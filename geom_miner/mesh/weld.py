"""Merge vertices of equal position, or of positions that differ by rounding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.mesh.triangle_mesh import TriangleMesh

# Vertices that lie this close together may be one vertex that was rounded twice, as a share of the
# mesh's longest side: a millionth.
ROUNDING = 1e-6
# Lattices by which near vertices are found, each shifted against the last by a quarter of a cell.
_LATTICES = 4


def merge_identical_vertices(mesh: TriangleMesh) -> TriangleMesh:
    """Give all vertices of equal position one index; faces keep their order.

    This reconnects faces that a file stored apart: STL shares no vertices, and other formats
    split vertices where a normal or a texture coordinate changes. Vertices keep the order of
    their first occurrence, and unused vertices and the notes stay. A mesh without vertices of
    equal position is returned as it is. -0.0 and 0.0 are equal.
    """
    return _merged(mesh, mesh.vertices)


def merge_near_vertices(mesh: TriangleMesh) -> TriangleMesh:
    """Give vertices whose positions differ by no more than rounding one index.

    Along every axis they differ by at most ``ROUNDING`` times the mesh's longest side, or, if all
    coordinates are float32, by one step of float32 at the largest coordinate if that is more.
    Vertices up to four times as far apart may be merged too. A merged vertex has the position of
    the first one. A mesh without such vertices is returned as it is. Takes 32 bytes for each
    vertex.
    """
    if not len(mesh.faces):
        return mesh
    low, high = mesh.bounds
    near = max(ROUNDING * float((high - low).max()), _float32_step(mesh.vertices))
    for lattice in range(_LATTICES):
        # Of four shifts at most one cuts between two near vertices along each of the three axes,
        # so that one shift leaves them in the same cell.
        cells = (mesh.vertices - low) / (_LATTICES * near) + lattice / _LATTICES
        mesh = _merged(mesh, np.floor(cells, out=cells))
    return mesh


def _float32_step(vertices: npt.NDArray[np.float64]) -> float:
    """Distance of float32 numbers at the largest coordinate; 0 if a coordinate is no float32."""
    largest = float(np.abs(vertices).max(initial=0.0))
    if largest > np.finfo(np.float32).max or (vertices.astype(np.float32) != vertices).any():
        return 0.0
    return float(np.spacing(np.float32(largest)))


def _merged(mesh: TriangleMesh, labels: npt.NDArray[np.float64]) -> TriangleMesh:
    """The first vertex of each label (v, 3) for all of them."""
    # Numba is imported on first use.
    from geom_miner.mesh.equal_vertices import distances_to_first, renumber

    numbers = distances_to_first(labels)
    if not numbers.any():
        return mesh
    kept = mesh.vertices[numbers == 0]
    renumber(numbers)
    faces = numbers[mesh.faces].astype(mesh.faces.dtype, copy=False)
    return TriangleMesh(kept, faces, mesh.notes)
