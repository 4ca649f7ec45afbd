"""Target "occupancy": whether each sample's center is inside, mean-pooled to coarser scales."""

from __future__ import annotations

from geom_miner.grid.signal_info import SignalInfo
from geom_miner.grid.target import Target
from geom_miner.progress import Progress, silent
from geom_miner.voxelize.occupancy import Occupancy


def build(
    occupancy: Occupancy, info: SignalInfo, *, scales: int, progress: Progress = silent
) -> Target:
    """The occupancy of a voxelized mesh: the paper's target (MINER, section 4.2)."""
    target = Target.pooled(occupancy.blocks, scales, occupancy.grid, info)
    progress(1.0)
    return target
