"""Clouds drawn as surfaces."""

from __future__ import annotations

import numpy as np
import pytest

from eval import PointCloud
from eval.pictures import splats
from tests.shapes import sphere


@pytest.mark.parametrize("with_normals", [True, False])
def test_splats_cover_a_scanned_sphere(with_normals: bool) -> None:
    ball = sphere(1.0, subdivisions=4).vertices
    mesh = splats(PointCloud(ball, ball if with_normals else None))
    count = len(ball) * (1 if with_normals else 3)
    assert len(mesh.faces) == 2 * count
    # Squares overlap a little, so that no holes are seen, and stay near their points.
    assert mesh.area > 4 * np.pi
    centers = mesh.vertices.reshape(count, 4, 3).mean(axis=1)
    assert centers == pytest.approx(np.repeat(ball, count // len(ball), axis=0))
    if with_normals:
        assert mesh.volume > 0  # they face outward
