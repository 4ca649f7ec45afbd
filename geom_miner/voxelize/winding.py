"""Generalized winding numbers: how often a surface goes around a point, bridging its holes.

Method: Barill et al., "Fast Winding Numbers for Soups and Clouds" (2018), as in libigl.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from geom_miner.errors import BackendUnavailable
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Points that are asked at once: libigl builds its tree anew for every call.
CHUNK_POINTS = 1 << 22

# The solid angles of so few faces are summed up sooner than a tree is searched.
FEW_FACES = 200

# Winding numbers up to this above 1/2 are 1/2: libigl adds up faces in an order that differs from
# call to call, and rounding must not decide.
ROUNDING = 1e-9

Floats = npt.NDArray[np.float64]


def winding_available() -> bool:
    """Whether libigl is installed."""
    return importlib.util.find_spec("igl") is not None


def winding_numbers(
    mesh: TriangleMesh,
    points: Floats,
    *,
    exact: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Floats:
    """Winding numbers (p,) at points (p, 3) in world units: 1 inside, 0 outside if closed.

    Near holes they change gradually; they are negative inside a mesh turned inside out.

    Parameters
    ----------
    exact : sum up the solid angles of all faces, at a cost of faces times points, instead of
        taking distant ones together. Meshes of few faces are always asked so.
    progress : called with the share of points done, in (0, 1].

    Raises
    ------
    BackendUnavailable
        libigl is not installed.
    """
    igl = _igl()
    low, high = mesh.bounds
    # The tree computes in float32, which a mesh far from the origin would not survive.
    center, size = (low + high) / 2, float((high - low).max())
    vertices = np.ascontiguousarray((mesh.vertices - center) / size)
    points = np.ascontiguousarray((np.asarray(points, dtype=np.float64) - center) / size)
    faces = mesh.faces.astype(np.int64)
    by_face = exact or len(faces) <= FEW_FACES
    ask: Any = igl.winding_number if by_face else igl.fast_winding_number
    found = np.empty(len(points))
    for start in range(0, len(points), CHUNK_POINTS):
        chunk = slice(start, start + CHUNK_POINTS)
        found[chunk] = ask(vertices, faces, points[chunk])
        if progress is not None:
            progress(min(1.0, (start + CHUNK_POINTS) / len(points)))
    return found


def winding_inside(
    mesh: TriangleMesh, points: Floats, *, progress: Callable[[float], None] | None = None
) -> npt.NDArray[np.bool_]:
    """Whether points (p, 3), in world units, have a winding number above 1/2 in magnitude.

    The magnitude is taken so that a mesh turned inside out has the same inside. Arguments and
    errors as for ``winding_numbers``.
    """
    return np.abs(winding_numbers(mesh, points, progress=progress)) > 0.5 + ROUNDING


def _igl() -> ModuleType:
    try:
        import igl
    except ImportError as error:
        raise BackendUnavailable(
            "winding numbers need libigl; install geom_miner[eval] or take inside=auto"
        ) from error
    module: ModuleType = igl
    return module
