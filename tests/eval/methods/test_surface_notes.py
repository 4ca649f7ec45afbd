"""What is said of a surface that was made from points."""

from __future__ import annotations

import numpy as np

from eval.clouds.point_cloud import PointCloud
from eval.methods.surface_notes import spacing_of, surface_notes
from geom_miner import TriangleMesh
from tests.eval.methods.clouds import sphere_cloud
from tests.shapes import box, sphere

BALL = sphere(radius=1.0)


def test_the_spacing_is_the_root_of_a_points_area() -> None:
    spacing = np.median(spacing_of(sphere_cloud(5000).points))
    assert abs(spacing / np.sqrt(4 * np.pi / 5000) - 1) < 0.05
    assert spacing_of(np.zeros((1, 3))).tolist() == [0.0]


def test_of_a_sphere_of_its_points_nothing_is_said() -> None:
    assert surface_notes(BALL, sphere_cloud(5000), 64) == ()


def test_sparse_points_are_said() -> None:
    (note,) = surface_notes(BALL, sphere_cloud(60), 128)
    assert note.startswith("The points are 27 voxels apart")


def test_pieces_are_counted() -> None:
    second = box()
    vertices = np.concatenate([BALL.vertices, 0.01 * second.vertices + [0, 0, 1]])
    faces = np.concatenate([BALL.faces, second.faces + len(BALL.vertices)])
    (note,) = surface_notes(TriangleMesh(vertices, faces), sphere_cloud(5000), 64)
    assert note == "The surface is in 2 pieces; the largest has 100.0% of its area."


def test_a_surface_beyond_the_points_and_points_beyond_the_surface_are_said() -> None:
    cloud = sphere_cloud(5000)
    assert cloud.normals is not None
    half = PointCloud(*(values[cloud.points[:, 2] > 0] for values in (cloud.points, cloud.normals)))
    (note,) = surface_notes(BALL, half, 64)
    assert "of the surface is farther from all points than 2.5 times" in note
    above = BALL.faces[BALL.triangles.mean(axis=1)[:, 2] > 0]
    (note,) = surface_notes(TriangleMesh(BALL.vertices, above), cloud, 64)
    assert "of the points are farther from the surface" in note


def test_a_surface_that_faces_against_the_normals_is_said() -> None:
    cloud = sphere_cloud(5000)
    assert cloud.normals is not None
    (note,) = surface_notes(BALL, PointCloud(cloud.points, -cloud.normals), 64)
    assert note.startswith("100.0% of the surface faces against the normals of the nearest points")
