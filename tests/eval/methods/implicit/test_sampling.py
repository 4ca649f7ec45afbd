"""Normalization and neighbor distances: exact inverses, and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods.implicit.normalization import Normalization
from eval.methods.implicit.sampling import neighbor_distances
from eval.methods.protocol import Contours
from tests import shapes


@given(
    ndim=st.sampled_from([2, 3]),
    seed=st.integers(0, 2**32 - 1),
    exponent=st.integers(-12, 12),
    radius=st.sampled_from([0.9, 1.0]),
)
def test_normalization_is_inverted(ndim, seed, exponent, radius) -> None:
    rng = np.random.default_rng(seed)
    points = (rng.normal(size=(30, ndim)) + rng.normal(size=ndim)) * 10.0**exponent
    normalization = Normalization.of(PointCloud(points), radius)
    normalized = normalization.apply(points)
    assert np.linalg.norm(normalized, axis=1).max() == pytest.approx(radius, rel=1e-12)
    np.testing.assert_allclose(normalized.min(axis=0), -normalized.max(axis=0), atol=1e-12)
    largest = np.abs(points).max()
    np.testing.assert_allclose(normalization.invert(normalized), points, atol=4e-16 * largest)


def test_surfaces_are_restored() -> None:
    normalization = Normalization(np.array([1.0, 2.0, 3.0]), 4.0)
    mesh = shapes.sphere(subdivisions=1)
    restored = normalization.restore(mesh)
    np.testing.assert_array_equal(restored.vertices, mesh.vertices * 4 + [1, 2, 3])
    np.testing.assert_array_equal(restored.faces, mesh.faces)
    flat = Normalization(np.array([1.0, 2.0]), 4.0)
    (line,) = flat.restore(Contours((np.array([[0.0, 0.0], [1.0, -1.0]]),))).lines
    np.testing.assert_array_equal(line, [[1, 2], [5, -2]])


def test_a_single_position_is_refused() -> None:
    with pytest.raises(MethodError, match="span a shape"):
        Normalization.of(PointCloud(np.ones((5, 3))))


@pytest.mark.parametrize("count", [2, 30, 51, 200])
@pytest.mark.parametrize("ndim", [2, 3])
def test_neighbor_distances_by_brute_force(count, ndim) -> None:
    points = np.random.default_rng(count).normal(size=(count, ndim))
    all_distances = np.sort(np.linalg.norm(points[:, None] - points, axis=2), axis=1)
    expected = all_distances[:, min(50, count - 1)]
    np.testing.assert_allclose(neighbor_distances(points), expected, rtol=1e-12)
