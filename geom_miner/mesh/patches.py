"""Find the faces to flip so that neighboring faces agree about outside.

Union-find over faces joins neighbors into patches. Each face stores whether it is oriented against
its parent.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.mesh.edges import neighbor_pairs
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]


def faces_to_flip(mesh: TriangleMesh) -> Bools:
    """The faces whose flipping makes neighbors agree: in each patch, those of smaller total area.

    Two faces are neighbors if they share an edge that no third face has. A patch is a connected
    set of neighbors. If both orientations have equal area, that of the patch's first face stays.
    A patch with only one side, such as a Möbius strip, stays as it is.

    Parameters
    ----------
    mesh : without vertices of equal position.

    Returns
    -------
    (f,) bool.
    """
    count = len(mesh.faces)
    # Each link is a parent and, in the lowest bit, whether the face is oriented against it.
    dtype = np.int32 if count < 1 << 30 else np.int64
    links: Ints = np.arange(0, 2 * count, 2, dtype=dtype)
    one_sided = np.zeros(count, dtype=bool)
    for pairs in neighbor_pairs(mesh.faces, len(mesh.vertices)):
        join_neighbors(links, pairs, one_sided)
    to_flip = np.zeros(count, dtype=bool)
    _choose_orientation(mesh.vertices, mesh.faces, links, one_sided, np.zeros((count, 2)), to_flip)
    return to_flip


@njit(nogil=True, cache=True)
def find_root(links: Ints, face: int) -> int:
    """The root of a face and, in the lowest bit, whether the face is oriented against it."""
    against = 0
    while links[face] >> 1 != face:
        link = links[face]
        above = links[link >> 1]
        against ^= (link ^ above) & 1
        links[face] = above >> 1 << 1 | (link ^ above) & 1
        face = above >> 1
    return face << 1 | against


@njit(nogil=True, cache=True)
def join_neighbors(links: Ints, pairs: Ints, one_sided: Bools) -> None:
    """Join pairs of neighbors; the smaller root stays, so it is the first face of its patch."""
    for pair in pairs:
        root = find_root(links, pair >> 32)
        other_root = find_root(links, (pair & 0xFFFFFFFF) >> 1)
        against = (root ^ other_root ^ pair) & 1
        low, high = min(root, other_root) >> 1, max(root, other_root) >> 1
        if low != high:
            links[high] = low << 1 | against
        elif against:
            one_sided[low] = True


@njit(nogil=True, cache=True)
def _choose_orientation(
    vertices: Floats, faces: Ints, links: Ints, one_sided: Bools, areas: Floats, to_flip: Bools
) -> None:
    """Set ``to_flip`` for the faces of the smaller area of each patch.

    ``areas`` (f, 2) must be 0. At each root it collects the areas of the patch's faces that are
    oriented like the root and of those oriented against it.
    """
    for k in range(len(faces)):
        root = find_root(links, k)
        one_sided[root >> 1] |= one_sided[k]
        a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
        xa, ya, za = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        xb, yb, zb = vertices[b, 0] - xa, vertices[b, 1] - ya, vertices[b, 2] - za
        xc, yc, zc = vertices[c, 0] - xa, vertices[c, 1] - ya, vertices[c, 2] - za
        x, y, z = yb * zc - zb * yc, zb * xc - xb * zc, xb * yc - yb * xc
        areas[root >> 1, root & 1] += np.sqrt(x * x + y * y + z * z)
    for k in range(len(faces)):
        root = find_root(links, k)
        first = root >> 1
        flip_first = areas[first, 0] < areas[first, 1]
        to_flip[k] = not one_sided[first] and flip_first == (root & 1 == 0)
