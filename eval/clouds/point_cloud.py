"""Points of a surface, with outward normals if they are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.errors import CloudError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PointCloud:
    """Points in two or three dimensions.

    Parameters
    ----------
    points : (n, d) float64, d 2 or 3, finite; at least one.
    normals : (n, d) float64 of length 1 that point outward, or None if they are not known. Normals
        of another length than 0 are scaled to length 1.
    notes : whole sentences on what was left out of the source.

    Raises
    ------
    CloudError
        There is no point, a shape is wrong, a value is not finite, or a normal has length 0.
    """

    points: Floats
    normals: Floats | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        points = np.asarray(self.points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] not in (2, 3) or not len(points):
            raise CloudError(f"points must be (n, 2) or (n, 3) with n >= 1, got {points.shape}")
        if not np.isfinite(points).all():
            raise CloudError("points must be finite, got NaN or infinity; remove those points")
        object.__setattr__(self, "points", points)
        if self.normals is not None:
            object.__setattr__(self, "normals", _unit_normals(points, self.normals))

    def __len__(self) -> int:
        return len(self.points)

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return int(self.points.shape[1])

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Lowest and highest coordinates, (d,) each."""
        return self.points.min(axis=0), self.points.max(axis=0)

    @property
    def diagonal(self) -> float:
        """Length of the bounding box's diagonal."""
        low, high = self.bounds
        return float(np.linalg.norm(high - low))


def _unit_normals(points: Floats, normals: npt.ArrayLike) -> Floats:
    vectors = np.asarray(normals, dtype=np.float64)
    if vectors.shape != points.shape:
        raise CloudError(f"normals must be {points.shape} like the points, got {vectors.shape}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise CloudError(
            "normals must be finite and longer than 0; remove those points or drop the normals"
        )
    return np.asarray(vectors / lengths)
