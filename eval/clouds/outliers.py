"""Find points that lie alone and far from all others, as reflections in scans do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from eval.clouds.point_cloud import PointCloud

# Outliers are at most this share of the points,
_MOST = 0.02
# are more than so many times as far from the middle as all others, so that a grid around all points
# would spend most of its samples on empty space,
_FAR = 4.0
# and have fewer than so many other points within this share of the others' radius: a second object
# or the distant end of a scan is no outlier, since its points have neighbors.
_COMPANY, _ALONE = 4, 0.25


def outliers(cloud: PointCloud) -> npt.NDArray[np.bool_]:
    """Which points (n,) lie alone and far from the others."""
    points, found = cloud.points, np.zeros(len(cloud), dtype=bool)
    with np.errstate(over="ignore"):
        radii = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    radius = float(np.quantile(radii, 1 - _MOST, method="lower"))
    far = np.flatnonzero(radii > _FAR * radius)
    # Where a radius overflows, distances between points do as well.
    if not len(far) or len(cloud) <= _COMPANY or not 0 < radius < math.inf:
        return found
    # The first one is the point itself.
    distances, _ = cKDTree(points).query(points[far], k=_COMPANY + 1)
    found[far] = np.asarray(distances)[:, -1] > _ALONE * radius
    return found


def without_outliers(cloud: PointCloud) -> PointCloud:
    """The cloud without its outliers, and with a note if it has some."""
    found = outliers(cloud)
    count = int(found.sum())
    if not count:
        return cloud
    kept = cloud.points[~found]
    low, high = kept.min(axis=0), kept.max(axis=0)
    reach = np.abs(cloud.points[found] - (low + high) / 2).max() / ((high - low).max() / 2)
    note = (
        f"Outliers left out: {count:,} of {len(cloud):,} points, which lie alone and up to "
        f"{reach:,.0f} times as far from the middle as the others; --keep-outliers uses them."
    )
    normals = None if cloud.normals is None else cloud.normals[~found]
    return replace(cloud, points=kept, normals=normals, notes=(*cloud.notes, note))
