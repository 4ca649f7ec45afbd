"""Find the connected components of a mesh, by union-find over its vertices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.mesh.measures import Measures, points_inwards

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]


class Components(NamedTuple):
    """The counts of components in a ``Diagnosis``, under the same names."""

    components: int
    inverted_components: int


def count_components(vertices: Floats, faces: Ints, measures: Measures) -> Components:
    """Count the connected components that have a face, and those whose faces point inwards.

    Takes 4 bytes for each vertex and 16 for each component.

    Parameters
    ----------
    vertices : (v, 3) positions.
    faces : (f, 3) indices in [0, v). Degenerate faces join their corners too.
    measures : of all faces, which a single component shares.
    """
    dtype = np.int32 if len(vertices) < 1 << 31 else np.int64
    parents: Ints = np.full(len(vertices), -1, dtype=dtype)
    count = int(_join_corners(faces, parents))
    if count == 1:
        return Components(1, int(points_inwards(measures.volume, measures.area)))
    sums = np.zeros((count, 2))
    _measure_components(vertices, faces, parents, sums)
    return Components(count, sum(points_inwards(volume, area) for volume, area in sums.tolist()))


@njit(nogil=True, cache=True)
def _join_corners(faces: Ints, parents: Ints) -> int:
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


@njit(nogil=True, cache=True)
def _measure_components(vertices: Floats, faces: Ints, parents: Ints, sums: Floats) -> None:
    """Add the volume and the area of each component to a row of ``sums``.

    Overwrites the parents of roots by the numbers of their components.
    """
    numbered = 0
    origins = np.empty(len(sums), np.int64)
    for vertex in range(len(parents)):
        if parents[vertex] == vertex:
            # Below -1, which marks unused vertices.
            parents[vertex] = -2 - numbered
            origins[numbered] = vertex
            numbered += 1
    for k in range(len(faces)):
        a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
        root = a
        while parents[root] >= 0:
            root = parents[root]
        component = -2 - parents[root]
        # Relative to a vertex of the component, which keeps the digits of a small distant one.
        origin = origins[component]
        xa, ya, za = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        xb, yb, zb = vertices[b, 0] - xa, vertices[b, 1] - ya, vertices[b, 2] - za
        xc, yc, zc = vertices[c, 0] - xa, vertices[c, 1] - ya, vertices[c, 2] - za
        x, y, z = yb * zc - zb * yc, zb * xc - xb * zc, xb * yc - yb * xc
        xa, ya, za = xa - vertices[origin, 0], ya - vertices[origin, 1], za - vertices[origin, 2]
        sums[component, 0] += (xa * x + ya * y + za * z) / 6
        sums[component, 1] += np.sqrt(x * x + y * y + z * z) / 2
