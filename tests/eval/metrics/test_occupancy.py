"""Intersection over union: counted by hand, its symmetries, and sparse equal to dense."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import MetricError, iou_voxel_sparse
from eval.metrics import iou_off_grid, iou_voxel
from geom_miner.grid import BlockGrid, SparseBlocks, upsample


def volumes(shape: tuple[int, ...], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A binary target with constant regions, and a noisy prediction of it."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    target = (sum(x * x for x in axes) < rng.uniform(0, 1.5)).astype(np.float32)
    noisy = target + rng.normal(0, 0.4, shape) * (axes[0] > 0)
    return torch.from_numpy(noisy.astype(np.float32)), torch.from_numpy(target)


def test_counted_by_hand() -> None:
    prediction = np.array([[0.9, 0.45, 0.4, 0.0], [0.3, 1.2, -1.0, 0.5]])
    target = np.array([[1, 0, 1, 0], [1, 1, 0, 0.5]])
    assert iou_voxel(prediction, target, threshold=0.4) == 4 / 6
    assert iou_voxel(prediction, target, threshold=0.5) == 3 / 5


def test_two_empty_sets_agree_and_one_empty_set_does_not() -> None:
    nothing, everything = np.zeros((2, 3)), np.ones((2, 3))
    assert iou_voxel(nothing, nothing, threshold=0.5) == 1
    assert iou_voxel(nothing, everything, threshold=0.5) == 0
    assert iou_voxel(everything, nothing, threshold=0.5) == 0
    assert iou_voxel(np.zeros((0, 3)), np.zeros((0, 3)), threshold=0.5) == 1


@given(st.integers(0, 2**32 - 1))
def test_bounded_symmetric_and_one_only_for_equal_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 3, 4)) < rng.random((2, 1, 1))
    value = iou_voxel(a, b, threshold=0.5)
    assert 0 <= value <= 1
    assert value == iou_voxel(b, a, threshold=0.5)
    assert (value == 1) == np.array_equal(a, b)


def test_the_prediction_is_not_thresholded_in_place() -> None:
    prediction, target = volumes((4, 5, 6), 0)
    copies = prediction.clone(), target.clone()
    first, again = (iou_voxel(prediction, target, threshold=0.4) for _ in range(2))
    assert first == again
    assert torch.equal(prediction, copies[0])
    assert torch.equal(target, copies[1])


@settings(max_examples=25, deadline=None)
@given(
    shape=st.sampled_from([(7, 10), (8, 8), (5, 6, 9), (8, 4, 12)]),
    seed=st.integers(0, 1000),
    threshold=st.sampled_from([0.2, 0.4, 0.5]),
)
def test_sparse_equals_dense(shape: tuple[int, ...], seed: int, threshold: float) -> None:
    prediction, target = volumes(shape, seed)
    layout = BlockGrid.covering(shape, (4,) * len(shape))
    sparse = [SparseBlocks.from_dense(x[..., None], layout) for x in (prediction, target)]
    values = [s.values.clone() for s in sparse]
    iou = iou_voxel_sparse(*sparse, shape=shape, threshold=threshold)
    assert iou == iou_voxel(prediction, target, threshold=threshold)
    assert all(torch.equal(s.values, v) for s, v in zip(sparse, values, strict=True))


@settings(max_examples=25, deadline=None)
@given(
    shape=st.sampled_from([(7, 10), (8, 8), (5, 6, 9), (8, 4, 12)]),
    seed=st.integers(0, 1000),
    chunk=st.sampled_from([1, 5, 256]),
)
def test_off_grid_equals_dense_interpolation(shape: tuple[int, ...], seed: int, chunk: int) -> None:
    """A prediction upsampled as a whole, against a truth of twice as many samples."""
    finer = tuple(2 * n - 1 for n in shape)
    prediction, _ = volumes(shape, seed)
    _, truth = volumes(finer, seed + 1)
    blocks = (4,) * len(shape)
    coarse = SparseBlocks.from_dense(prediction[..., None], BlockGrid.covering(shape, blocks))
    fine = SparseBlocks.from_dense(truth[..., None], BlockGrid.covering(finer, blocks))
    dense = upsample(coarse).to_dense(finer)[..., 0]
    iou = iou_off_grid(coarse, fine, shape=finer, chunk=chunk)
    assert iou == iou_voxel(dense, truth, threshold=0.5)


def test_bad_inputs_are_refused() -> None:
    with pytest.raises(MetricError, match="one shape"):
        iou_voxel(np.ones((2, 3)), np.ones((3, 2)), threshold=0.5)
    with pytest.raises(MetricError, match="prediction must not hold NaN"):
        iou_voxel(np.full(3, np.nan), np.ones(3), threshold=0.5)
    with pytest.raises(MetricError, match="threshold must be finite"):
        iou_voxel(np.ones(3), np.ones(3), threshold=float("nan"))
    layout = BlockGrid.covering((4, 4), (4, 4))
    color = SparseBlocks.from_dense(torch.rand(4, 4, 3), layout)
    with pytest.raises(MetricError, match="one channel"):
        iou_voxel_sparse(color, color, shape=(4, 4), threshold=0.5)
    hollow = SparseBlocks.from_dense(torch.full((4, 4, 1), torch.nan), layout)
    with pytest.raises(MetricError, match="NaN"):
        iou_voxel_sparse(hollow, hollow, shape=(4, 4), threshold=0.5)
