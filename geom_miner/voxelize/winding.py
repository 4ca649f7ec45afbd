"""Generalized winding numbers: how often a surface goes around a point, bridging its holes.

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

# The solid angles of so few faces are summed up sooner than a tree is searched.
FEW_FACES = 200

# Winding numbers up to this above 1/2 are 1/2: libigl adds up faces in an order that differs from
# call to call, and rounding must not decide.
ROUNDING = 1e-9

Floats = npt.NDArray[np.float64]


def winding_available() -> bool:
    """Whether libigl is installed."""
    return importlib.util.find_spec("igl") is not None


class WindingNumbers:
    """Winding numbers of one mesh, at any points, as often as one asks.

    Parameters
    ----------
    exact : sum up the solid angles of all faces, at a cost of faces times points, instead of
        taking distant ones together. Meshes of few faces are always asked so.

    Raises
    ------
    BackendUnavailable
        libigl is not installed.
    """

    def __init__(self, mesh: TriangleMesh, *, exact: bool = False) -> None:
        igl = _igl()
        low, high = mesh.bounds
        # The tree computes in float32, which a mesh far from the origin would not survive.
        self._center, self._size = (low + high) / 2, float((high - low).max())
        vertices = self._local(mesh.vertices)
        faces = mesh.faces.astype(np.int64)
        self._ask: Callable[[Floats], Floats]
        if exact or len(faces) <= FEW_FACES:
            self._ask = partial(igl.winding_number, vertices, faces)
        else:
            tree = igl.FastWindingNumberBVH()
            tree.init(vertices, faces)
            self._ask = tree.winding_number

    def at(self, points: Floats) -> Floats:
        """Winding numbers (p,) at points (p, 3) in world units: 1 inside, 0 outside if closed.

        Near holes they change gradually; they are negative inside a mesh turned inside out.
        """
        return self._ask(self._local(np.asarray(points, dtype=np.float64)))

    def inside(self, points: Floats) -> npt.NDArray[np.bool_]:
        """Whether points (p, 3), in world units, have a winding number above 1/2 in magnitude.

        The magnitude is taken so that a mesh turned inside out has the same inside.
        """
        return np.abs(self.at(points)) > 0.5 + ROUNDING

    def _local(self, positions: Floats) -> Floats:
        return np.ascontiguousarray((positions - self._center) / self._size)


def winding_numbers(mesh: TriangleMesh, points: Floats, *, exact: bool = False) -> Floats:
    """Winding numbers (p,) of a mesh at points (p, 3); see ``WindingNumbers``, which is for more
    than one question about a mesh."""
    return WindingNumbers(mesh, exact=exact).at(points)


def _igl() -> ModuleType:
    try:
        import igl
    except ImportError as error:
        raise missing_extra(
            "winding numbers need libigl", "eval", instead="take inside=auto"
        ) from error
    module: ModuleType = igl
    return module
