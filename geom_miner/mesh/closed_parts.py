"""Find the closed parts of a mesh: faces joined along edges that have exactly two faces each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.mesh.edges import neighbor_pairs
from geom_miner.mesh.patches import find_root, join_neighbors
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]


@dataclass(frozen=True)
class ClosedParts:
    """The closed parts of a mesh.

    Attributes
    ----------
    labels : (f,) number of each face's part, or -1 if its part is not closed.
    volumes : (parts,) signed volumes.
    """

    labels: Ints
    volumes: Floats


def find_closed_parts(mesh: TriangleMesh) -> ClosedParts:
    """The closed parts of a mesh without vertices of equal position."""
    count = len(mesh.faces)
    dtype = np.int32 if count < 1 << 30 else np.int64
    links: Ints = np.arange(0, 2 * count, 2, dtype=dtype)
    one_sided = np.zeros(count, dtype=bool)
    pairs_of = np.zeros(count, dtype=np.int64)
    for pairs in neighbor_pairs(mesh.faces, len(mesh.vertices)):
        join_neighbors(links, pairs, one_sided)
        np.add.at(pairs_of, pairs >> 32, 1)
    labels: Ints = np.empty(count, dtype=dtype)
    parts = _label_closed(links, pairs_of, labels)
    volumes = np.zeros(parts)
    _add_volumes(mesh.vertices, mesh.faces, labels, np.full(parts, -1), volumes)
    return ClosedParts(labels, volumes)


@njit(nogil=True, cache=True)
def _label_closed(links: Ints, pairs_of: Ints, labels: Ints) -> int:
    """Set the number of each face's closed part, or -1; returns the number of closed parts."""
    faces, pairs = np.zeros(len(links), np.int64), np.zeros(len(links), np.int64)
    for k in range(len(links)):
        root = find_root(links, k) >> 1
        faces[root] += 1
        pairs[root] += pairs_of[k]
        labels[k] = root
    closed = 0
    for k in range(len(links)):
        if faces[k] and 2 * pairs[k] == 3 * faces[k]:
            pairs[k] = closed
            closed += 1
        else:
            pairs[k] = -1
    for k in range(len(links)):
        labels[k] = pairs[labels[k]]
    return closed


@njit(nogil=True, cache=True)
def _add_volumes(
    vertices: Floats, faces: Ints, labels: Ints, origins: Ints, volumes: Floats
) -> None:
    """Add the volume of each face to that of its part; ``origins`` must be -1."""
    for k in range(len(faces)):
        part = labels[k]
        if part < 0:
            continue
        if origins[part] < 0:
            origins[part] = faces[k, 0]
        origin = vertices[origins[part]]
        a, b = vertices[faces[k, 0]] - origin, vertices[faces[k, 1]] - origin
        c = vertices[faces[k, 2]] - origin
        volumes[part] += (a * cross(b - a, c - a)).sum() / 6


@njit(nogil=True, cache=True)
def cross(a: Floats, b: Floats) -> Floats:
    """The cross product of two vectors (3,)."""
    return np.array(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )
