"""Compare two meshes by exact distances from points on one to the triangles of the other.

Equal surfaces are at distance 0, unlike in ``surface``, which compares points with points.
"""

from __future__ import annotations

import math

import numpy as np

from eval.errors import MetricError
from eval.metrics.matches import check_threshold
from eval.metrics.source_error import SourceErrors, source_errors
from geom_miner import TriangleMesh

# Sizes are unlike if one is at least this many times the other. Where the smaller mesh lies in the
# middle of the larger one, all triangles are about equally far from its points, so that a search
# looks at most of them.
UNLIKE_SIZES = 30.0
# Pairs of a point and a triangle in a comparison of unlike sizes: half a minute on one core at
# most.
MOST_PAIRS = 1 << 26
# Points on each mesh in such a comparison, at least.
FEWEST_POINTS = 30


def both_ways(
    reconstruction: TriangleMesh, reference: TriangleMesh, *, samples: int, seed: int = 0
) -> tuple[SourceErrors, SourceErrors]:
    """Errors of points on the reconstruction, and of points on the reference.

    Parameters
    ----------
    samples, seed : points drawn on each mesh, uniform in area.
    """
    return (
        source_errors(reconstruction, reference, samples=samples, seed=seed),
        source_errors(reference, reconstruction, samples=samples, seed=seed),
    )


def affordable_samples(samples: int, reconstruction: TriangleMesh, reference: TriangleMesh) -> int:
    """Points to draw on each mesh, so that the time to compare them stays bounded.

    They are fewer than ``samples`` only for meshes of unlike sizes: there a search for the nearest
    triangle may look at most triangles.
    """
    ratio = size_ratio(reconstruction, reference)
    if max(ratio, 1 / ratio) < UNLIKE_SIZES:
        return samples
    pairs = MOST_PAIRS // max(len(reconstruction.faces), len(reference.faces))
    return min(samples, max(FEWEST_POINTS, pairs))


def size_ratio(reconstruction: TriangleMesh, reference: TriangleMesh) -> float:
    """Diagonal of the reconstruction's bounding box over that of the reference's."""
    first, second = (
        float(np.linalg.norm(np.subtract(*mesh.bounds))) for mesh in (reconstruction, reference)
    )
    return first / second


def triangle_metrics(
    forward: SourceErrors, backward: SourceErrors, *, threshold: float
) -> dict[str, float]:
    """The metrics of ``surface_metrics``, with distances to triangles instead of to samples.

    Parameters
    ----------
    forward, backward : returned by ``both_ways``.
    threshold : for the F-score, in world units, > 0.

    Returns
    -------
    dict with acc_triangles, comp_triangles, chamfer_l1_triangles and its standard error
    chamfer_l1_triangles_error, hausdorff_triangles, chamfer_l2_triangles (in squared units),
    normal_consistency_triangles and fscore_triangles. The largest distance is that of the points
    drawn, so that a peak between them is missed.

    Raises
    ------
    MetricError
        A mesh has no area, or the threshold is not positive and finite.
    """
    check_threshold(threshold)
    sides = [errors.distances for errors in (forward, backward)]
    if not all(map(len, sides)):
        raise MetricError("both meshes must have an area to be compared")
    acc, comp = (float(side.mean()) for side in sides)
    precision, recall = (float((side <= threshold).mean()) for side in sides)
    cosines = [np.abs(np.cos(np.radians(errors.angles))) for errors in (forward, backward)]
    return {
        "acc_triangles": acc,
        "comp_triangles": comp,
        "chamfer_l1_triangles": 0.5 * (acc + comp),
        "chamfer_l1_triangles_error": 0.5
        * math.sqrt(sum(float(side.var()) / len(side) for side in sides)),
        "hausdorff_triangles": float(max(side.max() for side in sides)),
        "chamfer_l2_triangles": 0.5 * sum(float(np.square(side).mean()) for side in sides),
        "normal_consistency_triangles": 0.5 * sum(float(side.mean()) for side in cosines),
        "fscore_triangles": 2 * precision * recall / (precision + recall)
        if precision + recall
        else 0.0,
    }
