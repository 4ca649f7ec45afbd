"""Repair a mesh before the inside test: remove duplicate faces, flip inconsistently wound ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geom_miner.mesh.diagnosis import Diagnosis, diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices


@dataclass(frozen=True)
class Repaired:
    """A repaired mesh, and what was repaired."""

    mesh: TriangleMesh
    diagnosis: Diagnosis
    """Diagnosis of the repaired mesh."""
    duplicates_removed: int
    """Duplicate faces that were removed."""
    faces_flipped: int
    """Faces that were flipped to agree with their neighbors."""


def repair(mesh: TriangleMesh, diagnosis: Diagnosis) -> Repaired:
    """Remove duplicate faces that make the mesh leak; flip faces that disagree with neighbors.

    A duplicate face adds a wall and a crossing that should not be there. In a closed mesh
    duplicates come in complete surfaces (a component stored twice, two components that touch),
    and removing some faces would open them, so they stay. Faces that disagree with their neighbors
    spoil winding numbers and the directions of crossings, but not parity. A mesh without these
    faults is returned as it is.

    Parameters
    ----------
    diagnosis : diagnosis of ``mesh``.
    """
    result = Repaired(mesh, diagnosis, 0, 0)
    if diagnosis.duplicate_faces and not diagnosis.closed:
        deduplicated = _without_duplicates(mesh)
        after = diagnose(deduplicated)
        if after.odd_edges < diagnosis.odd_edges:
            removed = len(mesh.faces) - len(deduplicated.faces)
            result = Repaired(deduplicated, after, removed, 0)
    if result.diagnosis.misoriented_edges:
        from geom_miner.mesh.patches import faces_to_flip

        to_flip = faces_to_flip(merge_identical_vertices(result.mesh))
        faces = result.mesh.faces.copy()
        faces[to_flip] = faces[to_flip, ::-1]
        consistent = TriangleMesh(result.mesh.vertices, faces)
        result = Repaired(
            consistent, diagnose(consistent), result.duplicates_removed, int(to_flip.sum())
        )
    return result


def _without_duplicates(mesh: TriangleMesh) -> TriangleMesh:
    """Keep one face for each set of corners, oriented like most of its copies.

    If as many copies face one way as the other, they cancel in parity and in winding numbers, and
    all of them stay.
    """
    # Numba is imported on first use.
    from geom_miner.mesh.equal_vertices import distances_to_first

    merged = merge_identical_vertices(mesh).faces
    corners = merged.astype(np.float64)
    corners.sort(axis=1)
    to_first = distances_to_first(corners)
    del corners  # as large as the mesh
    later = np.flatnonzero(to_first)
    # Faces that occur several times, first occurrences among them; all other faces stay.
    copies = np.union1d(later, later - to_first[later])
    faces = merged[copies]
    group = (copies - to_first[copies]).astype(np.int64)
    # With the smallest corner rotated to the front, the order of the other two is the orientation.
    order = (faces.argmin(axis=1)[:, None] + np.arange(3)) % 3
    rotated = np.take_along_axis(faces, order, axis=1)
    sign = np.where(rotated[:, 1] < rotated[:, 2], 1, -1)
    _, group = np.unique(group, return_inverse=True)
    net = np.bincount(group, weights=sign)[group]
    agreeing = np.flatnonzero((net != 0) & (sign == np.sign(net)))
    _, firsts = np.unique(group[agreeing], return_index=True)
    kept = np.ones(len(mesh.faces), dtype=bool)
    kept[copies] = net == 0
    kept[copies[agreeing[firsts]]] = True
    return TriangleMesh(mesh.vertices, mesh.faces[kept])
