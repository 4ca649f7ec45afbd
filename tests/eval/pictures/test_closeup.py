"""Closer looks: the window of the greatest interest, at its true position in the world."""

from __future__ import annotations

import numpy as np
import pytest

from eval.pictures import View, render_mesh
from eval.pictures.closeup import closer_view, contrast, differences
from tests.shapes import box, joined, sphere

FRONT = View(azimuth=0, elevation=0)


def test_the_closer_look_is_around_the_window_of_most_interest() -> None:
    pytest.importorskip("embreex")
    # Seen from the front, a small ball lies to the right of a large one and above it.
    small = sphere(0.1, (2.0, 0.0, 1.2), subdivisions=3)
    both = joined(sphere(1.0, subdivisions=4), small)
    view = FRONT.framing(both)
    with_both, without = (
        render_mesh(mesh, width=160, height=100, view=view).mean(axis=2)
        for mesh in (both, sphere(1.0, subdivisions=4))
    )
    near = closer_view(view, differences(without, [with_both], 8.0), 8.0)
    assert near.center is not None
    assert near.half_size is not None
    # The window contains the ball, to a pixel of the picture in which it was chosen.
    away = np.abs(np.array(near.center) - (2.0, 0.0, 1.2))
    assert away[0] + 0.1 < near.half_size[0] + 0.026
    assert away[2] + 0.1 < near.half_size[1] + 0.026
    assert view.half_size is not None
    assert near.half_size[0] / near.half_size[1] == pytest.approx(1.6)
    picture = render_mesh(both, width=160, height=100, view=near)
    # The ball fills 24 % of the window; its highlight may be as bright as paper.
    assert 0.15 < (picture.min(axis=2) < 240).mean() < 0.25


def test_a_window_stays_inside_of_the_picture() -> None:
    view = FRONT.framing(box())
    interest = np.zeros((40, 40))
    interest[0, 39] = 1.0
    near = closer_view(view, interest, 4.0)
    assert near.center is not None
    # The picture is 1 / 0.9 wide around (1/2, 1/2), the window 10 pixels around a pixel's middle.
    corner = 0.5 + 0.5 / 0.9 - 5.5 / 40 / 0.9
    assert near.center == pytest.approx((corner, near.center[1], corner))
    assert near.half_size == pytest.approx((0.125, 0.125))


def test_one_that_differs_everywhere_does_not_choose_the_window() -> None:
    picture = np.full((30, 30), 0.5)
    close = picture.copy()
    close[20:24, 4:8] = 0.6
    astray = np.zeros((30, 30))
    astray[0:8, 20:30] = 1.0
    interest = differences(picture, [close, close, astray], 5.0)
    row, column = np.unravel_index(interest.argmax(), interest.shape)
    assert 19 <= row <= 25
    assert 3 <= column <= 9


def test_contrast_counts_only_where_the_shape_fills_the_window() -> None:
    rng = np.random.default_rng(0)
    gray = np.full((60, 60), 0.9)
    shape = np.zeros((60, 60), dtype=bool)
    shape[10:50, 10:50] = True
    gray[shape] = 0.5
    gray[30:45, 30:45] += rng.uniform(-0.05, 0.05, (15, 15))  # weaker than the outline
    row, column = np.unravel_index(contrast(gray, shape, 6.0).argmax(), gray.shape)
    assert 30 <= row <= 45
    assert 30 <= column <= 45
