"""The target whose level of 1/2 is the surface itself, at every scale.

At each scale the distance to the surface is taken anew, from the mesh: mean-pooled distances of the
finest scale would know nothing beyond their band. Values are 1/2 plus half the signed distance in
voxels of the finest scale, so that what is a voxel and more inside has at least 1 and what is as
far outside at most 0, as occupancy has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.distance import signed_distance
from geom_miner.voxelize.occupancy import Occupancy, find_inside
from geom_miner.voxelize.repair import repair
from geom_miner.voxelize.settings import VoxelizeSettings

# Half widths of the bands around the surface in which samples are meant as they are, in voxels of
# the scale. The finest scale's is what marching cubes looks at; a coarser scale, on which a finer
# one builds, has a wider one.
FINEST_BAND, COARSER_BAND = 1.0, 2.0


def target_of(
    mesh: TriangleMesh,
    occupancy: Occupancy,
    settings: VoxelizeSettings,
    *,
    scales: int,
    progress: Callable[[float], None] | None = None,
) -> SparseBlocks | Target:
    """What the settings ask to fit: the occupancy or coverage, or ``distance_target``."""
    if settings.target != "distance":
        return occupancy.blocks
    return distance_target(mesh, occupancy, settings, scales=scales, progress=progress)


def distance_target(
    mesh: TriangleMesh,
    occupancy: Occupancy,
    settings: VoxelizeSettings,
    *,
    scales: int,
    progress: Callable[[float], None] | None = None,
) -> Target:
    """The distance to a surface near it, on the grid of an occupancy and its coarser ones.

    Parameters
    ----------
    mesh : as it was voxelized.
    occupancy : of the mesh; it gives the sign at the finest scale.
    settings : those of ``occupancy``; the same test gives the sign at coarser scales.
    scales : of the target, >= 1.
    progress : called with the share done, in (0, 1].
    """
    repaired = repair(mesh, occupancy.report.diagnosis)
    block_size = occupancy.blocks.layout.block_shape[0]
    blocks, reaches, units = [], [], []
    for scale in range(scales):
        grid, inside = occupancy.grid.at_scale(scale), occupancy.blocks
        if scale:
            found = find_inside(
                repaired.mesh, repaired.diagnosis, grid, settings, block_size=block_size
            )
            inside = found.blocks
        band = COARSER_BAND if scale else FINEST_BAND
        distance = signed_distance(
            grid.world_to_index(repaired.mesh.vertices), repaired.mesh.faces, inside,
            (grid.shape[0], grid.shape[1], grid.shape[2]), band=band,
        )  # fmt: skip
        per_voxel = 0.5 * 2.0**scale
        blocks.append(_half_plus(distance, per_voxel))
        reaches.append(band * per_voxel)
        units.append(per_voxel)
        if progress is not None:
            progress((scale + 1) / scales)
    return Target(tuple(blocks), tuple(reaches), tuple(units))


def _half_plus(distance: SparseBlocks, factor: float) -> SparseBlocks:
    values, constants = distance.values * factor + 0.5, distance.constants * factor + 0.5
    return replace(distance, values=values, constants=constants)
