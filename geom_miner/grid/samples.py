"""Where samples sit: shape, spacing and origin of a regular grid of sample centers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from geom_miner.constraints import Range, check_fields
from geom_miner.errors import BlockShapeError

# Scales of a pyramid at most: the coarsest of 16 has one sample where the finest has 32,768.
MAX_SCALES = 16
# Axes of a signal at most. Interpolation reads 2^axes samples for each one.
MAX_AXES = 8
# A sample's position and the products of its coordinates stay far within float64.
_FARTHEST = 1e100


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

    shape: tuple[Annotated[int, Range(1, 1 << 40)], ...]
    spacing: tuple[Annotated[float, Range(1 / _FARTHEST, _FARTHEST)], ...]
    origin: tuple[Annotated[float, Range(-_FARTHEST, _FARTHEST)], ...]

    def __post_init__(self) -> None:
        if not len(self.shape) == len(self.spacing) == len(self.origin) > 0:
            raise BlockShapeError(
                "shape, spacing and origin must have one entry per axis, got "
                f"{self.shape}, {self.spacing}, {self.origin}"
            )
        if self.ndim > MAX_AXES:
            raise BlockShapeError(f"a grid has at most {MAX_AXES} axes, got {self.ndim}")
        check_fields(self, BlockShapeError)

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
