"""Distances between two sampled surfaces.

A is the reconstruction's point set, B the reference's; d(p, S) is the Euclidean distance from p
to the nearest point of S. The names say which convention holds: ``_l1`` means the unsquared and
``_l2`` the squared distance, each halved over the two directions; ``_sum_sq`` is the sum instead.

Empty sets: when exactly one set is empty every distance is infinite and every score is 0; when
both are empty every distance is 0 and every score is 1, as for intersection over union. NaN and
infinite coordinates are refused. No input is changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from eval.errors import MetricError
from eval.metrics.sampling import SurfaceSamples, sample_surface
from geom_miner import TriangleMesh

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
        _check_threshold(threshold)
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


def match_clouds(reconstruction: npt.ArrayLike, reference: npt.ArrayLike) -> CloudMatches:
    """Find nearest neighbors both ways; use it to get several metrics for one search.

    Parameters
    ----------
    reconstruction, reference : (a, 3) and (b, 3), one unit of length.

    Raises
    ------
    MetricError
        A shape is not (n, 3) or a coordinate is NaN or infinite.
    """
    first, second = _points("reconstruction", reconstruction), _points("reference", reference)
    to_reference, in_reference = _nearest(first, second)
    to_reconstruction, in_reconstruction = _nearest(second, first)
    return CloudMatches(to_reference, to_reconstruction, in_reference, in_reconstruction)


def acc(reconstruction: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Accuracy: mean distance from reconstruction points to the reference."""
    return match_clouds(reconstruction, reference).acc


def comp(reconstruction: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Completeness: mean distance from reference points to the reconstruction."""
    return match_clouds(reconstruction, reference).comp


def chamfer_l1(reconstruction: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Half the sum of ``acc`` and ``comp``; unsquared."""
    return match_clouds(reconstruction, reference).chamfer_l1


def chamfer_l2(reconstruction: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Half the sum of the two mean squared distances; in squared units."""
    return match_clouds(reconstruction, reference).chamfer_l2


def chamfer_sum_sq(reconstruction: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Sum, not half of it, of the two mean squared distances: the form of ACORN and DeepSDF."""
    return match_clouds(reconstruction, reference).chamfer_sum_sq


def hausdorff(reconstruction: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Largest distance of any point to the other set."""
    return match_clouds(reconstruction, reference).hausdorff


def fscore(reconstruction: npt.ArrayLike, reference: npt.ArrayLike, *, threshold: float) -> float:
    """2PR/(P+R): shares of points within ``threshold`` (inclusive) of the other set."""
    return match_clouds(reconstruction, reference).fscore(threshold)


def normal_consistency(reconstruction: SurfaceSamples, reference: SurfaceSamples) -> float:
    """Mean absolute cosine of nearest points' normals; flipped normals are not penalized."""
    for name, samples in (("reconstruction", reconstruction), ("reference", reference)):
        if _points(f"{name} normals", samples.normals).shape != np.shape(samples.points):
            raise MetricError(f"{name} must have one normal per point")
    matches = match_clouds(reconstruction.points, reference.points)
    return matches.normal_consistency(reconstruction.normals, reference.normals)


def one_sided_scan_chamfer(scan: npt.ArrayLike, reconstruction: npt.ArrayLike) -> float:
    """Mean distance from scan points to the reconstruction, this direction only."""
    distances = _scan_distances(scan, reconstruction)
    return float(distances.mean()) if len(distances) else 0.0


def one_sided_scan_hausdorff(scan: npt.ArrayLike, reconstruction: npt.ArrayLike) -> float:
    """Largest distance from a scan point to the reconstruction, this direction only."""
    return float(_scan_distances(scan, reconstruction).max(initial=0.0))


def surface_metrics(
    reconstruction: TriangleMesh,
    reference: TriangleMesh,
    *,
    threshold: float,
    samples: int = 1_000_000,
    seed: int = 0,
) -> dict[str, float]:
    """Compare two meshes by points drawn on each; one neighbor search serves all metrics.

    The two point sets are independent, so equal surfaces do not give 0 but the distance of two
    samplings, which is returned as ``sampling_distance``: 1/2 sqrt(area / samples), the expected
    distance to the nearest of points spread at random over a plane. Time grows with the distance:
    seconds for a million samples of near surfaces, minutes for surfaces that share nothing.

    Parameters
    ----------
    threshold : for ``fscore``, in world units, > 0.
    samples : points on each mesh; the largest distances depend on it.
    seed : the same seed gives the same numbers.

    Returns
    -------
    dict with acc, comp, chamfer_l1, chamfer_l2, chamfer_sum_sq, hausdorff (world units; squared
    for chamfer_l2 and chamfer_sum_sq), normal_consistency, fscore, sampling_distance.
    """
    _check_threshold(threshold)
    if seed < 0:
        raise MetricError(f"seed must be >= 0, got {seed}")
    seed_a, seed_b = np.random.SeedSequence(seed).spawn(2)
    first = sample_surface(reconstruction, samples, seed_a)
    second = sample_surface(reference, samples, seed_b)
    matches = match_clouds(first.points, second.points)
    return {
        "acc": matches.acc,
        "comp": matches.comp,
        "chamfer_l1": matches.chamfer_l1,
        "chamfer_l2": matches.chamfer_l2,
        "chamfer_sum_sq": matches.chamfer_sum_sq,
        "hausdorff": matches.hausdorff,
        "normal_consistency": matches.normal_consistency(first.normals, second.normals),
        "fscore": matches.fscore(threshold),
        "sampling_distance": 0.5 * float(np.sqrt(reference.area / samples)),
    }


def _scan_distances(scan: npt.ArrayLike, reconstruction: npt.ArrayLike) -> Floats:
    """Distance of each scan point; an empty scan is infinitely far from a surface."""
    points, surface = _points("scan", scan), _points("reconstruction", reconstruction)
    if len(surface) and not len(points):
        return np.array([np.inf])
    return _nearest(points, surface)[0]


def _nearest(points: Floats, cloud: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Distance to and index of the nearest cloud point, for each point."""
    if not len(cloud):
        return np.full(len(points), np.inf), np.full(len(points), -1, dtype=np.int64)
    # Plain midpoint splits build twice as fast as balanced, tightened ones, answer as fast for
    # near surfaces and in half the time for far ones.
    tree = cKDTree(cloud, balanced_tree=False, compact_nodes=False)
    distances, indices = tree.query(points, workers=-1)
    return np.asarray(distances), np.asarray(indices, dtype=np.int64)


def _points(name: str, values: npt.ArrayLike) -> Floats:
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise MetricError(f"{name} must have shape (n, 3), got {points.shape}")
    if not np.isfinite(points).all():
        raise MetricError(f"{name} must be finite, got NaN or infinity")
    return points


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold < float("inf"):
        raise MetricError(f"threshold must be positive and finite, got {threshold}")
