"""IoU of two meshes against formulas for spheres and boxes, and against winding numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eval import MetricError, iou_mesh
from geom_miner import GeomMinerError, TriangleMesh
from geom_miner.voxelize import winding_numbers
from tests.shapes import box, joined, sphere, torus


def slow(first: TriangleMesh, second: TriangleMesh, resolution: int, margin: float) -> float:
    """The definition: solid angles of all faces at all points of the cube."""
    low = np.minimum(first.bounds[0], second.bounds[0])
    high = np.maximum(first.bounds[1], second.bounds[1])
    side = (high - low).max() * (1 + 2 * margin)
    along = ((np.arange(resolution) + 0.5) / resolution - 0.5) * side
    axes = np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1)
    points = axes.reshape(-1, 3) + (low + high) / 2
    a, b = (winding_numbers(mesh, points, exact=True) > 0.5 for mesh in (first, second))
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("margin", [0.0, 0.01, 0.2])
@pytest.mark.parametrize("resolution", [7, 24, 33])
def test_equals_brute_force(resolution: int, margin: float) -> None:
    turn = Rotation.from_rotvec([0.4, -0.3, 0.7]).as_matrix()
    ring = torus(center=(0.1, 0.02, -0.05), major_segments=24, minor_segments=12)
    block = box((-0.9, -0.5, -0.4), (1.3, 0.6, 0.3))
    first = TriangleMesh(ring.vertices @ turn.T, ring.faces)
    second = TriangleMesh(block.vertices @ turn + 0.03, block.faces)
    iou = iou_mesh(first, second, resolution=resolution, margin=margin)
    assert iou == slow(first, second, resolution, margin)
    assert iou == iou_mesh(second, first, resolution=resolution, margin=margin)


def test_spheres_have_the_ratio_of_volumes() -> None:
    small, large = sphere(0.9, subdivisions=5), sphere(1.0, subdivisions=5)
    # Points near a surface of curvature 1 are decided as if at random: their number, 4 pi r^2 / h^2
    # (h = 2.04 / 128), has a root of 220, of a volume of 4/3 pi / h^3 = 1.03 million.
    assert iou_mesh(small, large) == pytest.approx(0.9**3, abs=5 * 220 / 1.03e6)


def test_spheres_apart_have_the_ratio_of_the_lens() -> None:
    d = 0.7
    lens = math.pi * (4 + d) * (2 - d) ** 2 / 12
    exact = lens / (2 * 4 / 3 * math.pi - lens)
    iou = iou_mesh(sphere(1, subdivisions=5), sphere(1, (d, 0, 0), subdivisions=5))
    # As above; the cube is longer, and the count errs above and below the line.
    assert iou == pytest.approx(exact, abs=2e-3)


def test_edges_of_boxes_are_counted_exactly() -> None:
    # A cube of 16 cells and no margin: every face lies on a plane between cells.
    assert iou_mesh(box(), box((0, 0, 0), (1, 0.5, 0.25)), resolution=16, margin=0) == 1 / 8


def test_equal_and_separate_meshes() -> None:
    shape = torus()
    assert iou_mesh(shape, shape, resolution=32) == 1
    assert iou_mesh(box(), box((2, 2, 2), (3, 3, 3)), resolution=32) == 0


def test_overlapping_parts_are_solid() -> None:
    both = joined(box(), box((0.5, 0, 0), (1.5, 1, 1)))
    assert iou_mesh(both, box((0, 0, 0), (1.5, 1, 1)), resolution=30, margin=0) == 1


def test_meshes_far_from_the_origin() -> None:
    small, large = sphere(0.8), sphere(1.0)
    moved = (TriangleMesh(m.vertices * 1e3 + 1e5, m.faces) for m in (small, large))
    assert iou_mesh(*moved, resolution=32) == iou_mesh(small, large, resolution=32)


def test_inputs_are_left_alone() -> None:
    meshes = sphere(0.8), sphere(1.0)
    copies = [(m.vertices.copy(), m.faces.copy()) for m in meshes]
    iou_mesh(*meshes, resolution=8)
    for mesh, (vertices, faces) in zip(meshes, copies, strict=True):
        assert np.array_equal(mesh.vertices, vertices)
        assert np.array_equal(mesh.faces, faces)


def test_what_cannot_be_compared_is_refused() -> None:
    none = TriangleMesh(np.eye(3), np.zeros((0, 3), dtype=int))
    point = TriangleMesh(np.ones((3, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(GeomMinerError, match="no faces"):
        iou_mesh(box(), none)
    with pytest.raises(MetricError, match="meshes must have an extent"):
        iou_mesh(point, point)
    for resolution in (0, 1, -3):
        with pytest.raises(GeomMinerError, match="resolution must lie in"):
            iou_mesh(box(), box(), resolution=resolution)
    for margin in (-0.1, math.nan, math.inf):
        with pytest.raises(MetricError, match="margin must be >= 0"):
            iou_mesh(box(), box(), margin=margin)
