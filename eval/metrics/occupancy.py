"""Intersection over union of occupancies on a grid."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from eval.errors import MetricError
from geom_miner import SparseBlocks, paired_samples


def iou_voxel(prediction: npt.ArrayLike, target: npt.ArrayLike, *, threshold: float) -> float:
    """count({p >= threshold} and {g >= 1/2}) / count({p >= threshold} or {g >= 1/2}).

    Two empty sets give 1. The inputs are not changed.

    Parameters
    ----------
    prediction, target : arrays or CPU tensors of one shape, any dimension.
    threshold : cuts the prediction; 0.5 is natural, 0.4 is the MINER paper's.

    Raises
    ------
    MetricError
        Shapes differ, or a value is NaN.
    """
    _check_threshold(threshold)
    p, g = np.asarray(prediction), np.asarray(target)
    if p.shape != g.shape:
        raise MetricError(f"prediction and target must have one shape, got {p.shape} and {g.shape}")
    for name, values in (("prediction", p), ("target", g)):
        if np.issubdtype(values.dtype, np.inexact) and np.isnan(values).any():
            raise MetricError(f"{name} must not hold NaN")
    inside, truth = p >= threshold, g >= 0.5
    return _ratio(int(np.count_nonzero(inside & truth)), int(np.count_nonzero(inside | truth)))


def iou_voxel_sparse(
    prediction: SparseBlocks, target: SparseBlocks, *, shape: tuple[int, ...], threshold: float
) -> float:
    """The same ratio for sparse occupancies of one layout, never built densely.

    Parameters
    ----------
    prediction, target : one channel each.
    shape : true samples per axis; what lies beyond is padding and does not count.
    threshold : cuts the prediction.
    """
    _check_threshold(threshold)
    if prediction.channels != 1 or target.channels != 1:
        raise MetricError(
            f"occupancies must have one channel, got {prediction.channels} and {target.channels}"
        )
    intersection = union = 0
    for p, g, weight in paired_samples(prediction, target, shape):
        if bool(p.isnan().any()) or bool(g.isnan().any()):
            raise MetricError("prediction and target must not hold NaN")
        inside, truth = p[:, 0] >= threshold, g[:, 0] >= 0.5
        intersection += int(weight[inside & truth].sum())
        union += int(weight[inside | truth].sum())
    return _ratio(intersection, union)


def _ratio(intersection: int, union: int) -> float:
    return intersection / union if union else 1.0


def _check_threshold(threshold: float) -> None:
    if not math.isfinite(threshold):
        raise MetricError(f"threshold must be finite, got {threshold}")
