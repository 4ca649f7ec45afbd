"""Intersection over union of what two meshes enclose."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eval.errors import MetricError
from eval.metrics.occupancy import iou_voxel_sparse
from geom_miner import SampleGrid, TriangleMesh, VoxelizeSettings, voxelize_mesh


@dataclass(frozen=True)
class Insides:
    """What two meshes enclose, measured at the points of one grid.

    Parameters
    ----------
    iou : intersection over union.
    volumes : of the reconstruction and of the reference; where parts of a mesh overlap, that of
        their union.
    overlaps : whether parts of the reconstruction, and of the reference, overlap or face different
        ways, so that the sum of their signed volumes is not that of their union.
    """

    iou: float
    volumes: tuple[float, float]
    overlaps: tuple[bool, bool]


def iou_mesh(
    reconstruction: TriangleMesh,
    reference: TriangleMesh,
    *,
    resolution: int = 128,
    margin: float = 0.04,
) -> float:
    """IoU of the insides of two meshes at resolution**3 points; ACORN uses ``iou_mesh(128)``.

    The points are the centers of the cells of a cube, in whose middle the bounding box of both
    meshes lies. Two meshes that contain none of the points give 1. The inside of an open mesh is
    an estimate, see ``VoxelizeSettings.inside``.

    Parameters
    ----------
    resolution : points along each side of the cube, >= 2.
    margin : gap between the bounding box and the cube at each end of the longest side, as a share
        of that side; >= 0. The default avoids points that all lie on, or all lie midway between,
        the samples of the grid from which a surface was extracted: there the surface is most, or
        least, accurate (for one mesh of Lucy from a grid of 256^3 the IoU at 128^3 points is 0.998
        or 0.987).

    Raises
    ------
    MetricError
        ``margin`` is negative or not finite, or all corners of both meshes are one point.
    GeomMinerError
        A mesh has no faces, or ``resolution`` is out of the range of ``VoxelizeSettings``.
    """
    return compare_insides(reconstruction, reference, resolution=resolution, margin=margin).iou


def compare_insides(
    reconstruction: TriangleMesh,
    reference: TriangleMesh,
    *,
    resolution: int = 128,
    margin: float = 0.04,
) -> Insides:
    """The IoU of two meshes and their volumes, by the same points; see ``iou_mesh``."""
    settings = VoxelizeSettings(resolution)
    if not 0 <= margin < math.inf:
        raise MetricError(f"margin must be >= 0 and finite, got {margin}")
    low, high = zip(reconstruction.bounds, reference.bounds, strict=True)
    lowest, highest = np.min(low, axis=0), np.max(high, axis=0)
    side = float((highest - lowest).max()) * (1 + 2 * margin)
    if not 0 < side < math.inf:
        raise MetricError(f"meshes must have an extent, got {side:g}; give closed surfaces")
    origin = (lowest + highest) / 2 - side / 2
    grid = SampleGrid((resolution,) * 3, (side / resolution,) * 3, tuple(origin.tolist()))
    found = [voxelize_mesh(mesh, settings, grid=grid) for mesh in (reconstruction, reference)]
    first, second = (occupancy.blocks for occupancy in found)
    iou = iou_voxel_sparse(first, second, shape=grid.shape, threshold=0.5)
    reports = [occupancy.report for occupancy in found]
    inside = [report.inside_fraction * side**3 for report in reports]
    overlaps = [report.overlap_samples > 0 or report.components_flipped > 0 for report in reports]
    return Insides(iou, (inside[0], inside[1]), (overlaps[0], overlaps[1]))
