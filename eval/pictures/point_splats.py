"""A cloud of points as a surface that can be drawn."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from eval.clouds.point_cloud import PointCloud
from geom_miner import TriangleMesh


def splats(cloud: PointCloud) -> TriangleMesh:
    """A square on every point, as large as the points lie apart, to draw a cloud as a surface.

    It lies across the normal; without normals every point has three, across the axes.
    """
    step = max(1, len(cloud) // 5000)
    apart = np.asarray(cKDTree(cloud.points).query(cloud.points[::step], k=[2])[0])
    apart = apart[np.isfinite(apart) & (apart > 0)]
    half = 1.1 * float(np.median(apart)) if len(apart) else cloud.diagonal / 200
    points, normals = cloud.points, cloud.normals
    if normals is None:
        points = np.repeat(points, 3, axis=0)
        normals = np.tile(np.eye(3), (len(cloud), 1))
    across = np.eye(3)[np.abs(normals).argmin(axis=1)]
    first = np.cross(normals, across)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normals, first)
    corners = [
        points + half * (a * first + b * second) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    vertices = np.stack(corners, axis=1).reshape(-1, 3)
    starts = 4 * np.arange(len(points))[:, None, None]
    return TriangleMesh(vertices, (starts + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3))
