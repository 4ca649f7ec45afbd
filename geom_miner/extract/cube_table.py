"""The triangles of a marching cubes cell for each of its 256 sign patterns, taken from a library.

Corners and edges of a cell lie at offsets 0 or 1 per axis. The corner at (di, dj, dk) is bit
``4 dk + 2 di + dj`` of the pattern, set if it is inside. Edge ``4 (2 - axis) + 2 u + v`` runs along
``axis`` and lies at (u, v) on the other two axes, in their order.
"""

from __future__ import annotations

import sys
from functools import cache

import numpy as np
import numpy.typing as npt

Polygons = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@cache
def cube_table() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Triangles of every sign pattern.

    Returns
    -------
    starts : (257,) pattern p has the triangles ``starts[p]`` to ``starts[p + 1]``.
    corners : (t, 3) edges of the cell on which a triangle's vertices lie, facing outwards.
    """
    triangles = []
    for pattern in range(256):
        # The bits of the pattern are in the order dk, di, dj.
        bits = np.array([pattern >> corner & 1 for corner in range(8)], dtype=bool)
        doubled, faces = _polygonize(bits.reshape(2, 2, 2).transpose(1, 2, 0))
        triangles.append(_edges_of(doubled)[faces].reshape(-1, 3))
    starts = np.concatenate([[0], np.cumsum([len(rows) for rows in triangles])])
    return starts.astype(np.int64), np.concatenate(triangles).astype(np.int64)


def _edges_of(doubled: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numbers of the edges of a cell, from twice the coordinates of their midpoints (v, 3)."""
    axis = (doubled == 1).argmax(axis=1)
    others = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    u, v = (np.take_along_axis(doubled, others, axis=1) // 2).T
    edges: npt.NDArray[np.int64] = 4 * (2 - axis) + 2 * u + v
    return edges


def _by_pymcubes(inside: npt.NDArray[np.bool_]) -> Polygons:
    """Twice the edge midpoints (v, 3), and faces (f, 3), of a cell with these corners inside."""
    import mcubes

    vertices, faces = mcubes.marching_cubes(inside.astype(np.float32), 0.5)
    return np.rint(2 * vertices).astype(np.int64).reshape(-1, 3), faces.astype(np.int64)


def _by_skimage(inside: npt.NDArray[np.bool_]) -> Polygons:
    """The same by scikit-image.

    Ambiguous cells are connected as by PyMCubes, but may be cut into other triangles.
    """
    from skimage.measure import marching_cubes

    if inside.all() or not inside.any():
        return np.empty((0, 3), dtype=np.int64), np.empty((0, 3), dtype=np.int64)
    # The classic table depends on signs alone, unlike Lewiner's. It connects ambiguous cells that
    # PyMCubes separates, so it gets the complement of the signs.
    vertices, faces, _, _ = marching_cubes(
        (~inside).astype(np.float32), 0.5, method="lorensen", gradient_direction="descent"
    )
    return np.rint(2 * vertices).astype(np.int64), faces.astype(np.int64)


# PyMCubes has no wheels for Python 3.13.
_polygonize = _by_skimage if sys.version_info >= (3, 13) else _by_pymcubes
