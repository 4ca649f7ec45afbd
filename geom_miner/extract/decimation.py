"""Decimate a mesh: collapse edges where the surface bends least.

Method: Garland and Heckbert, "Surface Simplification Using Quadric Error Metrics" (1997), as in
libigl. It refuses a collapse that would change the topology: a closed mesh stays closed, and keeps
its connected components, the holes through them and its cavities.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from geom_miner.errors import MeshError, SettingsError, missing_extra
from geom_miner.mesh.diagnosis import Diagnosis, diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices

# Fewest triangles of a closed mesh: a tetrahedron's.
FEWEST_TRIANGLES = 4


@dataclass(frozen=True)
class DecimationReport:
    """The budget and the result of a decimation."""

    requested: int
    """The budget of triangles."""
    before: int
    """Triangles of the mesh before decimation."""
    result: Diagnosis
    """Diagnosis of the decimated mesh."""

    @property
    def met(self) -> bool:
        """Whether the decimated mesh is within the budget."""
        return self.result.faces <= self.requested

    def sentence(self) -> str:
        """The result in plain words, with the reason if the budget is not met."""
        triangles, budget = f"{self.result.faces:,} triangles", f"{self.requested:,}"
        state = "watertight" if self.result.watertight else "not watertight"
        if not self.before:
            return f"0 triangles: there is no surface to decimate to {budget}."
        if self.before <= self.requested:
            return f"{triangles}, {state}; the mesh is within the budget of {budget} as it is."
        if self.met:
            return f"{triangles} of {self.before:,}, {state}; the budget is {budget}."
        return (
            f"{triangles} of {self.before:,}, {state}; the budget of {budget} is not met, because "
            f"fewer triangles would lose one of the mesh's {self.result.components:,} connected "
            "component(s) or a hole through them; a coarser level of detail has fewer."
        )


def decimate(mesh: TriangleMesh, triangles: int) -> TriangleMesh:
    """Collapse edges of a watertight mesh until it has at most ``triangles`` triangles.

    The result has ``triangles`` triangles or, if that number is odd, one fewer. It has more only
    if every further collapse would change the topology: each connected component keeps at least 4
    triangles, and more for each hole through it. A mesh within the budget is returned as it is.
    Each new vertex is placed where the sum of its squared distances to the planes of the faces
    that it replaces is smallest.

    The result is watertight too, unless faces of the mesh touch only in a vertex, which
    ``extract_mesh`` never makes. Decimation takes about 15 s and 0.5 GB for each million triangles
    of the mesh, whatever the budget, and cannot be interrupted.

    Parameters
    ----------
    triangles : the budget, at least 4.

    Raises
    ------
    SettingsError
        The budget is too small for any closed mesh.
    BackendUnavailable
        libigl is not installed.
    MeshError
        The mesh exceeds the budget and is not watertight.
    """
    check_budget(triangles)
    if len(mesh.faces) <= triangles:
        return mesh
    merged = merge_identical_vertices(mesh)
    # On some meshes that are not watertight libigl never returns.
    if not diagnose(merged).watertight:
        raise MeshError(
            "a mesh must be watertight to be decimated, got one with holes or edges of more than "
            "two faces; voxelize, fit and extract it first"
        )
    a, b, c = merged.faces.T
    proper = merged.faces[(a != b) & (b != c) & (c != a)].astype(np.int32)
    # Centered and scaled: far from the origin the quadrics of small faces lose their digits.
    low, high = merged.bounds
    center, size = (low + high) / 2, float((high - low).max())
    vertices, faces, *_ = _igl().qslim((merged.vertices - center) / size, proper, triangles)
    return TriangleMesh(vertices * size + center, faces)


def report_decimation(
    before: TriangleMesh, after: TriangleMesh, requested: int
) -> DecimationReport:
    """Report on the result of ``decimate(before, requested)``."""
    return DecimationReport(requested, len(before.faces), diagnose(after))


def check_budget(triangles: int) -> None:
    """Raise an error if the budget is too small or libigl is missing, before any work is done."""
    if triangles < FEWEST_TRIANGLES:
        raise SettingsError(
            f"triangles must be at least {FEWEST_TRIANGLES}, the number of a tetrahedron, "
            f"got {triangles}"
        )
    _igl()


def _igl() -> ModuleType:
    """libigl, or an error that names the extra to install."""
    try:
        import igl
    except ImportError as error:
        raise missing_extra(
            "decimating needs libigl",
            "decimate",
            instead="extract without a budget of triangles",
        ) from error
    module: ModuleType = igl
    return module
