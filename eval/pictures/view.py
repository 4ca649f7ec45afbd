"""The viewer's place: direction, up axis and frame, to be shared between pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from eval.errors import MetricError
from geom_miner import TriangleMesh


@dataclass(frozen=True)
class View:
    """Where the viewer stands, and what the picture shows; parallel projection.

    Parameters
    ----------
    azimuth : degrees around the up axis. 0 looks along +y when z is up and along -z when y is
        up, so that x points right; growing angles walk counter-clockwise seen from above.
    elevation : degrees above the horizon, in [-90, 90].
    up : the axis of the mesh that points up.
    center : world point in the middle of the picture; None frames each mesh by itself.
    half_size : world units from the middle to what must be visible, right and up.
    """

    azimuth: float = 30.0
    elevation: float = 15.0
    up: Literal["y", "z"] = "z"
    center: tuple[float, float, float] | None = None
    half_size: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.up not in ("y", "z"):
            raise MetricError(f"up must be y or z, got {self.up}")
        if not -90 <= self.elevation <= 90:
            raise MetricError(f"elevation must lie in [-90, 90], got {self.elevation}")

    @property
    def axes(self) -> npt.NDArray[np.float64]:
        """Rows: the picture's right, its up, and the direction toward the viewer, (3, 3)."""
        azimuth, elevation = np.radians([self.azimuth, self.elevation])
        ahead, side = np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0])
        sky = np.array([0.0, 0.0, 1.0])
        if self.up == "y":
            ahead, sky = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
        right = np.cos(azimuth) * side - np.sin(azimuth) * ahead
        level = np.cos(azimuth) * ahead + np.sin(azimuth) * side
        toward = np.cos(elevation) * level + np.sin(elevation) * sky
        return np.stack([right, np.cross(toward, right), toward])

    def framing(self, mesh: TriangleMesh) -> View:
        """The same view, framed so that the whole mesh fits: share it between meshes."""
        axes = self.axes
        used = mesh.vertices[np.unique(mesh.faces)] @ axes.T
        if not len(used):
            raise MetricError("a mesh without faces cannot frame a view")
        low, high = used.min(axis=0), used.max(axis=0)
        x, y, z = ((low + high) / 2 @ axes).tolist()
        half_width, half_height = ((high - low)[:2] / 2).tolist()
        return replace(self, center=(x, y, z), half_size=(half_width, half_height))
