"""Errors against the source's own triangles: known offsets, known tilts, and brute force."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from eval.metrics.source_error import source_errors
from geom_miner import TriangleMesh
from geom_miner.errors import BackendUnavailable
from tests.shapes import box, sphere


def test_a_mesh_has_no_error_against_itself() -> None:
    mesh = sphere(1.0, subdivisions=3)
    errors = source_errors(mesh, mesh, samples=2000)
    assert errors.distances.max() < 1e-12
    assert errors.angles.max() < 1e-3
    assert len(errors.points) == 2000


def test_concentric_spheres_are_their_radii_apart() -> None:
    inner, outer = sphere(1.0, subdivisions=5), sphere(1.25, subdivisions=5)
    summary = source_errors(inner, outer, samples=5000).summary(voxel=0.5)
    assert summary["surface_error_voxels"] is not None
    for value in summary["surface_error_voxels"].values():
        assert value == pytest.approx(0.5, abs=2e-3)


def test_a_tilted_plane_has_its_angle_and_its_distances() -> None:
    """A square leaning by 3 degrees over a large one: height grows with the distance."""
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float64)
    ground = TriangleMesh(corners * 10 - [5, 5, 0], faces)
    tilt = np.radians(3)
    leaning = corners * [1, np.cos(tilt), 0] + corners[:, 1:2] * [0, 0, np.sin(tilt)]
    errors = source_errors(TriangleMesh(leaning, faces), ground, samples=20_000, seed=4)
    np.testing.assert_allclose(errors.angles, 3.0, atol=1e-6)
    np.testing.assert_allclose(errors.distances, errors.points[:, 2], atol=1e-12)
    summary = errors.summary(1.0)["surface_error_voxels"]
    assert summary is not None
    assert summary["mean"] == pytest.approx(np.sin(tilt) / 2, rel=0.02)
    assert summary["p95"] == pytest.approx(0.95 * np.sin(tilt), rel=0.02)
    flipped = TriangleMesh(leaning, faces[:, ::-1])
    np.testing.assert_allclose(source_errors(flipped, ground, samples=10).angles, 177.0, atol=1e-6)


def test_faces_without_area_are_no_source_and_empty_meshes_no_error() -> None:
    mesh = box()
    spoiled = TriangleMesh(mesh.vertices, np.concatenate([mesh.faces, [[0, 0, 1], [2, 2, 2]]]))
    errors = source_errors(mesh, spoiled, samples=500)
    assert errors.angles.max() < 1e-3
    nothing = TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
    for pair in ((nothing, mesh), (mesh, nothing)):
        empty = source_errors(*pair)
        assert len(empty.distances) == 0
        assert empty.summary(1.0) == {"surface_error_voxels": None, "normal_error_degrees": None}


def test_seeds_decide_the_points() -> None:
    mesh = sphere(1.0, subdivisions=2)
    first, again = (source_errors(mesh, box(), samples=100, seed=3) for _ in range(2))
    other = source_errors(mesh, box(), samples=100, seed=4)
    np.testing.assert_array_equal(first.distances, again.distances)
    assert not np.array_equal(first.points, other.points)


def test_missing_libigl_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "igl", None)
    with pytest.raises(BackendUnavailable, match=r"geom_miner\[eval\]"):
        source_errors(box(), box())
