"""Measures on shapes whose distances are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from eval.benchmark.evaluate import (
    digest_of,
    errors_at_vertices,
    evaluate_against_mesh,
    evaluate_against_scan,
)
from eval.clouds.point_cloud import PointCloud
from eval.metrics.triangle_errors import both_ways, triangle_metrics
from geom_miner import TriangleMesh
from tests.shapes import box, sphere

pytest.importorskip("igl")
INNER, OUTER = sphere(1.0, subdivisions=4), sphere(1.1, subdivisions=4)
# More than the largest distance of an inscribed icosphere of so many faces from its sphere.
SAG = 1e-3


def test_two_spheres_are_as_far_apart_as_their_radii() -> None:
    found = evaluate_against_mesh(OUTER, INNER, voxel=0.05, samples=20_000, sharp=False)
    assert found["chamfer_l1_triangles"] == pytest.approx(0.1, abs=2 * SAG)
    assert found["surface_error_voxels"]["mean"] == pytest.approx(2.0, abs=2 * SAG / 0.05)
    assert found["normal_error_degrees"]["mean"] < 2
    assert found["iou_mesh"] == pytest.approx(1 / 1.1**3, rel=0.02)
    # Of samples instead of triangles, only the floor can be added.
    assert found["chamfer_l1_triangles"] < found["chamfer_l1"] < 0.1 + found["sampling_distance"]
    assert found["fscore"] == 0.0
    assert found["edge_error_voxels"] is None
    assert (found["watertight"], found["genus"], found["parts"]) == (True, 0, 1)


def test_equal_surfaces_are_at_zero_but_for_the_sampling() -> None:
    ball = sphere(1.0)
    found = evaluate_against_mesh(ball, ball, voxel=1.0, samples=100_000, sharp=False)
    assert found["chamfer_l1_triangles"] < 1e-9
    assert found["chamfer_l1"] == pytest.approx(found["sampling_distance"], rel=0.05)
    assert found["iou_mesh"] == 1.0
    assert found["fscore"] > 0.999


def test_the_standard_error_is_that_over_seeds() -> None:
    """Half of the inner sphere is missing, so that distances vary."""
    half = TriangleMesh(INNER.vertices, INNER.faces[INNER.triangles[:, :, 2].mean(axis=1) > 0])
    runs = [
        triangle_metrics(*both_ways(half, OUTER, samples=500, seed=seed), threshold=0.1)
        for seed in range(60)
    ]
    values = [run["chamfer_l1_triangles"] for run in runs]
    stated = np.mean([run["chamfer_l1_triangles_error"] for run in runs])
    # The standard deviation of 60 values is itself known to a tenth.
    assert np.std(values, ddof=1) == pytest.approx(stated, rel=0.3)


def test_rounding_is_seen_at_sharp_edges() -> None:
    found = evaluate_against_mesh(
        sphere(0.5, (0.5, 0.5, 0.5)), box(), voxel=0.1, samples=2000, sharp=True
    )
    # The middle of an edge is (root of two less one) / 2 away from the ball inside of the cube.
    assert found["edge_error_voxels"]["mean"] > 10 * (2**0.5 - 1) / 2


def test_a_scan_of_the_sphere() -> None:
    scan = PointCloud(INNER.vertices, INNER.vertices)
    found = evaluate_against_scan(OUTER, scan, samples=50_000)
    assert found["one_sided_scan_chamfer"] == pytest.approx(0.1, abs=5e-3)
    assert found["one_sided_scan_hausdorff"] < 0.13
    assert found["one_sided_scan_chamfer_error"] < SAG
    assert found["beyond_scan"] == pytest.approx(0.1, abs=5e-3)
    # Vertices lie on several triangles, each bent by some degrees.
    assert found["scan_normal_error_degrees"] < 4
    flipped = TriangleMesh(OUTER.vertices, OUTER.faces[:, ::-1])
    assert evaluate_against_scan(flipped, scan, samples=1000)["scan_normal_error_degrees"] > 176
    bare = evaluate_against_scan(OUTER, PointCloud(scan.points), samples=1000)
    assert bare["scan_normal_error_degrees"] is None


def test_surface_that_nobody_scanned_is_beyond_the_scan() -> None:
    upper = INNER.vertices[INNER.vertices[:, 2] > 0]
    found = evaluate_against_scan(INNER, PointCloud(upper), samples=20_000)
    assert found["one_sided_scan_chamfer"] < 0.02
    assert found["beyond_scan"] > 0.2


def test_errors_of_vertices() -> None:
    to_mesh = errors_at_vertices(OUTER, INNER)
    assert to_mesh == pytest.approx(np.full(len(OUTER.vertices), 0.1), abs=SAG)
    to_scan = errors_at_vertices(OUTER, PointCloud(INNER.vertices))
    assert to_scan == pytest.approx(np.full(len(OUTER.vertices), 0.1), abs=1e-9)


def test_the_digest_is_of_positions_and_faces() -> None:
    assert digest_of(INNER) == digest_of(sphere(1.0, subdivisions=4))
    assert (
        len(
            {
                digest_of(mesh)
                for mesh in (INNER, OUTER, TriangleMesh(INNER.vertices, INNER.faces[1:]))
            }
        )
        == 3
    )
