"""Patches of faces that can agree about outside, and which faces of them to turn.

Union-find over faces, each of which knows whether it is turned against its parent.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from geom_miner.mesh.edges import neighbors
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]


def wrongly_turned(mesh: TriangleMesh) -> Bools:
    """The faces to turn so that neighbors agree: of each patch, the smaller area.

    Neighbors are the two faces of an edge that has no third, and a patch is what they connect.
    Of equal areas, the one with the patch's first face stays. A patch that has only one side,
    like a Möbius strip, stays as it is.

    Parameters
    ----------
    mesh : without vertices of equal position.

    Returns
    -------
    (f,) bool.
    """
    count = len(mesh.faces)
    # Parent and, in the lowest bit, whether turned against it.
    kind = np.int32 if count < 1 << 30 else np.int64
    links: Ints = np.arange(0, 2 * count, 2, dtype=kind)
    one_sided = np.zeros(count, dtype=bool)
    for pairs in neighbors(mesh.faces, len(mesh.vertices)):
        _join(links, pairs, one_sided)
    wrong = np.zeros(count, dtype=bool)
    _settle(mesh.vertices, mesh.faces, links, one_sided, np.zeros((count, 2)), wrong)
    return wrong


@njit(nogil=True, cache=True)
def _root(links: Ints, face: int) -> int:
    """The root of a face and, in the lowest bit, whether the face is turned against it."""
    turned = 0
    while links[face] >> 1 != face:
        link = links[face]
        above = links[link >> 1]
        turned ^= (link ^ above) & 1
        links[face] = above >> 1 << 1 | (link ^ above) & 1
        face = above >> 1
    return face << 1 | turned


@njit(nogil=True, cache=True)
def _join(links: Ints, pairs: Ints, one_sided: Bools) -> None:
    """Join faces to the smaller root, which is the first face of its patch."""
    for pair in pairs:
        one = _root(links, pair >> 32)
        two = _root(links, (pair & 0xFFFFFFFF) >> 1)
        against = (one ^ two ^ pair) & 1
        low, high = min(one, two) >> 1, max(one, two) >> 1
        if low != high:
            links[high] = low << 1 | against
        elif against:
            one_sided[low] = True


@njit(nogil=True, cache=True)
def _settle(
    vertices: Floats, faces: Ints, links: Ints, one_sided: Bools, areas: Floats, wrong: Bools
) -> None:
    """``areas`` is 0: at each root come the areas of faces that are turned as it is, and not."""
    for k in range(len(faces)):
        root = _root(links, k)
        one_sided[root >> 1] |= one_sided[k]
        a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
        xa, ya, za = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        xb, yb, zb = vertices[b, 0] - xa, vertices[b, 1] - ya, vertices[b, 2] - za
        xc, yc, zc = vertices[c, 0] - xa, vertices[c, 1] - ya, vertices[c, 2] - za
        x, y, z = yb * zc - zb * yc, zb * xc - xb * zc, xb * yc - yb * xc
        areas[root >> 1, root & 1] += np.sqrt(x * x + y * y + z * z)
    for k in range(len(faces)):
        root = _root(links, k)
        first = root >> 1
        turned = areas[first, 0] < areas[first, 1]
        wrong[k] = not one_sided[first] and turned == (root & 1 == 0)
