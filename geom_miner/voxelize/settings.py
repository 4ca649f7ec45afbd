"""How a mesh is voxelized: samples along a side, margin, inside test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from geom_miner.errors import SettingsError

InsideTest = Literal["auto", "parity", "majority", "winding", "embree"]

# Thresholds of crossings are counted in int32 and block ids need 3 * 20 bits; larger volumes
# would need a wider Morton code, not only more memory.
MAX_RESOLUTION = 1 << 15


@dataclass(frozen=True)
class VoxelizeSettings:
    """Settings of ``voxelize_mesh``."""

    resolution: int = 256
    """Samples along each side of the cube around the mesh."""

    fill: float = 0.98
    """Share of the cube's side that the longest side of the mesh's bounding box takes."""

    inside: InsideTest = "auto"
    """Which test decides what is inside: "parity" counts crossings along z, "majority" lets
    x, y and z vote, "auto" counts along z and looks at the crossings' directions too, so that
    overlapping parts are solid; where the mesh has holes it casts x, y and z and asks for winding
    numbers where these disagree. "winding" and "embree" are slow cross-checks by other
    libraries."""

    def __post_init__(self) -> None:
        if not 2 <= self.resolution <= MAX_RESOLUTION:
            raise SettingsError(
                f"resolution must lie in [2, {MAX_RESOLUTION}], got {self.resolution}"
            )
        if not 0 < self.fill <= 1:
            raise SettingsError(f"fill must lie in (0, 1], got {self.fill}")
        if self.inside not in get_args(InsideTest):
            raise SettingsError(
                f"inside must be one of {', '.join(get_args(InsideTest))}, got {self.inside!r}"
            )
