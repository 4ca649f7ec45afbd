"""What a fit is held to: a signal at every scale, and the bounds that each sample sets.

Occupancy, coverage and images are exact: a sample's lower and upper bound are both its value, and
a scale holds the mean-pooled signal (MINER, section 3.1). A signed distance is truncated: a sample
beyond the truncation band only has to stay on its side of the surface, so that no parameters are
spent where no surface is.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError
from geom_miner.grid.block_source import BlockSource
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.pyramid import build_pyramid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.signal_info import SignalInfo
from geom_miner.grid.sparse import SparseBlocks


@dataclass(frozen=True)
class Target:
    """A signal at every scale, finest first, and the bounds that each sample sets.

    Parameters
    ----------
    scales : entry j holds the signal at scale j, in the signal's own values, on blocks of one
        shape; every layout is the next finer one halved.
    truncations : values that differ from ``iso_level`` by this much or more, at that scale, are
        bounds from one side only; infinite where every sample is exact.
    units : value that corresponds to one unit of an MLP's output, per scale.
    grid : samples of scale 0; its shape is the true one, without padding.
    info : metadata that the fit hands on to the model.
    iso_level : value of the surface.
    base : value of each channel that the coarsest scale is fitted as a difference to; empty for 0.
        Where a signal uses a small range far from 0, its MLPs start there.
    """

    scales: tuple[BlockSource, ...]
    truncations: tuple[float, ...]
    units: tuple[float, ...]
    grid: SampleGrid
    info: SignalInfo
    iso_level: float = 0.5
    base: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.scales) == len(self.truncations) == len(self.units) > 0:
            raise BlockShapeError(
                "scales, truncations and units must have one entry per scale, got "
                f"{len(self.scales)}, {len(self.truncations)} and {len(self.units)}"
            )
        if min(self.truncations) <= 0 or min(self.units) <= 0:
            raise BlockShapeError(
                f"truncations and units must be > 0, got {self.truncations} and {self.units}"
            )
        if self.base and len(self.base) != self.channels:
            raise BlockShapeError(
                f"base must have a value for each of {self.channels} channels, got {self.base}"
            )
        if self.grid.ndim != self.layout.ndim:
            raise BlockShapeError(
                f"grid must have {self.layout.ndim} axes as the blocks have, got {self.grid.ndim}"
            )
        for finer, coarser in zip(self.scales, self.scales[1:], strict=False):
            if coarser.layout != finer.layout.coarser():
                raise BlockShapeError(
                    f"scales must halve their blocks, got {finer.layout} above {coarser.layout}"
                )

    @classmethod
    def pooled(
        cls, signal: SparseBlocks, scales: int, grid: SampleGrid, info: SignalInfo | None = None
    ) -> Target:
        """The Laplacian pyramid's target: the mean-pooled signal, every sample exact.

        Parameters
        ----------
        signal : blocks that cover ``grid``.
        """
        layout = BlockGrid.covering(grid.shape, signal.layout.block_shape, halvings=scales - 1)
        pyramid = tuple(build_pyramid(signal.extended(layout), scales))
        exact = (math.inf,) * scales
        return cls(pyramid, exact, (1.0,) * scales, grid, info or SignalInfo())

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

    def is_exact(self, scale: int) -> bool:
        """Whether every sample of a scale is held to its value."""
        return math.isinf(self.truncations[scale])

    def bounds(self, scale: int, values: Tensor) -> tuple[Tensor, Tensor]:
        """The interval that a reconstruction has to come into, given values of ``scales``.

        Returns
        -------
        lower, upper : shaped like ``values``; equal inside the truncation band, and one tensor
            where all samples are exact.
        """
        if self.is_exact(scale):
            return values, values
        high = self.iso_level + self.truncations[scale]
        low = self.iso_level - self.truncations[scale]
        lower = torch.where(values >= high, high, torch.where(values <= low, -math.inf, values))
        upper = torch.where(values >= high, math.inf, torch.where(values <= low, low, values))
        return lower, upper

    def to(self, device: torch.device | str) -> Target:
        """The same target on another device."""
        return replace(self, scales=tuple(blocks.to(device) for blocks in self.scales))

    def content_digest(self) -> str:
        """SHA-256 of everything that a fit depends on, in hexadecimal digits."""
        digest = hashlib.sha256()
        digest.update(repr((self.truncations, self.units, self.iso_level, *self.base)).encode())
        for blocks in self.scales:
            digest.update(blocks.content_digest().encode())
        return digest.hexdigest()
