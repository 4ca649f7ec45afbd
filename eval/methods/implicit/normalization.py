"""Move clouds into the unit ball, where networks start, and surfaces back to world coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.clouds.point_cloud import Floats, PointCloud
from eval.errors import MethodError
from eval.methods.protocol import Contours
from geom_miner import TriangleMesh


@dataclass(frozen=True)
class Normalization:
    """world = normalized * scale + center.

    Parameters
    ----------
    center : (ndim,) float64, center of the cloud's bounding box.
    scale : world units per normalized unit, > 0.
    """

    center: Floats
    scale: float

    @classmethod
    def of(cls, cloud: PointCloud, radius: float = 1.0) -> Normalization:
        """The normalization that puts the cloud's farthest point at ``radius`` from the origin.

        Raises
        ------
        MethodError
            All points are the same.
        """
        low, high = cloud.bounds
        # Halve first: the sum of two large coordinates may be infinite.
        center = low / 2 + high / 2
        reach = float(np.linalg.norm(cloud.points - center, axis=1).max())
        if not 0 < reach < np.inf:
            raise MethodError(
                "the cloud's points must span a shape of finite size, "
                f"got all of them within {reach:g} of their center"
            )
        return cls(center, reach / radius)

    def apply(self, points: Floats) -> Floats:
        """Normalized positions (n, ndim) of world positions."""
        return np.asarray((points - self.center) / self.scale)

    def invert(self, points: Floats) -> Floats:
        """World positions (n, ndim) of normalized positions."""
        return np.asarray(points * self.scale + self.center)

    def restore(self, surface: TriangleMesh | Contours) -> TriangleMesh | Contours:
        """A normalized surface in world coordinates."""
        if isinstance(surface, TriangleMesh):
            return TriangleMesh(self.invert(surface.vertices), surface.faces)
        return Contours(tuple(self.invert(line) for line in surface.lines))
