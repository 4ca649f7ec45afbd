"""Image errors with known values, and sparse equal to dense."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import MetricError, psnr_sparse
from eval.metrics import mse, mse_sparse, psnr
from geom_miner.grid import BlockGrid, SparseBlocks


@given(st.floats(1e-3, 1))
def test_a_constant_error_has_a_known_psnr(error: float) -> None:
    target = np.linspace(0, 1, 60).reshape(4, 5, 3)
    # 20 log10 of the error; forming and removing the sum rounds at 1e-16 of values up to 2.
    assert psnr(target + error, target) == pytest.approx(-20 * math.log10(error), abs=1e-9)


def test_the_mean_runs_over_pixels_and_channels() -> None:
    target = np.zeros((2, 2, 3))
    prediction = target.copy()
    prediction[0, 1, 2] = 0.6
    assert mse(prediction, target) == pytest.approx(0.36 / 12, rel=1e-15)


def test_identical_images_have_infinite_psnr() -> None:
    image = np.random.default_rng(0).random((5, 4, 3)).astype(np.float32)
    assert mse(image, image) == 0
    assert psnr(image, image) == math.inf


def test_float32_errors_are_summed_in_double() -> None:
    target = np.zeros(3_000_000, dtype=np.float32)
    assert mse(target + np.float32(0.1), target) == pytest.approx(
        float(np.float32(0.1)) ** 2, rel=1e-12
    )


def test_inputs_are_left_alone() -> None:
    prediction, target = np.random.default_rng(1).random((2, 4, 5, 3))
    copies = prediction.copy(), target.copy()
    assert psnr(prediction, target) == psnr(prediction, target)
    assert np.array_equal(prediction, copies[0])
    assert np.array_equal(target, copies[1])


@settings(max_examples=25, deadline=None)
@given(
    shape=st.sampled_from([(6, 10), (8, 8), (4, 6, 10)]),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 1000),
)
def test_sparse_equals_dense(shape: tuple[int, ...], channels: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(*shape, channels, generator=generator)
    prediction = torch.rand(*shape, channels, generator=generator)
    # Constant halves let some blocks be constant in one signal or in both.
    target[: shape[0] // 2 + 1], prediction[:4] = 0.25, 0.75
    layout = BlockGrid.covering(shape, (4,) * len(shape))
    sparse = [SparseBlocks.from_dense(x, layout) for x in (prediction, target)]
    assert mse_sparse(*sparse, shape=shape) == pytest.approx(mse(prediction, target), rel=1e-12)
    assert psnr_sparse(*sparse, shape=shape) == pytest.approx(psnr(prediction, target), rel=1e-12)


@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (np.ones((2, 3)), np.ones((3, 2)), "one shape"),
        (np.ones((0, 3)), np.ones((0, 3)), "at least one value"),
        (np.full(3, np.nan), np.ones(3), "finite"),
        (np.full(3, np.inf), np.full(3, np.inf), "finite"),
        (np.ones(3, dtype=np.uint8), np.ones(3), "floating point"),
    ],
)
def test_bad_inputs_are_refused(prediction: np.ndarray, target: np.ndarray, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        psnr(prediction, target)


def test_sparse_signals_of_other_channels_are_refused() -> None:
    layout = BlockGrid.covering((4, 4), (4, 4))
    gray, color = (SparseBlocks.from_dense(torch.rand(4, 4, c), layout) for c in (1, 3))
    with pytest.raises(MetricError, match="equally many channels"):
        mse_sparse(gray, color, shape=(4, 4))
