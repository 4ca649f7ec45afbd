"""Colors of distances: round scales, and darker with the distance."""

from __future__ import annotations

import numpy as np
import pytest

from eval.pictures import ErrorScale, scale_for


def test_scales_are_round_and_hold_what_they_are_for() -> None:
    good, bad = np.geomspace(0.003, 0.03, 100), np.geomspace(0.5, 7.0, 100)
    scale = scale_for([good, bad], unit="voxels", length=0.1)
    assert (scale.low, scale.high) == (0.1, 100.0)
    assert scale_for([good * 0], unit="voxels", length=1.0).low > 0
    # Three powers of ten at most: the near end gives way.
    wide = scale_for([good * 1e-6, bad], unit="voxels", length=0.1)
    assert wide.high / wide.low == pytest.approx(1000)
    assert wide.ticks[0] == (0.0, "≤ 0.1")
    assert wide.ticks[-1] == (1.0, "≥ 100")


def test_colors_get_darker_with_the_distance_and_keep_to_the_ends() -> None:
    scale = ErrorScale(0.1, 10.0, "voxels", 0.5)
    values = np.array([0.0, 0.05, 0.2, 1.0, 5.0, 1e6]) * 1.0
    light = scale.colors(values) @ np.array([0.2126, 0.7152, 0.0722])
    assert light[0] == light[1]
    assert light[4] == light[5]
    assert (np.diff(light[1:5]) < 0).all()
    bar = np.array(scale.stops) @ np.array([0.2126, 0.7152, 0.0722])
    assert bar.shape == (13,)
    assert (np.diff(bar) < 0).all()
    assert bar[0] / 255 == pytest.approx(light[0], abs=0.01)
