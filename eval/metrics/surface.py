"""Compare a mesh with a mesh, a dense cloud or a scan, by points drawn on the mesh.

``CloudMatches`` defines the metrics.
"""

from __future__ import annotations

import numpy as np

from eval.clouds.point_cloud import PointCloud
from eval.errors import MetricError
from eval.metrics.matches import check_threshold, match_clouds
from eval.metrics.nearest import find_nearest
from eval.metrics.sampling import SurfaceSamples, sample_surface
from geom_miner import TriangleMesh


def scan_metrics(
    scan: PointCloud,
    reconstruction: TriangleMesh,
    samples: int = 1_000_000,
    seed: int = 0,
    *,
    device: str = "cpu",
) -> dict[str, float]:
    """How far a scan lies from a reconstruction, in this direction only.

    Distances are measured to ``samples`` points drawn on the reconstruction, one million in the
    protocol of the Surface Reconstruction Benchmark. So a scan that lies exactly on the surface is
    at ``sampling_distance``. A reconstruction without area is infinitely far away.

    Returns
    -------
    dict with one_sided_scan_chamfer (the mean distance), one_sided_scan_hausdorff (the largest)
    and sampling_distance (see ``surface_metrics``), in world units.
    """
    drawn = sample_surface(reconstruction, samples, _seeds(seed)[0])
    distances, _ = find_nearest(scan.points, drawn.points, device=device)
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
    """Compare two meshes by points drawn on each of them.

    The two point sets are independent, so equal surfaces are not at distance 0 but at
    ``sampling_distance``: 1/2 sqrt(area / samples), the expected distance to the nearest of points
    spread at random over a plane. The search takes longer the farther the surfaces are apart:
    seconds for a million samples of close surfaces, minutes for surfaces that share nothing.

    Parameters
    ----------
    threshold : for ``fscore``, in world units, > 0.
    samples : points on each mesh; the largest distances depend on it.
    seed : the same seed gives the same numbers.
    device : where to search for neighbors, cpu or cuda; see ``find_nearest``.

    Returns
    -------
    dict with acc, comp, chamfer_l1, chamfer_l2, chamfer_sum_sq, hausdorff (in world units, squared
    for chamfer_l2 and chamfer_sum_sq), normal_consistency, fscore, sampling_distance.
    """
    check_threshold(threshold)
    seed_a, seed_b = _seeds(seed)
    first = sample_surface(reconstruction, samples, seed_a)
    second = sample_surface(reference, samples, seed_b)
    metrics = _two_sided(first, second, threshold, device)
    return metrics | {"sampling_distance": _sampling_distance(reference, samples)}


def cloud_metrics(
    reconstruction: TriangleMesh,
    reference: PointCloud,
    *,
    threshold: float,
    samples: int = 1_000_000,
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, float]:
    """Compare a mesh with all points of a cloud that covers the true surface, in both directions.

    The Surface Reconstruction Benchmark does this with its dense ground truth. For a scan, which
    covers only parts of the surface, use ``scan_metrics``. For the arguments see
    ``surface_metrics``.

    Returns
    -------
    The entries of ``surface_metrics``, without normal_consistency if the cloud has no normals;
    sampling_distance refers to the points on the reconstruction.
    """
    check_threshold(threshold)
    first = sample_surface(reconstruction, samples, _seeds(seed)[0])
    metrics = _two_sided(first, reference, threshold, device)
    return metrics | {"sampling_distance": _sampling_distance(reconstruction, samples)}


def _two_sided(
    first: SurfaceSamples, second: SurfaceSamples | PointCloud, threshold: float, device: str
) -> dict[str, float]:
    matches = match_clouds(first.points, second.points, device=device)
    metrics = {
        "acc": matches.acc,
        "comp": matches.comp,
        "chamfer_l1": matches.chamfer_l1,
        "chamfer_l2": matches.chamfer_l2,
        "chamfer_sum_sq": matches.chamfer_sum_sq,
        "hausdorff": matches.hausdorff,
    }
    if second.normals is not None:
        metrics["normal_consistency"] = matches.normal_consistency(first.normals, second.normals)
    return metrics | {"fscore": matches.fscore(threshold)}


def _sampling_distance(mesh: TriangleMesh, samples: int) -> float:
    return 0.5 * float(np.sqrt(mesh.area / samples))


def _seeds(seed: int) -> list[np.random.SeedSequence]:
    """One seed for the reconstruction, and one for the reference."""
    if seed < 0:
        raise MetricError(f"seed must be >= 0, got {seed}")
    return np.random.SeedSequence(seed).spawn(2)
