"""Generalized winding numbers: how often a surface winds around a point, bridging its holes.

Method: Barill et al., "Fast Winding Numbers for Soups and Clouds" (2018), as in libigl.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np
import numpy.typing as npt

from geom_miner.errors import missing_extra
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Up to this many faces, summing the solid angles of all faces is faster than searching a tree.
FEW_FACES = 200

# A winding number counts as 1/2 if it exceeds 1/2 by no more than this. libigl sums faces in an
# order that differs from call to call, and rounding must not decide.
ROUNDING = 1e-9

Floats = npt.NDArray[np.float64]


def winding_available() -> bool:
    """Whether libigl is installed."""
    return importlib.util.find_spec("igl") is not None


class WindingNumbers:
    """Winding numbers of one mesh at any points; its search tree is built once.

    Parameters
    ----------
    exact : sum the solid angles of all faces, at a cost of faces times points, instead of
        approximating groups of distant faces. Meshes of few faces are always computed exactly.

    Raises
    ------
    BackendUnavailable
        libigl is not installed.
    """

    def __init__(self, mesh: TriangleMesh, *, exact: bool = False) -> None:
        igl = _igl()
        low, high = mesh.bounds
        # The tree computes in float32, in which a mesh far from the origin would lose its digits.
        self._center, self._size = (low + high) / 2, float((high - low).max())
        vertices = self._normalized(mesh.vertices)
        faces = mesh.faces.astype(np.int64)
        self._evaluate: Callable[[Floats], Floats]
        if exact or len(faces) <= FEW_FACES:
            self._evaluate = partial(igl.winding_number, vertices, faces)
        else:
            tree = igl.FastWindingNumberBVH()
            tree.init(vertices, faces)
            self._evaluate = tree.winding_number

    def at(self, points: Floats) -> Floats:
        """Winding numbers (p,) at points (p, 3) in world units.

        They are 1 inside and 0 outside a closed mesh, negative inside a mesh whose faces point
        inwards, and change gradually near holes.
        """
        return self._evaluate(self._normalized(np.asarray(points, dtype=np.float64)))

    def inside(self, points: Floats) -> npt.NDArray[np.bool_]:
        """Whether points (p, 3), in world units, have a winding number above 1/2 in magnitude.

        By the magnitude, a mesh whose faces point inwards has the same inside.
        """
        return np.abs(self.at(points)) > 0.5 + ROUNDING

    def _normalized(self, positions: Floats) -> Floats:
        return np.ascontiguousarray((positions - self._center) / self._size)


def winding_numbers(mesh: TriangleMesh, points: Floats, *, exact: bool = False) -> Floats:
    """Winding numbers (p,) of a mesh at points (p, 3).

    ``WindingNumbers`` saves time if the same mesh is evaluated several times.
    """
    return WindingNumbers(mesh, exact=exact).at(points)


def _igl() -> ModuleType:
    """libigl, or an error that names the extra to install."""
    try:
        import igl
    except ImportError as error:
        raise missing_extra(
            "winding numbers need libigl", "eval", instead="take inside=auto"
        ) from error
    module: ModuleType = igl
    return module
