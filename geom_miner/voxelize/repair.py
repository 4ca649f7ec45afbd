"""Repair a mesh before the inside test, so that its faces agree about what is outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geom_miner.mesh.diagnosis import Diagnosis, diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices, merge_near_vertices
from geom_miner.voxelize.duplicates import Duplicates

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Repaired:
    """A repaired mesh, and what was repaired."""

    mesh: TriangleMesh
    diagnosis: Diagnosis
    """Diagnosis of the repaired mesh."""
    duplicates_removed: int = 0
    """Duplicate faces that were removed because they made the mesh leak."""
    second_sides_removed: int = 0
    """Faces that were removed because they only gave another face of a closed surface a second
    side."""
    faces_flipped: int = 0
    """Faces that were flipped to agree with their neighbors."""
    components_flipped: int = 0
    """Closed components that were flipped to agree with the others about outside."""

    @property
    def repairs(self) -> int:
        """Number of faces and components that were repaired."""
        return (
            self.duplicates_removed
            + self.second_sides_removed
            + self.faces_flipped
            + self.components_flipped
        )


def repair(mesh: TriangleMesh, diagnosis: Diagnosis) -> Repaired:
    """Merge vertices, remove duplicate faces, flip faces and components, where that helps.

    - Vertices that differ by rounding are merged if the diagnosis found that this closes edges.
    - A duplicate face adds a wall and a crossing that should not be there. In a closed mesh
      duplicates come in complete surfaces (a component stored twice, two components that touch),
      and removing some faces would open them, so they stay.
    - A closed surface whose faces are all stored in both orientations encloses nothing. One
      orientation of each face stays, and the surface is solid.
    - Faces that disagree with their neighbors spoil winding numbers and the directions of
      crossings, but not parity. They are flipped.
    - Of closed components that face inwards and lie in no other, while other components face
      outwards, the overlap with others would be a hole. They are flipped, with all that lies in
      them. One that lies wholly in another is a cavity and stays.

    A mesh without these faults is returned as it is.

    Parameters
    ----------
    diagnosis : diagnosis of ``mesh``.
    """
    if diagnosis.rounded_vertices:
        mesh = merge_near_vertices(merge_identical_vertices(mesh))
    duplicates = sides = flipped = components = 0
    if diagnosis.duplicate_faces and not diagnosis.closed:
        single = _with_faces(mesh, _duplicates(mesh).without_copies())
        after = diagnose(single)
        if after.odd_edges < diagnosis.odd_edges:
            duplicates = len(mesh.faces) - len(single.faces)
            mesh, diagnosis = single, after
    if diagnosis.duplicate_faces:
        kept = _duplicates(mesh).without_second_sides()
        sides = len(kept) - int(kept.sum())
        if sides:
            mesh = _with_faces(mesh, kept)
            diagnosis = diagnose(mesh)
    if diagnosis.misoriented_edges:
        from geom_miner.mesh.patches import faces_to_flip

        to_flip = faces_to_flip(merge_identical_vertices(mesh))
        flipped = int(to_flip.sum())
        mesh = _with_flipped(mesh, to_flip)
        diagnosis = diagnose(mesh)
    if 0 < diagnosis.inverted_components < diagnosis.components:
        to_flip, components = _inverted_components(merge_identical_vertices(mesh))
        if components:
            mesh = _with_flipped(mesh, to_flip)
            diagnosis = diagnose(mesh)
    return Repaired(mesh, diagnosis, duplicates, sides, flipped, components)


def _duplicates(mesh: TriangleMesh) -> Duplicates:
    return Duplicates(merge_identical_vertices(mesh))


def _with_faces(mesh: TriangleMesh, kept: Bools) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, mesh.faces[kept])


def _with_flipped(mesh: TriangleMesh, to_flip: Bools) -> TriangleMesh:
    faces = mesh.faces.copy()
    faces[to_flip] = faces[to_flip, ::-1]
    return TriangleMesh(mesh.vertices, faces)


def _inverted_components(mesh: TriangleMesh) -> tuple[Bools, int]:
    """The faces of the components to flip, (f,), and the number of these components.

    These are closed components that face inwards and lie wholly in no other, and all components
    that lie in them. If no outermost component faces outwards, none is flipped: the mesh as a
    whole points inwards.
    """
    # Numba is imported on first use.
    from geom_miner.mesh.closed_parts import find_closed_parts
    from geom_miner.mesh.containers import containers_of_parts

    parts = find_closed_parts(mesh)
    outermost = parts.volumes[containers_of_parts(mesh, parts)]
    inverted = outermost < 0
    if inverted.all() or not len(inverted):
        return np.zeros(len(mesh.faces), dtype=bool), 0
    return (parts.labels >= 0) & inverted[parts.labels], int(inverted.sum())
