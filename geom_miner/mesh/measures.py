"""Area, volume and bounds of a mesh, without a copy of the corners of all faces."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.parallel import num_threads, parallel_map

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

# Faces in a slab. Each slab has its own sum, so that results do not depend on the thread count.
_SLAB = 1 << 14

# A surface encloses nothing if its volume over area**1.5 is at most this. Such a volume is only
# rounding; no grid could show a wall so thin.
NO_THICKNESS = 1e-9


def encloses_nothing(volume: float, area: float) -> bool:
    """Whether the volume of a surface is only rounding: its two sides coincide, or it is flat."""
    return bool(abs(volume) <= NO_THICKNESS * area**1.5)


def points_inwards(volume: float, area: float) -> bool:
    """Whether a surface has a volume and it is negative, as if all faces were flipped."""
    return volume < 0 and not encloses_nothing(volume, area)


class Measures(NamedTuple):
    """The areas and the volume of a ``Diagnosis``, under the same names."""

    degenerate_faces: int
    area: float
    volume: float
    proper_faces: int
    """Faces with three different corners."""


def measure_mesh(vertices: Floats, faces: Ints) -> Measures:
    """Sum the areas and volumes of all faces, and count degenerate faces.

    Parameters
    ----------
    vertices : (v, 3) positions.
    faces : (f, 3) vertex indices.
    """
    if not len(faces):
        return Measures(0, 0.0, 0.0, 0)
    slabs = -(-len(faces) // _SLAB)
    sums = np.zeros((4, slabs))
    threads = num_threads()
    cuts = [slabs * thread // threads for thread in range(threads + 1)]
    parallel_map(
        _measure_slabs, [(vertices, faces, *span, sums) for span in itertools.pairwise(cuts)]
    )
    degenerate, area, volume, proper = sums.sum(axis=1).tolist()
    return Measures(int(degenerate), area / 2, volume / 6, int(proper))


@njit(nogil=True, cache=True)
def bounds_of_used(vertices: Floats, faces: Ints) -> tuple[Floats, Floats]:
    """Smallest and largest coordinates, (3,) each, of the vertices that faces use."""
    used = np.zeros(len(vertices), np.bool_)
    for k in range(len(faces)):
        used[faces[k, 0]] = used[faces[k, 1]] = used[faces[k, 2]] = True
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for k in range(len(vertices)):
        if used[k]:
            for axis in range(3):
                low[axis] = min(low[axis], vertices[k, axis])
                high[axis] = max(high[axis], vertices[k, axis])
    return low, high


@njit(nogil=True, cache=True)
def _measure_slabs(vertices: Floats, faces: Ints, first: int, stop: int, sums: Floats) -> None:
    """Write the sums of slabs [first, stop) into columns of ``sums``.

    The rows are degenerate faces, doubled area, sixfold volume, and faces with three different
    corners.
    """
    # Volumes are relative to a vertex of the mesh, so that a mesh far from the origin keeps its
    # digits.
    origin = 0
    while origin + 1 < len(faces) and not _has_three_corners(faces, origin):
        origin += 1
    corner = faces[origin, 0]
    x0, y0, z0 = vertices[corner, 0], vertices[corner, 1], vertices[corner, 2]
    for slab in range(first, stop):
        empty, area, volume, proper = 0, 0.0, 0.0, 0
        for k in range(slab * _SLAB, min(len(faces), (slab + 1) * _SLAB)):
            if not _has_three_corners(faces, k):
                empty += 1
                continue
            proper += 1
            a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
            xa, ya, za = vertices[a, 0], vertices[a, 1], vertices[a, 2]
            xb, yb, zb = vertices[b, 0] - xa, vertices[b, 1] - ya, vertices[b, 2] - za
            xc, yc, zc = vertices[c, 0] - xa, vertices[c, 1] - ya, vertices[c, 2] - za
            x, y, z = yb * zc - zb * yc, zb * xc - xb * zc, xb * yc - yb * xc
            empty += x == 0 and y == 0 and z == 0
            area += np.sqrt(x * x + y * y + z * z)
            volume += (xa - x0) * x + (ya - y0) * y + (za - z0) * z
        sums[0, slab], sums[1, slab], sums[2, slab], sums[3, slab] = empty, area, volume, proper


@njit(nogil=True, cache=True)
def _has_three_corners(faces: Ints, k: int) -> bool:
    a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
    return bool(a != b and b != c and c != a)
