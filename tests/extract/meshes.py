"""The library's mesh of a whole grid, to compare with, and predicates of meshes."""

import numpy as np

from geom_miner.extract import cube_table
from geom_miner.extract.cell_vertices import CLEARANCE
from geom_miner.grid.samples import SampleGrid
from geom_miner.mesh.triangle_mesh import TriangleMesh


def library_mesh(field: np.ndarray, grid: SampleGrid, iso_level: float) -> TriangleMesh:
    """The mesh of a dense grid in one call of the library, with our order and vertex positions."""
    box = np.pad(field.astype(np.float64), 1, constant_values=iso_level - 0.5)
    doubled, faces = cube_table._polygonize(box >= iso_level)
    # unique sorts the edges in lattice order, the first axis first.
    edges, edge_of_vertex = np.unique(doubled, axis=0, return_inverse=True)
    low, high = edges // 2, edges - edges // 2
    below, beyond = box[tuple(low.T)], box[tuple(high.T)]
    t = np.clip((iso_level - below) / (beyond - below), CLEARANCE, 1 - CLEARANCE)
    vertices = grid.index_to_world((low - 1) + (high - low) * t[:, None])
    return TriangleMesh(vertices, edge_of_vertex.reshape(-1)[faces])


def canonical_faces(mesh: TriangleMesh) -> np.ndarray:
    """The set of faces as sorted rows, each rotated so that its smallest corner is first."""
    order = (np.argmin(mesh.faces, axis=1)[:, None] + np.arange(3)) % 3
    rotated = np.take_along_axis(mesh.faces, order, axis=1)
    return rotated[np.lexsort(rotated.T)]


def balanced(mesh: TriangleMesh) -> bool:
    """Every directed edge is matched by its opposite: a closed, consistently oriented surface."""
    edges = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    forward = np.sort(edges[:, 0] * len(mesh.vertices) + edges[:, 1])
    backward = np.sort(edges[:, 1] * len(mesh.vertices) + edges[:, 0])
    return np.array_equal(forward, backward)
