"""How a mesh is voxelized: samples along a side, margin, inside test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from geom_miner.constraints import CheckedSettings, Range
from geom_miner.errors import SettingsError

InsideTest = Literal["auto", "parity", "majority", "winding", "embree"]

# Thresholds of crossings are counted in int32 and block ids need 3 * 20 bits; larger volumes
# would need a wider Morton code, not only more memory.
MAX_RESOLUTION = 1 << 15


@dataclass(frozen=True)
class VoxelizeSettings(CheckedSettings):
    """Settings of ``voxelize_mesh``."""

    resolution: Annotated[int, Range(2, MAX_RESOLUTION)] = 256
    """Samples along each side of the cube around the mesh."""

    fill: Annotated[float, Range(above=0, at_most=1)] = 0.98
    """Share of the cube's side that the longest side of the mesh's bounding box takes."""

    inside: InsideTest = "auto"
    """Which test decides what is inside: "parity" counts crossings along z, "majority" lets
    x, y and z vote, "auto" counts along z and looks at the crossings' directions too, so that
    overlapping parts are solid; where the mesh has holes it casts x, y and z and asks for winding
    numbers where these disagree. "winding" and "embree" are slow cross-checks by other
    libraries."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fill * self.resolution < 1:
            raise SettingsError(
                f"fill must be at least 1 / resolution, or the mesh lies between two samples, got "
                f"{self.fill:g} at resolution {self.resolution}; raise one of them"
            )
