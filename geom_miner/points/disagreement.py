"""Find normals that face against those around them, as wrongly oriented scans have."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]

# Sine of the angle between a tangent plane and a neighbor, up to which the neighbor counts as one
# of the same sheet. Across a plate that is thicker than the points are apart few neighbors do.
_IN_PLANE = 0.5
# Cosine above which two normals count as parallel, of one direction or of opposite ones. Across an
# edge they are neither, down to an edge of 60 degrees.
_PARALLEL = 0.5
# Share of its neighbors that a normal has to face against to count as flipped. On both sides of a
# thin plate about half of the neighbors face the other way, around a flipped normal among good ones
# all but a few: of 16 neighbors 11 or more in 997 of 1,000 cases where 10 % are flipped.
_MOST = 0.65
# Share of the neighbors that have to lie on the same sheet for a judgment: at edges and among noise
# there is none.
_ENOUGH = 0.3
# Points that are examined together: with 16 neighbors, 25 MB.
_CHUNK = 1 << 16


def flipped_normals(points: Floats, normals: Floats, neighbors: Ints) -> Bools:
    """Which normals (n,) face against most of the neighbors on the same sheet.

    Parameters
    ----------
    points, normals : (n, 3), the normals of length 1.
    neighbors : (n, k), the nearest other points of each.
    """
    flipped = np.empty(len(points), dtype=bool)
    for start in range(0, len(points), _CHUNK):
        some = slice(start, start + _CHUNK)
        index, own = neighbors[some], normals[some]
        offsets = points[index] - points[some, None]
        heights = np.abs((offsets @ own[..., None])[..., 0])
        same_sheet = heights <= _IN_PLANE * np.linalg.norm(offsets, axis=-1)
        alike = (normals[index] @ own[..., None])[..., 0]
        same_sheet &= np.abs(alike) > _PARALLEL
        count, against_it = same_sheet.sum(axis=1), (same_sheet & (alike < 0)).sum(axis=1)
        enough = count >= _ENOUGH * neighbors.shape[1]
        flipped[some] = enough & (against_it > _MOST * count)
    return flipped
