"""Inside by the generalized winding number: a cross-check that also bridges holes.

Method: Barill et al., "Fast Winding Numbers for Soups and Clouds" (2018), as in libigl.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from geom_miner.errors import BackendUnavailable
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Points that are asked at once, between two calls of the progress callback.
CHUNK_POINTS = 1 << 18


def winding_inside(
    mesh: TriangleMesh,
    points: npt.NDArray[np.float64],
    *,
    progress: Callable[[float], None] | None = None,
) -> npt.NDArray[np.bool_]:
    """Whether points (p, 3), in world units, have a winding number above 1/2 in magnitude.

    The magnitude is taken so that a mesh turned inside out has the same inside.

    Parameters
    ----------
    progress : called with the share of points done, in (0, 1].

    Raises
    ------
    BackendUnavailable
        libigl is not installed.
    """
    try:
        import igl
    except ImportError as error:
        raise BackendUnavailable(
            "winding numbers need libigl; install geom_miner[eval] or take inside=auto"
        ) from error
    points = np.ascontiguousarray(points, dtype=np.float64)
    inside = np.empty(len(points), dtype=bool)
    faces = mesh.faces.astype(np.int64)
    for start in range(0, len(points), CHUNK_POINTS):
        chunk = slice(start, start + CHUNK_POINTS)
        inside[chunk] = np.abs(igl.fast_winding_number(mesh.vertices, faces, points[chunk])) > 0.5
        if progress is not None:
            progress(min(1.0, (start + CHUNK_POINTS) / len(points)))
    return inside
