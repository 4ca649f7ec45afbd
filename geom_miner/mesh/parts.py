"""Connected components of faces, by union-find over their vertices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Ints = npt.NDArray[np.integer]


def count_parts(faces: Ints, vertices: int) -> int:
    """Components that have a face; takes 4 bytes for each vertex.

    Parameters
    ----------
    faces : (f, 3) indices in [0, vertices); equal corners join what they touch.
    """
    kind = np.int32 if vertices < 1 << 31 else np.int64
    return int(_count_parts(faces, np.full(vertices, -1, dtype=kind)))


@njit(nogil=True, cache=True)
def _count_parts(faces: Ints, parents: Ints) -> int:
    """Vertices that faces use, less the unions that join them; -1 is a vertex not used yet."""
    parts = 0
    for k in range(len(faces)):
        root = faces[k, 0]
        for j in range(3):
            vertex = faces[k, j]
            if parents[vertex] < 0:
                parents[vertex] = vertex
                parts += 1
            while parents[vertex] != vertex:
                parents[vertex] = parents[parents[vertex]]
                vertex = parents[vertex]
            if j == 0:
                root = vertex
            elif vertex != root:
                # Towards the smaller index, along which faces of a file mostly go.
                low, high = min(root, vertex), max(root, vertex)
                parents[high] = low
                root = low
                parts -= 1
    return parts
