"""Nearest neighbors of two point sets in both directions, and the distances that follow.

A is the reconstruction's point set, B the reference's; d(p, S) is the Euclidean distance from p
to the nearest point of S. Points have two coordinates or three; NaN and infinite ones are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.errors import MetricError
from eval.metrics.nearest import find_nearest

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CloudMatches:
    """Nearest neighbors of two point sets in both directions, and what follows from them.

    Parameters
    ----------
    to_reference, to_reconstruction : (a,) and (b,) float64
        d(a, B) of each reconstruction point and d(b, A) of each reference point.
    in_reference, in_reconstruction : (a,) and (b,) int64
        Index of the nearest point in the other set.
    """

    to_reference: Floats
    to_reconstruction: Floats
    in_reference: npt.NDArray[np.int64]
    in_reconstruction: npt.NDArray[np.int64]

    @property
    def _empty(self) -> tuple[bool, bool]:
        return not len(self.to_reference), not len(self.to_reconstruction)

    def _distance(self, value: Floats) -> float:
        """Mean of per-point values by the convention for empty sets."""
        if any(self._empty):
            return 0.0 if all(self._empty) else float("inf")
        return float(value.mean())

    @property
    def acc(self) -> float:
        return self._distance(self.to_reference)

    @property
    def comp(self) -> float:
        return self._distance(self.to_reconstruction)

    @property
    def chamfer_l1(self) -> float:
        return 0.5 * (self.acc + self.comp)

    @property
    def chamfer_sum_sq(self) -> float:
        squares = self._distance(np.square(self.to_reference))
        return squares + self._distance(np.square(self.to_reconstruction))

    @property
    def chamfer_l2(self) -> float:
        return 0.5 * self.chamfer_sum_sq

    @property
    def hausdorff(self) -> float:
        if any(self._empty):
            return 0.0 if all(self._empty) else float("inf")
        return float(max(self.to_reference.max(), self.to_reconstruction.max()))

    def fscore(self, threshold: float) -> float:
        """Harmonic mean of the shares of A within ``threshold`` of B and of B within it of A."""
        check_threshold(threshold)
        if any(self._empty):
            return float(all(self._empty))
        precision = float((self.to_reference <= threshold).mean())
        recall = float((self.to_reconstruction <= threshold).mean())
        both = precision + recall
        return 2 * precision * recall / both if both else 0.0

    def normal_consistency(
        self, reconstruction_normals: Floats, reference_normals: Floats
    ) -> float:
        """Mean absolute cosine between the normals of nearest points, both ways averaged."""
        if any(self._empty):
            return float(all(self._empty))
        there = reconstruction_normals * reference_normals[self.in_reference]
        back = reference_normals * reconstruction_normals[self.in_reconstruction]
        cosines = (float(np.abs(pairs.sum(axis=1)).mean()) for pairs in (there, back))
        return 0.5 * sum(cosines)


def match_clouds(
    reconstruction: npt.ArrayLike, reference: npt.ArrayLike, *, device: str = "cpu"
) -> CloudMatches:
    """Find nearest neighbors both ways; use it to get several metrics for one search.

    Parameters
    ----------
    reconstruction, reference : (a, d) and (b, d), d 2 or 3, one unit of length.
    device : where to search, cpu or cuda; see ``find_nearest``.

    Raises
    ------
    MetricError
        A shape is not (n, 2) or (n, 3), they differ in d, or a coordinate is NaN or infinite.
    """
    first, second = checked_pair("reconstruction", reconstruction, "reference", reference)
    to_reference, in_reference = find_nearest(first, second, device=device)
    to_reconstruction, in_reconstruction = find_nearest(second, first, device=device)
    return CloudMatches(to_reference, to_reconstruction, in_reference, in_reconstruction)


def checked_pair(
    name: str, values: npt.ArrayLike, other_name: str, other_values: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Two point sets as (n, d) and (m, d) float64, d 2 or 3; the names are for what is wrong.

    Raises
    ------
    MetricError
        See ``match_clouds``.
    """
    first, second = checked_points(name, values), checked_points(other_name, other_values)
    if first.shape[1] != second.shape[1]:
        raise MetricError(
            f"{name} and {other_name} must have equally many coordinates, "
            f"got {first.shape[1]} and {second.shape[1]}"
        )
    return first, second


def checked_points(name: str, values: npt.ArrayLike) -> Floats:
    """A point set as (n, d) float64, d 2 or 3; errors as ``checked_pair``."""
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise MetricError(f"{name} must have shape (n, 2) or (n, 3), got {points.shape}")
    if not np.isfinite(points).all():
        raise MetricError(f"{name} must be finite, got NaN or infinity")
    return points


def check_threshold(threshold: float) -> None:
    """Refuse a distance, for ``fscore``, that is not positive and finite."""
    if not 0 < threshold < float("inf"):
        raise MetricError(f"threshold must be positive and finite, got {threshold}")
