"""Where samples sit: shape, spacing and origin of a regular grid of sample centers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geom_miner.errors import BlockShapeError


@dataclass(frozen=True)
class SampleGrid:
    """A regular grid of samples in any dimension.

    Sample i of an axis sits at ``origin + (i + 1/2) * spacing``: the grid fills the box from
    ``origin`` to ``origin + shape * spacing`` and every sample is the center of its cell.

    Parameters
    ----------
    shape : samples per axis.
    spacing : distance of neighboring samples per axis, in world units, > 0.
    origin : corner of the first cell, in world units.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.shape) == len(self.spacing) == len(self.origin) > 0:
            raise BlockShapeError(
                "shape, spacing and origin must have one entry per axis, got "
                f"{self.shape}, {self.spacing}, {self.origin}"
            )
        if min(self.shape) < 1 or not min(self.spacing) > 0:
            raise BlockShapeError(
                f"shape must be >= 1 and spacing > 0, got {self.shape} and {self.spacing}"
            )

    @classmethod
    def unit(cls, shape: tuple[int, ...]) -> SampleGrid:
        """A grid whose longest axis spans [0, 1], with equal spacing on every axis."""
        spacing = 1.0 / max(shape)
        return cls(tuple(shape), (spacing,) * len(shape), (0.0,) * len(shape))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def index_to_world(self, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """World positions of (fractional) sample indices, shape (..., ndim)."""
        index = np.asarray(index, dtype=np.float64)
        world: npt.NDArray[np.float64] = (index + 0.5) * self.spacing + self.origin
        return world

    def world_to_index(self, world: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Fractional sample indices of world positions, shape (..., ndim)."""
        # In place: of many points, one array and not three.
        index: npt.NDArray[np.float64] = np.asarray(world, dtype=np.float64) - self.origin
        index /= self.spacing
        index -= 0.5
        return index

    def refined(self, factor: int) -> SampleGrid:
        """The grid of the same box with ``factor`` samples along each axis for every one here."""
        shape = tuple(n * factor for n in self.shape)
        return SampleGrid(shape, tuple(s / factor for s in self.spacing), self.origin)

    def at_scale(self, scale: int) -> SampleGrid:
        """The grid of the same box at a coarser scale: 2**scale samples become one per axis.

        An axis whose length is no multiple of 2**scale is rounded up, as padding does.
        """
        factor = 2**scale
        shape = tuple(-(-n // factor) for n in self.shape)
        return SampleGrid(shape, tuple(s * factor for s in self.spacing), self.origin)
