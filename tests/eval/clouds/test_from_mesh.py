"""Clouds drawn on a mesh: on the surface, facing outward, and displaced by the requested noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eval import CloudError, MetricError, sample_cloud
from eval.metrics import sample_surface
from geom_miner import TriangleMesh
from tests.shapes import box, sphere


def test_points_lie_on_the_mesh_and_face_outward() -> None:
    mesh = sphere(2.0, (1, 2, 3), subdivisions=4)
    cloud = sample_cloud(mesh, 3000, 5)
    drawn = sample_surface(mesh, 3000, 5)
    np.testing.assert_array_equal(cloud.points, drawn.points)
    np.testing.assert_allclose(cloud.normals, drawn.normals, atol=1e-15)
    outward = (cloud.points - [1, 2, 3]) / 2
    assert (np.einsum("ij,ij->i", outward, cloud.normals) > 0.99).all()


def test_noise_has_the_deviation_asked_for() -> None:
    clean, noisy = (sample_cloud(box(), 20_000, 1, noise=noise) for noise in (0.0, 0.03))
    shift = noisy.points - clean.points
    # Of 60,000 normal numbers: the mean is within 0.03 / 245, the deviation within 1/346, five
    # times over; axes and positions are independent.
    assert np.abs(shift.mean(axis=0)).max() < 5 * 0.03 / math.sqrt(20_000)
    assert shift.std(axis=0) == pytest.approx([0.03] * 3, rel=5 / math.sqrt(2 * 20_000))
    assert np.abs(np.corrcoef(np.hstack([shift, clean.points]).T) - np.eye(6))[:3].max() < 0.04
    np.testing.assert_array_equal(noisy.normals, clean.normals)


def test_equal_seeds_give_equal_clouds_and_others_do_not() -> None:
    first, again, other = (sample_cloud(box(), 50, seed, noise=0.1).points for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_cannot_be_drawn_is_refused() -> None:
    for noise in (-0.1, math.nan, math.inf):
        with pytest.raises(CloudError, match="noise must be >= 0"):
            sample_cloud(box(), 10, 0, noise=noise)
    with pytest.raises(CloudError, match="the mesh has no area"):
        sample_cloud(TriangleMesh(np.eye(3), np.zeros((0, 3), dtype=int)), 10, 0)
    with pytest.raises(MetricError, match="count must be at least 1"):
        sample_cloud(box(), 0, 0)
