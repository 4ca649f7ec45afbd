"""Nearest neighbors of two point sets in both directions, and the metrics that follow from them.

A is the reconstruction's point set, B the reference's; d(p, S) is the Euclidean distance from p
to the nearest point of S. The names say which convention holds: ``_l1`` means the unsquared and
``_l2`` the squared distance, each averaged over the two directions; ``_sum_sq`` is the sum instead.

Empty sets: if exactly one set is empty, every distance is infinite and every score is 0. If both
are empty, every distance is 0 and every score is 1, as for intersection over union. Points have
two or three coordinates; NaN and infinite coordinates are refused. No input is changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.errors import MetricError
from eval.metrics.nearest import SearchedPoints, find_nearest

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CloudMatches:
    """Nearest neighbors of two point sets in both directions; the metrics are its properties.

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
        """Accuracy: mean d(a, B) over the reconstruction's points."""
        return self._distance(self.to_reference)

    @property
    def comp(self) -> float:
        """Completeness: mean d(b, A) over the reference's points."""
        return self._distance(self.to_reconstruction)

    @property
    def chamfer_l1(self) -> float:
        """Half the sum of ``acc`` and ``comp``; unsquared."""
        return 0.5 * (self.acc + self.comp)

    @property
    def chamfer_sum_sq(self) -> float:
        """Sum, not half the sum, of the two mean squared distances, as in ACORN and DeepSDF."""
        squares = self._distance(np.square(self.to_reference))
        return squares + self._distance(np.square(self.to_reconstruction))

    @property
    def chamfer_l2(self) -> float:
        """Half the sum of the two mean squared distances; in squared units."""
        return 0.5 * self.chamfer_sum_sq

    @property
    def hausdorff(self) -> float:
        """Largest distance of any point to the other set."""
        if any(self._empty):
            return 0.0 if all(self._empty) else float("inf")
        return float(max(self.to_reference.max(), self.to_reconstruction.max()))

    def fscore(self, threshold: float) -> float:
        """Harmonic mean of the shares of points at most ``threshold`` from the other set."""
        check_threshold(threshold)
        if any(self._empty):
            return float(all(self._empty))
        precision = float((self.to_reference <= threshold).mean())
        recall = float((self.to_reconstruction <= threshold).mean())
        total = precision + recall
        return 2 * precision * recall / total if total else 0.0

    def normal_consistency(
        self, reconstruction_normals: Floats, reference_normals: Floats
    ) -> float:
        """Mean absolute cosine between nearest points' normals, averaged over both directions.

        Flipped normals are not penalized.

        Raises
        ------
        MetricError
            A set does not have one normal for every point.
        """
        a = _check_normals("reconstruction", reconstruction_normals, len(self.to_reference))
        b = _check_normals("reference", reference_normals, len(self.to_reconstruction))
        if any(self._empty):
            return float(all(self._empty))
        products = a * b[self.in_reference], b * a[self.in_reconstruction]
        return 0.5 * sum(float(np.abs(product.sum(axis=1)).mean()) for product in products)


def match_clouds(
    reconstruction: npt.ArrayLike | SearchedPoints,
    reference: npt.ArrayLike | SearchedPoints,
    *,
    device: str = "cpu",
) -> CloudMatches:
    """Find nearest neighbors in both directions; one search serves all metrics.

    Parameters
    ----------
    reconstruction, reference : (a, d) and (b, d), d 2 or 3, one unit of length. Give
        ``SearchedPoints`` for a set that is matched more than once.
    device : where to search, cpu or cuda; see ``find_nearest``.

    Raises
    ------
    MetricError
        A shape is not (n, 2) or (n, 3), they differ in d, or a coordinate is NaN or infinite.
    """
    first = _searched("reconstruction", reconstruction)
    second = _searched("reference", reference)
    coordinates = first.points.shape[1], second.points.shape[1]
    if coordinates[0] != coordinates[1]:
        raise MetricError(
            "reconstruction and reference must have equally many coordinates, "
            f"got {coordinates[0]} and {coordinates[1]}"
        )
    to_reference, in_reference = find_nearest(first, second, device=device)
    to_reconstruction, in_reconstruction = find_nearest(second, first, device=device)
    return CloudMatches(to_reference, to_reconstruction, in_reference, in_reconstruction)


def _searched(name: str, points: npt.ArrayLike | SearchedPoints) -> SearchedPoints:
    if isinstance(points, SearchedPoints):
        _check_points(name, points.points)
        return points
    return SearchedPoints(_check_points(name, points))


def _check_points(name: str, values: npt.ArrayLike) -> Floats:
    """A point set as (n, d) float64, d 2 or 3, finite."""
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise MetricError(f"{name} must have shape (n, 2) or (n, 3), got {points.shape}")
    if not np.isfinite(points).all():
        raise MetricError(f"{name} must be finite, got NaN or infinity")
    return points


def _check_normals(name: str, normals: Floats, count: int) -> Floats:
    checked = _check_points(f"{name} normals", normals)
    if len(checked) != count:
        raise MetricError(f"{name} must have one normal per point, got {len(checked)} for {count}")
    return checked


def check_threshold(threshold: float) -> None:
    """Refuse a distance for ``fscore`` that is not positive and finite."""
    if not 0 < threshold < float("inf"):
        raise MetricError(f"threshold must be positive and finite, got {threshold}")
