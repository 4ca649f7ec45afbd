"""Shadows without grain: neighboring pixels of one surface share the rays they cast to lights.

A joint bilateral filter (Petschnigg et al., Digital photography with flash and no-flash image
pairs, SIGGRAPH 2004), guided by positions and normals, as renderers use it for ambient occlusion.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

RADIUS = 3  # pixels
# Order in which the pixels of a 4 x 4 tile take their rays from one sequence, so that the window of
# the filter, wherever it lies, holds evenly spread rays (an ordered-dither matrix).
TILE = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
# Weights fall to 1/e at: this distance in the picture; this distance of a neighbor from the pixel's
# tangent plane; this difference of unit normals, squared.
_WIDTH, _OFF_PLANE, _BEND = 2.2, 1.5, 0.15


def share_of_light(
    arriving: Floats, possible: Floats, positions: Floats, normals: Floats, rows: slice
) -> Floats:
    """Share of each light that arrives at the pixels of some rows, 0 to 1: (r, columns, source).

    Parameters
    ----------
    arriving, possible : (rows, columns, source), sums over the rays of each pixel; 0 in pixels
        that do not show the surface, which then have no influence.
    positions : (rows, columns, 3), in pixels.
    normals : (rows, columns, 3), unit.
    rows : which rows to return.
    """
    height, width = positions.shape[:2]
    shares = np.ones((rows.stop - rows.start, width, arriving.shape[2]), dtype=np.float32)
    filled = np.flatnonzero(possible[rows].any(axis=(0, 2)))
    if not len(filled):
        return shares
    box = (rows, slice(int(filled[0]), int(filled[-1]) + 1))
    at, own = positions[box], normals[box]
    sums = np.zeros((2, *at.shape[:2], arriving.shape[2]), dtype=np.float32)
    for offset in itertools.product(range(-RADIUS, RADIUS + 1), repeat=2):
        # Of the box, the pixels whose neighbor lies in the picture.
        low = [max(b.start, -d) for b, d in zip(box, offset, strict=True)]
        high = [min(b.stop, n - d) for b, d, n in zip(box, offset, (height, width), strict=True)]
        if low[0] >= high[0] or low[1] >= high[1]:
            continue
        here = tuple(
            slice(a - b.start, z - b.start) for a, z, b in zip(low, high, box, strict=True)
        )
        there = tuple(slice(a + d, z + d) for a, z, d in zip(low, high, offset, strict=True))
        off_plane = np.einsum("ijk,ijk->ij", positions[there] - at[here], own[here]) / _OFF_PLANE
        bend = (2 - 2 * np.einsum("ijk,ijk->ij", normals[there], own[here])) / _BEND
        distance = (offset[0] ** 2 + offset[1] ** 2) / _WIDTH**2
        weight = np.exp(-(off_plane**2 + bend + distance))[..., None]
        sums[0][here] += weight * arriving[there]
        sums[1][here] += weight * possible[there]
    np.divide(sums[0], sums[1], out=shares[:, box[1]], where=sums[1] > 0)
    return shares
