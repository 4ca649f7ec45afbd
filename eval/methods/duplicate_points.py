"""Remove duplicate points, which scanners and merged files produce and solvers cannot handle."""

from __future__ import annotations

import numpy as np

from eval.clouds.point_cloud import PointCloud


def remove_duplicates(cloud: PointCloud) -> PointCloud:
    """Keep the first of each set of equal points, with its normal, in the original order."""
    _, first = np.unique(cloud.points, axis=0, return_index=True)
    first.sort()
    normals = None if cloud.normals is None else cloud.normals[first]
    return PointCloud(cloud.points[first], normals)
