"""The target whose level 1/2 is a surface: the truncated signed distance to it at every scale.

Values are 1/2 plus half the signed distance in voxels of the finest scale, so that a sample one
voxel or more inside has at least 1 and a sample as far outside at most 0, as an occupancy has. The
distances of a coarser scale are computed at its own samples: distances of the finest scale, mean-
pooled, would know nothing beyond their truncation band.
"""

from __future__ import annotations

from collections.abc import Callable

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.signal_info import SignalInfo
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.progress import Progress, silent

# Half widths of the truncation bands, in voxels of the scale. Marching cubes reads one voxel around
# the surface at the finest scale; a coarser scale, on which a finer one builds, has a wider band.
FINEST_BAND, COARSER_BAND = 1.0, 2.0


def truncated_distance_target(
    distance_at: Callable[[int, float], SparseBlocks],
    grid: SampleGrid,
    info: SignalInfo,
    *,
    scales: int,
    progress: Progress = silent,
) -> Target:
    """A target from signed distances to a surface.

    Parameters
    ----------
    distance_at : called with a scale, 0 the finest, and a truncation band; gives the signed
        distances at the samples of ``grid.at_scale(scale)``, in samples of that scale, positive
        inside, truncated at the band: one channel of float32.
    scales : of the target, >= 1.
    progress : called with the share done, in (0, 1].
    """
    blocks, truncations, units = list[SparseBlocks](), [], []
    for scale in range(scales):
        band = COARSER_BAND if scale else FINEST_BAND
        per_voxel = 0.5 * 2.0**scale
        distance = distance_at(scale, band)
        if scale == 0:
            block_shape = distance.layout.block_shape
            layout = BlockGrid.covering(grid.shape, block_shape, halvings=scales - 1)
        else:
            layout = layout.coarser()
        blocks.append(_as_target_values(distance, per_voxel).extended(layout))
        truncations.append(band * per_voxel)
        units.append(per_voxel)
        progress((scale + 1) / scales)
    return Target(tuple(blocks), tuple(truncations), tuple(units), grid, info)


def _as_target_values(distance: SparseBlocks, per_voxel: float) -> SparseBlocks:
    return distance.map_values(lambda samples: samples * per_voxel + 0.5)
