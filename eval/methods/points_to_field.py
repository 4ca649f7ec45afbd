"""What MINER fits where there is no mesh: the signed distance that oriented points imply."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods.point_field.lattice import occupancy_of, signed_distance
from eval.methods.point_field.surface import PointSurface
from geom_miner import SampleGrid, Target, VoxelizeSettings
from geom_miner.grid import SparseBlocks
from geom_miner.voxelize import field_target

# Places along each axis where the points' normals are checked.
_LOOKED_AT = 24


def grid_around(cloud: PointCloud, resolution: int) -> SampleGrid:
    """The cube of samples that ``voxelize_mesh`` would put around a mesh of the same extent."""
    voxels = VoxelizeSettings(resolution)
    low, high = cloud.bounds
    spacing = float((high - low).max()) / (voxels.fill * voxels.resolution)
    if not spacing > 0:
        raise MethodError("the points have no extent, all are in one place; give others")
    origin = (low + high) / 2 - spacing * resolution / 2
    return SampleGrid((resolution,) * 3, (spacing,) * 3, tuple(origin.tolist()))


def target_of_points(
    surface: PointSurface,
    grid: SampleGrid,
    *,
    distance: bool,
    scales: int,
    block_size: int,
    progress: Callable[[float], None] | None = None,
) -> SparseBlocks | Target:
    """The distance to the surface at every scale, or the occupancy at the finest.

    Raises
    ------
    MethodError
        The normals point inward, or no sample is inside.
    """
    _check_normals(surface, grid)

    def distance_at(scale: int, band: float) -> SparseBlocks:
        return signed_distance(surface, grid.at_scale(scale), band=band, block_size=block_size)

    if distance:
        target = field_target(distance_at, scales=scales, progress=progress)
        _check_inside(target.scales[0], 0.5)
        return target
    occupancy = occupancy_of(distance_at(0, 1.0))
    _check_inside(occupancy, 0.5)
    return occupancy


def _check_normals(surface: PointSurface, grid: SampleGrid) -> None:
    """Winding numbers are -1 inside where normals point there."""
    steps = (np.arange(_LOOKED_AT) + 0.5) / _LOOKED_AT
    share = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    winding = surface.winding(grid.index_to_world(share * grid.shape - 0.5))
    if np.count_nonzero(winding < -0.5) > np.count_nonzero(winding > 0.5):
        raise MethodError("the normals point inward; turn them, they must point outward")


def _check_inside(blocks: SparseBlocks, level: float) -> None:
    known = [blocks.values, blocks.constants[blocks.slots < 0]]
    if not any(bool((values > level).any()) for values in known):
        raise MethodError(
            "the points enclose nothing at this resolution; look whether their normals are "
            "consistent, or raise the resolution"
        )


def sentence(surface: PointSurface, grid: SampleGrid) -> str:
    """What was seen of the points, for a report."""
    voxel = grid.spacing[0]
    apart, noise = float(np.median(surface.spacing)) / voxel, surface.noise / voxel
    return (
        f"The points are {apart:.2f} voxels apart and scatter by {noise:.2f} voxels across the "
        f"surface; they were weighed within {surface.width * apart:.2f} voxels."
    )
