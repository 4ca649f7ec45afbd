"""Target "distance": the truncated signed distance to a mesh at every scale."""

from __future__ import annotations

from geom_miner.grid.signal_info import SignalInfo
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.progress import Progress, silent
from geom_miner.targets.truncated_distance import truncated_distance_target
from geom_miner.voxelize.distance import signed_distance
from geom_miner.voxelize.occupancy import Occupancy, find_inside


def build(
    occupancy: Occupancy, info: SignalInfo, *, scales: int, progress: Progress = silent
) -> Target:
    """The distance to the surface of a voxelized mesh, on its grid and the coarser ones.

    Parameters
    ----------
    occupancy : gives the sign at the finest scale; the same inside test gives it at coarser ones.
    scales : of the target, >= 1.
    """
    mesh = occupancy.repaired.mesh
    block_size = occupancy.blocks.layout.block_shape[0]

    def distance_at(scale: int, band: float) -> SparseBlocks:
        grid, inside = occupancy.grid.at_scale(scale), occupancy.blocks
        if scale:
            inside = find_inside(
                occupancy.repaired, grid, occupancy.settings, block_size=block_size
            ).blocks
        shape = (grid.shape[0], grid.shape[1], grid.shape[2])
        vertices = grid.world_to_index(mesh.vertices)
        return signed_distance(vertices, mesh.faces, inside, shape, band=band)

    return truncated_distance_target(
        distance_at, occupancy.grid, info, scales=scales, progress=progress
    )
