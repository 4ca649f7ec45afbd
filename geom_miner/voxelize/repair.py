"""Faces stored twice and faces turned the wrong way, mended before anything is counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geom_miner.mesh.diagnose import Diagnosis, diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices


@dataclass(frozen=True)
class Repaired:
    """A mesh that inside tests can take at its word."""

    mesh: TriangleMesh
    diagnosis: Diagnosis
    """Of the mesh as it is now."""
    removed: int
    """Repeated faces that were left out."""
    turned: int
    """Faces that were turned to agree with their neighbors."""


def repair(mesh: TriangleMesh, diagnosis: Diagnosis) -> Repaired:
    """Leave out repeated faces that make the mesh leak; turn faces as their neighbors are turned.

    A repeated face is one wall and one crossing too many. In a closed mesh repeats come in wholes
    (a part stored twice, two parts that touch) and taking some out would open it. Faces that
    disagree with their neighbors spoil winding numbers and the directions of crossings, not
    parity. Sound meshes come back as they are.

    Parameters
    ----------
    diagnosis : of ``mesh``.
    """
    result = Repaired(mesh, diagnosis, 0, 0)
    if diagnosis.duplicate_faces and not diagnosis.closed:
        single = _without_repeats(mesh)
        found = diagnose(single)
        if found.odd_edges < diagnosis.odd_edges:
            result = Repaired(single, found, len(mesh.faces) - len(single.faces), 0)
    if result.diagnosis.misoriented_edges:
        from geom_miner.mesh.patches import wrongly_turned

        wrong = wrongly_turned(merge_identical_vertices(result.mesh))
        faces = result.mesh.faces.copy()
        faces[wrong] = faces[wrong, ::-1]
        agreeing = TriangleMesh(result.mesh.vertices, faces)
        result = Repaired(agreeing, diagnose(agreeing), result.removed, int(wrong.sum()))
    return result


def _without_repeats(mesh: TriangleMesh) -> TriangleMesh:
    """One face for each set of corners, turned as most of its copies are.

    Copies of which as many face one way as the other cancel in parity and in winding numbers
    alike, and stay.
    """
    # Numba is imported on first use.
    from geom_miner.mesh.equal_vertices import distances_to_first

    merged = merge_identical_vertices(mesh).faces
    corners = merged.astype(np.float64)
    corners.sort(axis=1)
    back = distances_to_first(corners)
    del corners  # as large as the mesh
    later = np.flatnonzero(back)
    # Faces that occur several times; all others stay.
    repeated = np.union1d(later, later - back[later])
    faces = merged[repeated]
    group = (repeated - back[repeated]).astype(np.int64)
    # Rotating the smallest corner to the front leaves two orders of the other two.
    turned = np.take_along_axis(faces, (faces.argmin(axis=1)[:, None] + np.arange(3)) % 3, axis=1)
    sign = np.where(turned[:, 1] < turned[:, 2], 1, -1)
    _, group = np.unique(group, return_inverse=True)
    net = np.bincount(group, weights=sign)[group]
    agreeing = np.flatnonzero((net != 0) & (sign == np.sign(net)))
    _, firsts = np.unique(group[agreeing], return_index=True)
    kept = np.ones(len(mesh.faces), dtype=bool)
    kept[repeated] = net == 0
    kept[repeated[agreeing[firsts]]] = True
    return TriangleMesh(mesh.vertices, mesh.faces[kept])
