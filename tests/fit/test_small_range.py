"""An image that uses a small range is fitted as if it were stretched to [0, 1]."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geom_miner.fit import FitSettings, fit_signal, image_quality
from geom_miner.fit.psnr_goal import ImageQuality
from geom_miner.grid.target import Target
from geom_miner.media.image_signal import ImageSignal
from geom_miner.targets.image import image_target

SETTINGS = FitSettings(
    scales=2, block_size=8, width=8, steps=60, coarse_steps=60, learning_rate=5e-3
)
Y, X = np.meshgrid(np.linspace(0, 1, 24), np.linspace(0, 1, 40), indexing="ij")
WAVES = (0.5 + 0.5 * np.sin(7 * X) * np.cos(5 * Y)).astype(np.float32)
WAVES = (WAVES - WAVES.min()) / (WAVES.max() - WAVES.min())


def target_of(samples: np.ndarray) -> Target:
    image = ImageSignal(samples[..., None].astype(np.float32), 16)
    return image_target(image, scales=2, block_size=8)


@pytest.mark.parametrize("start", ["siren", "parent"])
def test_a_faint_image_is_as_good_as_the_stretched_one(start: str) -> None:
    settings = FitSettings(**{**SETTINGS.__dict__, "start": start})
    extent, lowest = 1 / 64, 0.75
    plain, faint = target_of(WAVES), target_of(lowest + extent * WAVES)
    assert (plain.units, plain.base, plain.info.value_range) == ((1.0, 1.0), (), None)
    assert faint.units == pytest.approx((extent, extent), rel=1e-4)
    assert faint.info.value_range == faint.units[0]
    qualities = []
    for target in (plain, faint):
        model = fit_signal(target, settings, backend="reference")
        quality = image_quality(model, target, settings)
        qualities.append(quality.psnr)
        # Blocks of the model's own values, not stretched ones.
        decoded = model.decode(0).to_dense((24, 40)).numpy()
        values = target.scales[0].to_dense((24, 40)).numpy()
        assert np.abs(decoded - values).max() < 0.2 * target.units[0]
    assert qualities[1] == pytest.approx(qualities[0], abs=0.5)


def test_an_ordinary_image_has_the_digest_that_it_had() -> None:
    target = target_of(WAVES)
    assert (target.units, target.base) == ((1.0, 1.0), ())
    assert Target(**{**target.__dict__, "base": (0.0,)}).content_digest() != target.content_digest()


def test_a_missed_goal_is_said() -> None:
    assert FitSettings().psnr_goal == pytest.approx(40)
    assert FitSettings(block_tolerance=0.0).psnr_goal is None
    missed = ImageQuality(20.04, 40.0)
    assert missed.is_missed
    assert missed.describe().startswith(
        "The finest level of detail has 20.0 dB, goal 40.0 dB: the goal"
    )
    assert ImageQuality(41.0, 40.0).describe() == (
        "The finest level of detail has 41.0 dB, goal 40.0 dB."
    )
    assert (
        ImageQuality(math.inf, 40.0).describe() == "The finest level of detail equals the picture."
    )
