"""Count the connected components of a mesh, by union-find over its vertices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Ints = npt.NDArray[np.integer]


def count_components(faces: Ints, num_vertices: int) -> int:
    """Number of connected components that have a face; takes 4 bytes for each vertex.

    Parameters
    ----------
    faces : (f, 3) indices in [0, num_vertices). Degenerate faces join their corners too.
    """
    dtype = np.int32 if num_vertices < 1 << 31 else np.int64
    return int(_count_components(faces, np.full(num_vertices, -1, dtype=dtype)))


@njit(nogil=True, cache=True)
def _count_components(faces: Ints, parents: Ints) -> int:
    """Number of used vertices minus the number of unions; parent -1 marks an unused vertex."""
    components = 0
    for k in range(len(faces)):
        root = faces[k, 0]
        for j in range(3):
            vertex = faces[k, j]
            if parents[vertex] < 0:
                parents[vertex] = vertex
                components += 1
            while parents[vertex] != vertex:
                parents[vertex] = parents[parents[vertex]]
                vertex = parents[vertex]
            if j == 0:
                root = vertex
            elif vertex != root:
                # The smaller index becomes the root: most faces of a file come in this order.
                low, high = min(root, vertex), max(root, vertex)
                parents[high] = low
                root = low
                components -= 1
    return components
