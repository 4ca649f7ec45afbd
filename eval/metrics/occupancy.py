"""Intersection over union of occupancies on a grid."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from eval.errors import MetricError
from geom_miner.grid import (
    BlockGrid,
    SparseBlocks,
    doubled,
    paired_samples,
    upsample_blocks,
    varying_when_upsampled,
)


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
    """The same ratio for sparse occupancies of one layout, without building dense arrays.

    Parameters
    ----------
    prediction, target : occupancies with one channel each.
    shape : samples per axis without padding, which does not count.
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


def iou_off_grid(
    prediction: SparseBlocks,
    truth: SparseBlocks,
    *,
    shape: tuple[int, ...],
    threshold: float = 0.5,
    chunk: int = 256,
) -> float:
    """IoU between the samples: a prediction, interpolated to half its spacing, against the truth.

    Parameters
    ----------
    prediction, truth : one channel each; the truth has twice as many samples along every axis.
    shape : samples of the truth per axis, without padding.
    threshold : cuts the prediction.
    chunk : number of blocks that are interpolated at once.
    """
    _check_threshold(threshold)
    ndim = prediction.layout.ndim
    layout = BlockGrid(
        tuple(2 * n for n in prediction.layout.counts), prediction.layout.block_shape
    )
    truth = truth.extended(layout)
    varying = torch.cat([varying_when_upsampled(prediction), truth.ids]).sort().values
    varying = torch.unique_consecutive(varying)
    # Blocks that contain only padding have no weight.
    varying = varying[(layout.starts_of(varying) < torch.tensor(shape)).all(dim=1)]
    inside, true = doubled(prediction.constants) >= threshold, truth.constants >= 0.5
    weight = _samples_without_padding(layout, shape)
    weight[tuple(layout.coordinates_of(varying).T)] = 0
    intersection = int(weight[(inside & true)[..., 0]].sum())
    union = int(weight[(inside | true)[..., 0]].sum())
    local = torch.cartesian_prod(*[torch.arange(n) for n in layout.block_shape]).reshape(-1, ndim)
    for first in range(0, len(varying), chunk):
        ids = varying[first : first + chunk]
        within = (layout.starts_of(ids)[:, None] + local < torch.tensor(shape)).all(dim=2)
        p = (upsample_blocks(prediction, layout, ids)[..., 0] >= threshold) & within
        g = (truth.read_blocks(ids)[..., 0] >= 0.5) & within
        intersection += int((p & g).sum())
        union += int((p | g).sum())
    return _ratio(intersection, union)


def _samples_without_padding(layout: BlockGrid, shape: tuple[int, ...]) -> Tensor:
    """Number of samples of each block, (*counts), that are not padding."""
    weight = torch.ones((), dtype=torch.int64)
    for count, size, n in zip(layout.counts, layout.block_shape, shape, strict=True):
        along = (n - torch.arange(count) * size).clamp(0, size)
        weight = weight[..., None] * along
    return weight


def _ratio(intersection: int, union: int) -> float:
    return intersection / union if union else 1.0


def _check_threshold(threshold: float) -> None:
    if not math.isfinite(threshold):
        raise MetricError(f"threshold must be finite, got {threshold}")
