"""Fewer triangles for the same surface: edges are collapsed where it bends least.

Method: Garland and Heckbert, "Surface Simplification Using Quadric Error Metrics" (1997), as in
libigl, which refuses a collapse that would change the topology: a closed mesh stays closed, and no
part of it, no hole through it and no hollow in it is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from geom_miner.errors import MeshError, SettingsError, missing_extra
from geom_miner.mesh.diagnose import Diagnosis, diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices

# A tetrahedron's: no closed mesh has fewer.
FEWEST_TRIANGLES = 4


@dataclass(frozen=True)
class DecimationReport:
    """What was asked of a decimation and what came out."""

    asked: int
    """The budget of triangles."""
    before: int
    """Triangles of the mesh that was decimated."""
    result: Diagnosis
    """What is right and wrong with the decimated mesh."""

    @property
    def met(self) -> bool:
        """Whether the mesh keeps the budget."""
        return self.result.faces <= self.asked

    def sentence(self) -> str:
        """The outcome in plain words, and why if the budget is not met."""
        got, asked = f"{self.result.faces:,} triangles", f"{self.asked:,}"
        state = "watertight" if self.result.watertight else "not watertight"
        if not self.before:
            return f"0 triangles, no surface to decimate to {asked}."
        if self.before <= self.asked:
            return f"{got}, {state}; left as they are, the budget is {asked}."
        if self.met:
            return f"{got} of {self.before:,}, {state}; the budget is {asked}."
        return (
            f"{got} of {self.before:,}, {state}; the budget of {asked} is not met, since fewer "
            f"would lose one of the mesh's {self.result.parts:,} part(s) or a hole through them; "
            "a coarser level of detail has fewer."
        )


def decimate(mesh: TriangleMesh, triangles: int) -> TriangleMesh:
    """Collapse edges of a watertight mesh until it has at most a number of triangles.

    The result has ``triangles`` or, where that is odd, one fewer. It has more only where every
    further collapse would change the topology: each part keeps at least 4, and more for each hole
    through it. A mesh within the budget comes back as it is. Vertices move to where the squared
    distances to the planes of the faces they replace are smallest.

    The result is watertight too, unless faces touch in a vertex and not along an edge, which
    ``extract_mesh`` never makes. Takes about 15 s and 0.5 GB for a million triangles of the mesh,
    whatever the budget, and cannot be interrupted meanwhile.

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
    # libigl does not end on some meshes that are not.
    if not diagnose(merged).watertight:
        raise MeshError(
            "only a watertight mesh can be decimated and this one has holes or edges of more than "
            "two faces; voxelize, fit and extract it first"
        )
    a, b, c = merged.faces.T
    proper = merged.faces[(a != b) & (b != c) & (c != a)].astype(np.int32)
    # Far from the origin the quadrics of small faces would lose their digits.
    low, high = merged.bounds
    center, size = (low + high) / 2, float((high - low).max())
    vertices, faces, *_ = _igl().qslim((merged.vertices - center) / size, proper, triangles)
    return TriangleMesh(vertices * size + center, faces)


def report_decimation(before: TriangleMesh, after: TriangleMesh, asked: int) -> DecimationReport:
    """Examine what ``decimate`` made of a mesh when asked for a number of triangles."""
    return DecimationReport(asked, len(before.faces), diagnose(after))


def check_budget(triangles: int) -> None:
    """Raise what ``decimate`` would for this number or without libigl, before any work is done."""
    if triangles < FEWEST_TRIANGLES:
        raise SettingsError(
            f"triangles must be at least {FEWEST_TRIANGLES}, a tetrahedron's, got {triangles}"
        )
    _igl()


def _igl() -> ModuleType:
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
