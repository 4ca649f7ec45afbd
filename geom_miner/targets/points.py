"""Target "points": the distance to the surface that oriented points lie on, or its occupancy."""

from __future__ import annotations

import numpy as np
import torch

from geom_miner.errors import PointsError
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.signal_info import SignalInfo, SourceInfo
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.mesh.normalize import grid_around_box
from geom_miner.points.distance_field import occupancy_of, point_cloud_distance
from geom_miner.points.surface import PointSurface
from geom_miner.progress import Progress, silent
from geom_miner.targets.truncated_distance import truncated_distance_target

# Positions along each axis at which the direction of the normals is checked.
_CHECKED = 24


def grid_around_points(surface: PointSurface, resolution: int, fill: float = 0.98) -> SampleGrid:
    """The cube of samples that ``voxelize_mesh`` would put around a mesh of the same extent."""
    low, high = surface.points.min(axis=0), surface.points.max(axis=0)
    if not float((high - low).max()) > 0:
        raise PointsError("the points have no extent, all are at one position; give others")
    return grid_around_box(low, high, resolution, fill)


def points_target(
    surface: PointSurface,
    grid: SampleGrid,
    *,
    values: str = "distance",
    scales: int,
    block_size: int,
    source: SourceInfo | None = None,
    progress: Progress = silent,
) -> Target:
    """The distance to the surface at every scale, or its occupancy.

    Parameters
    ----------
    values : "distance" or "occupancy".

    Raises
    ------
    PointsError
        The normals point inward, or no sample is inside.
    """
    _check_normals(surface, grid)
    info = SignalInfo(kind="occupancy", target=values, iso_level=0.5, source=source or SourceInfo())

    def distance_at(scale: int, band: float) -> SparseBlocks:
        return point_cloud_distance(surface, grid.at_scale(scale), band=band, block_size=block_size)

    if values == "distance":
        target = truncated_distance_target(
            distance_at, grid, info, scales=scales, progress=progress
        )
    else:
        occupancy = occupancy_of(distance_at(0, 1.0))
        target = Target.pooled(occupancy, scales, grid, info)
    _check_inside(target)
    return target


def _check_normals(surface: PointSurface, grid: SampleGrid) -> None:
    """Refuse normals that point inward: winding numbers are then -1 inside."""
    steps = (np.arange(_CHECKED) + 0.5) / _CHECKED
    share = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    winding = surface.winding(grid.index_to_world(share * grid.shape - 0.5))
    if np.count_nonzero(winding < -0.5) > np.count_nonzero(winding > 0.5):
        raise PointsError("the normals point inward; turn them, they must point outward")


def _check_inside(target: Target) -> None:
    blocks, ids = target.scales[0], target.layout.all_ids()
    varying = blocks.varying_ids
    constants = blocks.constants_of(ids[~torch.isin(ids, varying)])
    samples = blocks.read_blocks(varying)
    if not any(bool((values > target.iso_level).any()) for values in (constants, samples)):
        raise PointsError(
            "the points enclose nothing at this resolution; look whether their normals are "
            "consistent, or raise the resolution"
        )
