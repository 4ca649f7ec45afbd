"""Target "coverage": the share of each sample's cell that is inside, mean-pooled."""

from __future__ import annotations

from geom_miner.grid.signal_info import SignalInfo
from geom_miner.grid.target import Target
from geom_miner.progress import Progress, silent
from geom_miner.voxelize.occupancy import Occupancy, cell_coverage


def build(
    occupancy: Occupancy, info: SignalInfo, *, scales: int, progress: Progress = silent
) -> Target:
    """The covered share of every cell of a voxelized mesh, in 240ths.

    Raises
    ------
    SettingsError
        The mesh was voxelized by a test of single points, which have no coverage.
    """
    blocks = cell_coverage(occupancy, progress=progress)
    return Target.pooled(blocks, scales, occupancy.grid, info)
