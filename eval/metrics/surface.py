"""Distances between two sampled surfaces.

A is the reconstruction's point set, B the reference's; d(p, S) is the Euclidean distance from p
to the nearest point of S. The names say which convention holds: ``_l1`` means the unsquared and
``_l2`` the squared distance, each halved over the two directions; ``_sum_sq`` is the sum instead.

Empty sets: when exactly one set is empty every distance is infinite and every score is 0; when
both are empty every distance is 0 and every score is 1, as for intersection over union. NaN and
infinite coordinates are refused. No input is changed. Points have two coordinates or three.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eval.clouds.point_cloud import PointCloud
from eval.errors import MetricError
from eval.metrics.matches import CloudMatches as CloudMatches
from eval.metrics.matches import check_threshold, checked_pair, checked_points
from eval.metrics.matches import match_clouds as match_clouds
from eval.metrics.nearest import find_nearest
from eval.metrics.sampling import SurfaceSamples, sample_surface
from geom_miner import TriangleMesh

Floats = npt.NDArray[np.float64]
Oriented = SurfaceSamples | PointCloud


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


def normal_consistency(reconstruction: Oriented, reference: Oriented) -> float:
    """Mean absolute cosine of nearest points' normals; flipped normals are not penalized.

    Raises
    ------
    MetricError
        A set has no normals, or not one for every point.
    """
    normals = _normals("reconstruction", reconstruction), _normals("reference", reference)
    return match_clouds(reconstruction.points, reference.points).normal_consistency(*normals)


def one_sided_scan_chamfer(scan: npt.ArrayLike, reconstruction: npt.ArrayLike) -> float:
    """Mean distance from scan points to the reconstruction, this direction only."""
    distances = _scan_distances(scan, reconstruction)
    return float(distances.mean()) if len(distances) else 0.0


def one_sided_scan_hausdorff(scan: npt.ArrayLike, reconstruction: npt.ArrayLike) -> float:
    """Largest distance from a scan point to the reconstruction, this direction only."""
    return float(_scan_distances(scan, reconstruction).max(initial=0.0))


def scan_metrics(
    scan: PointCloud,
    reconstruction: TriangleMesh,
    samples: int = 1_000_000,
    seed: int = 0,
    *,
    device: str = "cpu",
) -> dict[str, float]:
    """How far a scan lies from a reconstruction, this direction only.

    The reconstruction stands for itself by ``samples`` points drawn on it, a million in the
    protocol of the Surface Reconstruction Benchmark: a scan that lies on it exactly is at
    ``sampling_distance``. A reconstruction without area is infinitely far.

    Returns
    -------
    dict with one_sided_scan_chamfer, one_sided_scan_hausdorff, sampling_distance (see
    ``surface_metrics``), world units.
    """
    drawn = sample_surface(reconstruction, samples, _seeds(seed)[0])
    distances = _scan_distances(scan.points, drawn.points, device)
    return {
        "one_sided_scan_chamfer": float(distances.mean()),
        "one_sided_scan_hausdorff": float(distances.max()),
        "sampling_distance": _sampling_distance(reconstruction, samples),
    }


def surface_metrics(
    reconstruction: TriangleMesh,
    reference: TriangleMesh,
    *,
    threshold: float,
    samples: int = 1_000_000,
    seed: int = 0,
    device: str = "cpu",
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
    device : where to search for neighbors, cpu or cuda; see ``find_nearest``.

    Returns
    -------
    dict with acc, comp, chamfer_l1, chamfer_l2, chamfer_sum_sq, hausdorff (world units; squared
    for chamfer_l2 and chamfer_sum_sq), normal_consistency, fscore, sampling_distance.
    """
    check_threshold(threshold)
    seed_a, seed_b = _seeds(seed)
    first = sample_surface(reconstruction, samples, seed_a)
    second = sample_surface(reference, samples, seed_b)
    found = _two_sided(first, second, threshold, device)
    return found | {"sampling_distance": _sampling_distance(reference, samples)}


def cloud_metrics(
    reconstruction: TriangleMesh,
    reference: PointCloud,
    *,
    threshold: float,
    samples: int = 1_000_000,
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, float]:
    """Compare a mesh with a cloud that covers the true surface, both ways; all points are taken.

    What the Surface Reconstruction Benchmark does with its dense ground truth. For a scan, which
    leaves parts of the surface out, take ``scan_metrics``. Arguments as ``surface_metrics``.

    Returns
    -------
    The entries of ``surface_metrics``, without normal_consistency if the cloud has no normals;
    sampling_distance is that of the points on the reconstruction.
    """
    check_threshold(threshold)
    first = sample_surface(reconstruction, samples, _seeds(seed)[0])
    found = _two_sided(first, reference, threshold, device)
    return found | {"sampling_distance": _sampling_distance(reconstruction, samples)}


def _two_sided(
    first: SurfaceSamples, second: Oriented, threshold: float, device: str
) -> dict[str, float]:
    matches = match_clouds(first.points, second.points, device=device)
    found = {
        "acc": matches.acc,
        "comp": matches.comp,
        "chamfer_l1": matches.chamfer_l1,
        "chamfer_l2": matches.chamfer_l2,
        "chamfer_sum_sq": matches.chamfer_sum_sq,
        "hausdorff": matches.hausdorff,
    }
    if second.normals is not None:
        found["normal_consistency"] = matches.normal_consistency(first.normals, second.normals)
    return found | {"fscore": matches.fscore(threshold)}


def _sampling_distance(mesh: TriangleMesh, samples: int) -> float:
    return 0.5 * float(np.sqrt(mesh.area / samples))


def _seeds(seed: int) -> list[np.random.SeedSequence]:
    """One for the reconstruction, one for the reference."""
    if seed < 0:
        raise MetricError(f"seed must be >= 0, got {seed}")
    return np.random.SeedSequence(seed).spawn(2)


def _scan_distances(
    scan: npt.ArrayLike, reconstruction: npt.ArrayLike, device: str = "cpu"
) -> Floats:
    """Distance of each scan point; an empty scan is infinitely far from a surface."""
    points, surface = checked_pair("scan", scan, "reconstruction", reconstruction)
    if len(surface) and not len(points):
        return np.array([np.inf])
    return find_nearest(points, surface, device=device)[0]


def _normals(name: str, points: Oriented) -> Floats:
    if points.normals is None:
        raise MetricError(f"{name} must have normals; estimate them or drop this metric")
    normals = checked_points(f"{name} normals", points.normals)
    if normals.shape != np.shape(points.points):
        raise MetricError(f"{name} must have one normal per point")
    return normals
