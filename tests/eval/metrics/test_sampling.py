"""Samples lie on the surface, are uniform in area, and depend on nothing but mesh and seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from eval import MetricError
from eval.metrics import sample_surface
from geom_miner import TriangleMesh
from tests.shapes import box, sphere

SQUARE = TriangleMesh(
    np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=float),
    np.array([[0, 1, 2], [0, 2, 3]]),
)


def test_points_and_normals_belong_to_the_box() -> None:
    low, high = np.array([-1.0, 0.0, 2.0]), np.array([1.0, 0.5, 5.0])
    samples = sample_surface(box(low, high), 5000, 3)
    assert ((samples.points >= low - 1e-12) & (samples.points <= high + 1e-12)).all()
    axis = np.abs(samples.normals).argmax(axis=1)
    rows = np.arange(len(samples))
    # The normal is +-1 along one axis, and the point lies on that side of the box.
    assert np.array_equal(np.abs(samples.normals), np.eye(3)[axis])
    side = np.where(samples.normals[rows, axis] > 0, high[axis], low[axis])
    assert np.abs(samples.points[rows, axis] - side).max() < 1e-12


def test_counts_follow_area_inside_and_across_triangles() -> None:
    points = sample_surface(SQUARE, 40_000, 0).points
    cells = np.histogram2d(points[:, 0], points[:, 1], bins=8, range=[[0, 1], [0, 1]])[0]
    # The seed is fixed, so this is no coin toss; a wrong fold of the triangle gives p < 1e-100.
    assert chisquare(cells.reshape(-1)).pvalue > 0.01


def test_small_and_large_triangles_get_their_shares() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [3, 0, 5], [0, 3, 5]], float)
    mesh = TriangleMesh(vertices, np.array([[0, 1, 2], [1, 1, 2], [3, 4, 5]]))
    above = (sample_surface(mesh, 10_000, 1).points[:, 2] > 2.5).sum()
    # Areas 1/2, 0 and 9/2; five standard deviations of a binomial with p = 0.9 are 150.
    assert abs(above - 9000) < 150


def test_equal_seeds_give_equal_points_and_others_do_not() -> None:
    mesh = sphere(1.0, subdivisions=2)
    before = mesh.vertices.copy()
    first, again, other = (sample_surface(mesh, 100, seed).points for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(mesh.vertices, before)


@pytest.mark.parametrize("faces", [np.zeros((0, 3), int), np.array([[0, 0, 1], [2, 2, 2]])])
def test_no_area_gives_no_points(faces: np.ndarray) -> None:
    samples = sample_surface(TriangleMesh(np.eye(3), faces), 10, 0)
    assert samples.points.shape == samples.normals.shape == (0, 3)


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(MetricError, match="count must be at least 1, got 0"):
        sample_surface(SQUARE, 0, 0)
