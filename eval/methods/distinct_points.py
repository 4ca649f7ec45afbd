"""Clouds without repeated points, which scanners and merged files have and solvers stumble over."""

from __future__ import annotations

import numpy as np

from eval.clouds.point_cloud import PointCloud


def distinct(cloud: PointCloud) -> PointCloud:
    """The first of every set of equal points, with its normal, in the order given."""
    _, first = np.unique(cloud.points, axis=0, return_index=True)
    first.sort()
    normals = None if cloud.normals is None else cloud.normals[first]
    return PointCloud(cloud.points[first], normals)
