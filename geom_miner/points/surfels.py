"""Oriented points as small triangles, so that winding numbers of triangles are theirs too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.mesh.triangle_mesh import TriangleMesh

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

# Directions in the tangent plane along which a cell's border is looked for.
_DIRECTIONS = 32
# Points that are looked at together: with 16 neighbors and 32 directions, 32 MB.
_CHUNK = 1 << 14


def surfels(points: Floats, normals: Floats, areas: Floats) -> TriangleMesh:
    """An equilateral triangle for each point: centered on it, facing along its normal.

    From afar a triangle is the dipole of a point that Barill et al. (2018, section 4) sum up, area
    times normal; their sum goes to infinity near its points, where that of the triangles stays
    bounded. On points of Lucy it gives half the error that the sum of dipoles has.

    Parameters
    ----------
    points, normals : (n, 3), the normals of length 1.
    areas : (n,) > 0.

    Returns
    -------
    n faces on 3 n vertices, face i that of point i.
    """
    along, across = tangents(normals)
    radius = np.sqrt(4 * areas / (3 * np.sqrt(3)))[:, None]
    angles = np.arange(3) * (2 * np.pi / 3)
    corners = [points + radius * (np.cos(a) * along + np.sin(a) * across) for a in angles]
    vertices = np.stack(corners, axis=1).reshape(-1, 3)
    return TriangleMesh(vertices, np.arange(3 * len(points)).reshape(-1, 3))


def tangents(normals: Floats) -> tuple[Floats, Floats]:
    """Two directions, (n, 3) each, that make a right-handed frame with each normal.

    Method: Duff et al., "Building an Orthonormal Basis, Revisited" (2017).
    """
    x, y, z = normals.T
    sign = np.where(z >= 0, 1.0, -1.0)
    a = -1 / (sign + z)
    b = x * y * a
    along = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=1)
    across = np.stack([b, sign + y * y * a, -y], axis=1)
    return along, across


def voronoi_areas(points: Floats, normals: Floats, distances: Floats, neighbors: Ints) -> Floats:
    """Area (n,) of each point's Voronoi cell in its tangent plane (Barill et al. 2018, section 4).

    A cell ends half-way to the neighbors, put into the plane, and at the latest where the
    neighbors do: at the border of an open surface. Neighbors that face the other way, such as those
    across a thin plate, are of another sheet and left out.

    Parameters
    ----------
    distances, neighbors : (n, k), to the k nearest other points and which these are.
    """
    areas = np.empty(len(points))
    angles = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    directions = np.stack([np.cos(angles), np.sin(angles)])
    for start in range(0, len(points), _CHUNK):
        some = slice(start, start + _CHUNK)
        index = neighbors[some]
        offsets = points[index] - points[some, None]
        along, across = tangents(normals[some])
        flat = np.stack([(offsets @ t[..., None])[..., 0] for t in (along, across)], axis=-1)
        # Those of another sheet, and one right above the point, are moved out of the way.
        facing = (normals[index] @ normals[some, :, None])[..., 0] > 0
        half_squares = 0.5 * np.square(flat).sum(axis=-1)
        flat[~facing | (half_squares == 0)] = 0
        half_squares[half_squares == 0] = 1
        # Along a direction the line half-way to a neighbor is at half its squared distance over
        # its distance along the direction; so the nearest line has the largest inverse.
        inverse = ((flat / half_squares[..., None]) @ directions).max(axis=1)
        radius = 1 / np.maximum(inverse, 1 / distances[some, -1:])
        areas[some] = (np.pi / _DIRECTIONS) * np.square(radius).sum(axis=1)
    return areas
