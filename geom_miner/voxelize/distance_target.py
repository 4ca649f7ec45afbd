"""The target made of the distance to a mesh, at every scale: what preset surface fits."""

from __future__ import annotations

from collections.abc import Callable

from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.distance import signed_distance
from geom_miner.voxelize.field_target import field_target
from geom_miner.voxelize.occupancy import Occupancy, find_inside
from geom_miner.voxelize.repair import repair
from geom_miner.voxelize.settings import VoxelizeSettings


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

    def distance_at(scale: int, band: float) -> SparseBlocks:
        grid, inside = occupancy.grid.at_scale(scale), occupancy.blocks
        if scale:
            found = find_inside(
                repaired.mesh, repaired.diagnosis, grid, settings, block_size=block_size
            )
            inside = found.blocks
        return signed_distance(
            grid.world_to_index(repaired.mesh.vertices), repaired.mesh.faces, inside,
            (grid.shape[0], grid.shape[1], grid.shape[2]), band=band,
        )  # fmt: skip

    return field_target(distance_at, scales=scales, progress=progress)
