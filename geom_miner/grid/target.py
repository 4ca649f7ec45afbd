"""What a representation is held to: a signal at every scale, and how closely each sample is meant.

Occupancy, coverage and images mean every sample: the mean-pooled signal is the target of a scale
(MINER, section 3.1). A distance means its samples near the surface only. Further than its reach
from the level of the surface a sample says on which side it lies and no more, so that no effort
goes where no surface is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.pyramid import build_pyramid
from geom_miner.grid.sparse import SparseBlocks


@dataclass(frozen=True)
class Target:
    """A signal at every scale, finest first, and the bounds that each sample sets.

    Parameters
    ----------
    scales : entry j has the signal at scale j, in the signal's own values.
    reaches : values that differ from ``level`` by so much or more, at that scale, are bounds from
        one side only; infinite where every sample is meant.
    units : how much one unit of an MLP's output is worth at a scale.
    level : value of the surface.
    """

    scales: tuple[SparseBlocks, ...]
    reaches: tuple[float, ...]
    units: tuple[float, ...]
    level: float = 0.5

    def __post_init__(self) -> None:
        if not len(self.scales) == len(self.reaches) == len(self.units) > 0:
            raise BlockShapeError(
                "scales, reaches and units must have one entry per scale, got "
                f"{len(self.scales)}, {len(self.reaches)} and {len(self.units)}"
            )
        if min(self.reaches) <= 0 or min(self.units) <= 0:
            raise BlockShapeError(
                f"reaches and units must be > 0, got {self.reaches} and {self.units}"
            )

    @classmethod
    def pooled(cls, signal: SparseBlocks, scales: int) -> Target:
        """The Laplacian pyramid's: the mean-pooled signal, every sample of it."""
        pyramid = tuple(build_pyramid(signal, scales))
        return cls(pyramid, (math.inf,) * scales, (1.0,) * scales)

    @property
    def layout(self) -> BlockGrid:
        """Blocks of the finest scale."""
        return self.scales[0].layout

    @property
    def channels(self) -> int:
        return self.scales[0].channels

    @property
    def device(self) -> torch.device:
        return self.scales[0].device

    def means_all(self, scale: int) -> bool:
        """Whether every sample of a scale is meant as it is."""
        return math.isinf(self.reaches[scale])

    def bounds(self, scale: int, values: Tensor) -> tuple[Tensor, Tensor]:
        """What a reconstruction may be at samples of a scale, given their values in ``scales``.

        Returns
        -------
        lower, upper : like ``values``, equal (and one tensor if all are) where a value is meant.
        """
        if self.means_all(scale):
            return values, values
        high, low = self.level + self.reaches[scale], self.level - self.reaches[scale]
        lower = torch.where(values >= high, high, torch.where(values <= low, -math.inf, values))
        upper = torch.where(values >= high, math.inf, torch.where(values <= low, low, values))
        return lower, upper

    def to(self, device: torch.device | str) -> Target:
        """The same target on another device."""
        scales = tuple(blocks.to(device) for blocks in self.scales)
        return Target(scales, self.reaches, self.units, self.level)

    def extended(self, layout: BlockGrid) -> Target:
        """The same target on larger grids of equal blocks, the finest of which is ``layout``."""
        scales = []
        for blocks in self.scales:
            scales.append(blocks.extended(layout))
            layout = layout.coarser() if len(scales) < len(self.scales) else layout
        return Target(tuple(scales), self.reaches, self.units, self.level)
