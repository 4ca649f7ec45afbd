"""Column casting: exact parity whatever the ties, against a slow exact oracle."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import get_num_threads, set_num_threads

from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.columns import EMPTY, FULL, MIXED, ColumnCrossings, cast_columns
from tests.shapes import box, joined, sphere, torus

AXES = {0: (1, 2, 0), 1: (0, 2, 1), 2: (0, 1, 2)}
TETRAHEDRON = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])


def inside(cast: ColumnCrossings) -> npt.NDArray[np.uint8]:
    """Dense occupancy, read from one block that covers the grid."""
    size = max(cast.shape)
    slots = np.zeros((1, 1, 1), dtype=np.int32)
    dense = cast.fill_blocks(slots, 1, size).reshape(size, size, size)
    return dense[tuple(slice(n) for n in cast.shape)]


def crossing_counts(cast: ColumnCrossings) -> npt.NDArray[np.int64]:
    row, line, _ = AXES[cast.axis]
    return np.diff(cast.offsets).reshape(cast.shape[row], cast.shape[line])


def oracle(
    mesh: TriangleMesh, shape: tuple[int, int, int], axis: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Crossings per column and occupancy in rational arithmetic, one sample at a time.

    Ties by the rule of the module: an edge is active for lower <= row < upper, crossed if
    strictly beyond the point, and a crossing counts for samples strictly above it.
    """
    order = AXES[axis]
    rows, lines, depths = (shape[a] for a in order)
    corners = [
        [[Fraction(float(x)) for x in corner[list(order)]] for corner in triangle]
        for triangle in mesh.triangles
    ]
    counts = np.zeros((rows, lines), dtype=np.int64)
    occupied = np.zeros((rows, lines, depths), dtype=np.uint8)
    for row in range(rows):
        for line in range(lines):
            found = []
            for triangle in corners:
                cuts = []
                for p, q in zip(triangle, triangle[1:] + triangle[:1], strict=True):
                    p, q = sorted([p, q])
                    if p[0] <= row < q[0]:
                        t = (row - p[0]) / (q[0] - p[0])
                        cuts.append((p[1] + t * (q[1] - p[1]), p[2] + t * (q[2] - p[2])))
                if sum(cut[0] > line for cut in cuts) == 1:
                    (u0, w0), (u1, w1) = sorted(cuts)
                    found.append(w0 + (line - u0) / (u1 - u0) * (w1 - w0))
            counts[row, line] = len(found)
            found = sorted(found)[: len(found) // 2 * 2]
            for k in range(depths):
                occupied[row, line, k] = sum(d < k for d in found) % 2
    return counts, np.transpose(occupied, np.argsort(order))


@st.composite
def closed_meshes(draw: st.DrawFn, denominator: int, size: int = 8) -> TriangleMesh:
    """Tetrahedra with corners on a lattice, each face turned at random, no vertex shared."""
    count = draw(st.integers(1, 5))
    lattice = st.integers(-denominator, size * denominator)
    corners = np.array(
        draw(st.lists(lattice, min_size=12 * count, max_size=12 * count)), dtype=np.float64
    ).reshape(count, 4, 3)
    triangles = corners[:, TETRAHEDRON] / denominator
    turns = draw(st.lists(st.booleans(), min_size=4 * count, max_size=4 * count))
    triangles = triangles.reshape(-1, 3, 3)
    triangles[turns] = triangles[turns][:, ::-1]
    return TriangleMesh(triangles.reshape(-1, 3), np.arange(12 * count).reshape(-1, 3))


@given(mesh=closed_meshes(1), axis=st.integers(0, 2))
@settings(max_examples=100)
def test_no_column_is_odd_on_the_sample_lattice(mesh: TriangleMesh, axis: int) -> None:
    assert cast_columns(mesh.vertices, mesh.faces, (8, 8, 8), axis=axis).odd_columns == 0


@given(
    mesh=closed_meshes(1),
    scale=st.floats(0.01, 3.0),
    shift=st.floats(-10.0, 10.0),
    axis=st.integers(0, 2),
)
@settings(max_examples=100)
def test_no_column_is_odd_whatever_the_rounding(
    mesh: TriangleMesh, scale: float, shift: float, axis: int
) -> None:
    vertices = mesh.vertices * scale + shift
    assert cast_columns(vertices, mesh.faces, (8, 7, 9), axis=axis).odd_columns == 0


@given(mesh=closed_meshes(2, size=4), axis=st.integers(0, 2))
@settings(max_examples=40)
def test_equals_the_exact_oracle(mesh: TriangleMesh, axis: int) -> None:
    shape = (5, 4, 6)
    cast = cast_columns(mesh.vertices, mesh.faces, shape, axis=axis)
    np.testing.assert_array_equal(crossing_counts(cast), oracle(mesh, shape, axis)[0])
    # Depths are rounded, so a crossing exactly at a sample may fall to either side of it; moved
    # along the ray by no multiple of the lattice there is none, and every sample is exact.
    moved = TriangleMesh(mesh.vertices + 0.0123456789 * np.eye(3)[axis], mesh.faces)
    cast = cast_columns(moved.vertices, moved.faces, shape, axis=axis)
    counts, occupied = oracle(moved, shape, axis)
    np.testing.assert_array_equal(crossing_counts(cast), counts)
    np.testing.assert_array_equal(inside(cast), occupied)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_box_through_sample_centers_is_half_open(axis: int) -> None:
    """Every face, edge and corner of the box lies on samples: low faces out, high faces in.

    Along the ray a crossing counts for samples strictly above it, so the interval is (low, high];
    across it, rows and lines are [low, high).
    """
    cast = cast_columns(box((2, 2, 2), (6, 6, 6)).vertices, box().faces, (9, 9, 9), axis=axis)
    expected = np.zeros((9, 9, 9), dtype=np.uint8)
    spans = [slice(2, 6)] * 3
    spans[axis] = slice(3, 7)
    expected[tuple(spans)] = 1
    np.testing.assert_array_equal(inside(cast), expected)
    counts = np.zeros((9, 9), dtype=np.int64)
    counts[2:6, 2:6] = 2  # the diagonals of both faces pass through columns, and count once
    np.testing.assert_array_equal(crossing_counts(cast), counts)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_blocks_hold_what_single_samples_say(axis: int) -> None:
    """States and values of small blocks, padding included, against one block around all."""
    shape = (21, 18, 26)
    mesh = joined(torus(6.0, 3.0, (10, 9, 8)), sphere(4.0, (12, 11, 20), 2))
    # Cut by the end of the grid, so that padding continues inside samples.
    mesh = joined(mesh, box((3.5, 3.5, 21.5), (8.5, 30, 40)))
    # Wholly beyond the end of each axis, where padding must not see them.
    for axis_beyond in range(3):
        low, high = np.full(3, 1.5), np.full(3, 3.5)
        low[axis_beyond], high[axis_beyond] = 27.0, 40.0
        mesh = joined(mesh, box(low, high))
    cast = cast_columns(mesh.vertices, mesh.faces, shape, axis=axis)
    dense = inside(cast)
    counts = tuple(-(-n // 4) for n in shape)
    pad = [(0, c * 4 - n) for c, n in zip(counts, shape, strict=True)]
    padded = np.pad(dense, pad, mode="edge")
    blocks = padded.reshape(counts[0], 4, counts[1], 4, counts[2], 4)
    blocks = blocks.transpose(0, 2, 4, 1, 3, 5).reshape(*counts, 64)
    expected = np.where(blocks.any(-1), np.where(blocks.all(-1), FULL, MIXED), EMPTY)
    states = cast.block_states(counts, 4)
    np.testing.assert_array_equal(states, expected)
    assert set(np.unique(states)) == {EMPTY, FULL, MIXED}

    slots = np.full(counts, -1, dtype=np.int32)
    chosen = np.argwhere(states != EMPTY)[::2]
    slots[tuple(chosen.T)] = np.arange(len(chosen))
    values = cast.fill_blocks(slots, len(chosen), 4)
    np.testing.assert_array_equal(values, blocks[tuple(chosen.T)])


def test_sphere_equals_its_analytic_occupancy_outside_a_half_voxel_band() -> None:
    center, radius = np.array([31.3, 30.9, 31.6]), 25.0
    mesh = sphere(radius, center, 5)
    distance = np.linalg.norm(np.stack(np.indices((64, 64, 64)), -1) - center, axis=-1)
    certain = np.abs(distance - radius) > 0.5
    for axis in range(3):
        found = inside(cast_columns(mesh.vertices, mesh.faces, (64, 64, 64), axis=axis))
        np.testing.assert_array_equal(found[certain], distance[certain] < radius)
        # Only the sagitta of the facets, below 0.02 samples here, separates mesh and sphere.
        assert np.count_nonzero(found != (distance < radius)) < 0.02 * 4 * np.pi * radius**2


def test_torus_equals_its_analytic_occupancy_outside_a_half_voxel_band() -> None:
    center = np.array([31.5, 31.5, 31.5])
    mesh = torus(20.0, 8.0, center, major_segments=256, minor_segments=128)
    offset = np.stack(np.indices((64, 64, 64)), -1) - center
    ring = np.hypot(offset[..., 0], offset[..., 1]) - 20.0
    distance = np.hypot(ring, offset[..., 2]) - 8.0
    certain = np.abs(distance) > 0.5
    for axis in range(3):
        found = inside(cast_columns(mesh.vertices, mesh.faces, (64, 64, 64), axis=axis))
        np.testing.assert_array_equal(found[certain], distance[certain] < 0)


def test_orientation_and_order_of_faces_do_not_matter() -> None:
    mesh = torus(6.0, 3.0, (10, 9.5, 8), major_segments=20, minor_segments=12)
    rng = np.random.default_rng(3)
    faces = rng.permutation(mesh.faces)[:, ::-1]
    first = cast_columns(mesh.vertices, mesh.faces, (20, 20, 20))
    second = cast_columns(mesh.vertices, faces.astype(np.int32), (20, 20, 20))
    np.testing.assert_array_equal(first.offsets, second.offsets)
    np.testing.assert_array_equal(first.first_samples, second.first_samples)


def test_any_number_of_threads_gives_the_same_crossings() -> None:
    mesh = torus(20.0, 8.0, (30, 31, 32))
    threads = get_num_threads()
    results = []
    try:
        for count in {1, threads}:
            set_num_threads(count)
            results.append(cast_columns(mesh.vertices, mesh.faces, (64, 64, 64)))
    finally:
        set_num_threads(threads)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].offsets, other.offsets)
        np.testing.assert_array_equal(results[0].first_samples, other.first_samples)


def test_a_hole_drops_the_last_crossing() -> None:
    """Without its top a box's columns have one crossing each: nothing is inside, all are odd."""
    mesh = box((1.5, 1.5, 1.5), (5.5, 5.5, 5.5))
    open_box = TriangleMesh(mesh.vertices, mesh.faces[(mesh.triangles[..., 2] < 5).any(axis=1)])
    cast = cast_columns(open_box.vertices, open_box.faces, (8, 8, 8), axis=2)
    assert cast.odd_columns == cast.columns == 16
    assert not inside(cast).any()
    assert inside(cast_columns(open_box.vertices, open_box.faces, (8, 8, 8), axis=0)).sum() == 64


def test_long_columns_are_sorted() -> None:
    """Forty plates above each other: more crossings per column than insertion sort takes."""
    plates = [box((0.5, 0.5, 2 * k + 0.5), (3.5, 3.5, 2 * k + 1.5)) for k in reversed(range(40))]
    mesh = joined(*plates)
    cast = cast_columns(mesh.vertices, mesh.faces, (4, 4, 80))
    occupied = inside(cast)
    assert crossing_counts(cast)[1:, 1:].tolist() == [[80] * 3] * 3
    np.testing.assert_array_equal(occupied[2, 2], np.arange(80) % 2)


def test_no_faces_cross_nothing() -> None:
    cast = cast_columns(np.zeros((3, 3)), np.empty((0, 3), dtype=np.int64), (4, 4, 4))
    assert (cast.crossings, cast.columns, cast.odd_columns) == (0, 0, 0)
    assert not cast.block_states((1, 1, 1), 4).any()
