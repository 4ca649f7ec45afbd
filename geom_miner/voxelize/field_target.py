"""The target whose level of 1/2 is a surface, from the distance to it at every scale.

Values are 1/2 plus half the signed distance in voxels of the finest scale, so that what is a voxel
and more inside has at least 1 and what is as far outside at most 0, as occupancy has. Distances of
a coarser scale are taken anew at its own samples: mean-pooled ones of the finest scale would know
nothing beyond their band.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target

# Half widths of the bands around the surface in which samples are meant as they are, in voxels of
# the scale. The finest scale's is what marching cubes looks at; a coarser scale, on which a finer
# one builds, has a wider one.
FINEST_BAND, COARSER_BAND = 1.0, 2.0


def field_target(
    distance_at: Callable[[int, float], SparseBlocks],
    *,
    scales: int,
    progress: Callable[[float], None] | None = None,
) -> Target:
    """What ``fit_signal`` holds a representation to, given distances to a surface.

    Parameters
    ----------
    distance_at : called with a scale, 0 the finest, and a band; gives the signed distances to the
        surface at the samples of ``SampleGrid.at_scale``, in samples of that scale, positive
        inside, cut off at the band: one channel of float32.
    scales : of the target, >= 1.
    progress : called with the share done, in (0, 1].
    """
    blocks, reaches, units = [], [], []
    for scale in range(scales):
        band = COARSER_BAND if scale else FINEST_BAND
        per_voxel = 0.5 * 2.0**scale
        blocks.append(_half_plus(distance_at(scale, band), per_voxel))
        reaches.append(band * per_voxel)
        units.append(per_voxel)
        if progress is not None:
            progress((scale + 1) / scales)
    return Target(tuple(blocks), tuple(reaches), tuple(units))


def _half_plus(distance: SparseBlocks, factor: float) -> SparseBlocks:
    values, constants = distance.values * factor + 0.5, distance.constants * factor + 0.5
    return replace(distance, values=values, constants=constants)
