"""Column casting: exact parity whatever the ties, against a slow exact oracle."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import get_num_threads, set_num_threads

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.columns import COVERAGE, OCCUPANCY, ColumnCast, Parts, cast_columns
from geom_miner.voxelize.crossings import bin_faces, cross_slab
from tests.shapes import box, joined, sphere, torus

AXES = {0: (1, 2, 0), 1: (0, 2, 1), 2: (0, 1, 2)}
Shape = tuple[int, int, int]
TETRAHEDRON = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])


def cast(
    mesh: TriangleMesh,
    shape: Shape,
    axis: int = 2,
    *,
    directed: bool = False,
    parts: Parts = OCCUPANCY,
) -> ColumnCast:
    layout = BlockGrid.covering(shape, (4, 4, 4))
    return cast_columns(
        mesh.vertices, mesh.faces, shape, layout, axis=axis, directed=directed, parts=parts
    )


def inside(found: ColumnCast, shape: Shape) -> npt.NDArray[np.float32]:
    return found.blocks.to_dense(shape)[..., 0].numpy()


def crossings(
    mesh: TriangleMesh, shape: Shape, axis: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Crossings per column, and them all in order."""
    order = AXES[axis]
    rows, lines, depths = (shape[a] for a in order)
    placed = np.ascontiguousarray(mesh.vertices[:, order])
    _, members = bin_faces(placed, mesh.faces, rows, rows)
    offsets, found = cross_slab(placed, mesh.faces, members, (0, rows), lines, depths, 1)
    return np.diff(offsets).reshape(rows, lines), found


def oracle(
    mesh: TriangleMesh, shape: Shape, axis: int
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
    assert cast(mesh, (8, 8, 8), axis).odd_columns == 0


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
    moved = TriangleMesh(mesh.vertices * scale + shift, mesh.faces)
    assert cast(moved, (8, 7, 9), axis).odd_columns == 0


@given(mesh=closed_meshes(2, size=4), axis=st.integers(0, 2))
@settings(max_examples=40)
def test_equals_the_exact_oracle(mesh: TriangleMesh, axis: int) -> None:
    shape = (5, 4, 6)
    np.testing.assert_array_equal(crossings(mesh, shape, axis)[0], oracle(mesh, shape, axis)[0])
    # Depths are rounded, so a crossing exactly at a sample may fall to either side of it; moved
    # along the ray by no multiple of the lattice there is none, and every sample is exact.
    moved = TriangleMesh(mesh.vertices + 0.0123456789 * np.eye(3)[axis], mesh.faces)
    counts, occupied = oracle(moved, shape, axis)
    np.testing.assert_array_equal(crossings(moved, shape, axis)[0], counts)
    np.testing.assert_array_equal(inside(cast(moved, shape, axis), shape), occupied)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_box_through_sample_centers_is_half_open(axis: int) -> None:
    """Every face, edge and corner of the box lies on samples: low faces out, high faces in.

    Along the ray a crossing counts for samples strictly above it, so the interval is (low, high];
    across it, rows and lines are [low, high).
    """
    mesh = box((2, 2, 2), (6, 6, 6))
    expected = np.zeros((9, 9, 9), dtype=np.uint8)
    spans = [slice(2, 6)] * 3
    spans[axis] = slice(3, 7)
    expected[tuple(spans)] = 1
    np.testing.assert_array_equal(inside(cast(mesh, (9, 9, 9), axis), (9, 9, 9)), expected)
    counts = np.zeros((9, 9), dtype=np.int64)
    counts[2:6, 2:6] = 2  # the diagonals of both faces pass through columns, and count once
    np.testing.assert_array_equal(crossings(mesh, (9, 9, 9), axis)[0], counts)


def crowd(shape: Shape) -> TriangleMesh:
    """Shapes inside a grid, cut by its ends, and wholly beyond the end of each axis."""
    mesh = joined(torus(6.0, 3.0, (10, 9, 8)), sphere(4.0, (12, 11, 20), 2))
    mesh = joined(mesh, box((3.5, 3.5, 21.5), (8.5, 30, 40)))
    for axis in range(3):
        low, high = np.full(3, 1.5), np.full(3, 3.5)
        low[axis], high[axis] = shape[axis] + 1.0, 40.0
        mesh = joined(mesh, box(low, high))
    return mesh


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("parts", [OCCUPANCY, COVERAGE])
def test_sparse_blocks_are_those_of_the_dense_signal(axis: int, parts: Parts) -> None:
    """Ids, samples and constants, padding included, where blocks do not fill the grid."""
    shape = (21, 18, 26)
    blocks = cast(crowd(shape), shape, axis, parts=parts).blocks
    dense = SparseBlocks.from_dense(blocks.to_dense(shape), blocks.layout)
    assert torch.equal(blocks.ids, dense.ids)
    torch.testing.assert_close(blocks.rows(slice(None)), dense.values, rtol=0, atol=0)
    constant = blocks.slots < 0
    assert torch.equal(blocks.constants[constant].float(), dense.constants[constant])
    assert {0, 1} == set(blocks.constants[constant].unique().tolist())


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("directed", [False, True])
def test_coverage_is_the_mean_of_the_parts(axis: int, directed: bool) -> None:
    """Against occupancy on the lattice of the parts, which covers the same box."""
    shape, parts = (21, 18, 26), Parts(2, 3)
    mesh = crowd(shape)
    found = cast(mesh, shape, axis, directed=directed, parts=parts)
    each = np.full(3, parts.across)
    each[axis] = parts.along
    fine_shape = tuple(int(n) for n in shape * each)
    finer = TriangleMesh((mesh.vertices + 0.5) * each - 0.5, mesh.faces)
    fine = inside(cast(finer, fine_shape, axis, directed=directed), fine_shape)
    cells = [n for pair in zip(shape, each.tolist(), strict=True) for n in pair]
    np.testing.assert_allclose(
        inside(found, shape), fine.reshape(cells).mean(axis=(1, 3, 5)), atol=1e-6
    )


def test_coverage_measures_volume() -> None:
    """A sphere's, from its facets; and a box that ends within cells along the rays, exactly."""
    ball = sphere(10.0, (15.6, 15.2, 15.9), 4)
    shape = (32, 32, 32)
    assert inside(cast(ball, shape, parts=COVERAGE), shape).sum() == pytest.approx(
        ball.volume, rel=1e-4
    )
    slab = box((3.5, 4.5, 2.5 + 4 / 15), (9.5, 8.5, 7.5 + 7 / 15))
    found = inside(cast(slab, shape, parts=COVERAGE), shape)
    np.testing.assert_allclose(found[5, 5, 2:9], [0, 11 / 15, 1, 1, 1, 1, 7 / 15], atol=1e-6)
    assert found.sum() == pytest.approx(slab.volume, rel=1e-6)


def test_sphere_equals_its_analytic_occupancy_outside_a_half_voxel_band() -> None:
    center, radius = np.array([31.3, 30.9, 31.6]), 25.0
    mesh = sphere(radius, center, 5)
    distance = np.linalg.norm(np.stack(np.indices((64, 64, 64)), -1) - center, axis=-1)
    certain = np.abs(distance - radius) > 0.5
    for axis in range(3):
        found = inside(cast(mesh, (64, 64, 64), axis), (64, 64, 64)) > 0
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
        found = inside(cast(mesh, (64, 64, 64), axis), (64, 64, 64)) > 0
        np.testing.assert_array_equal(found[certain], distance[certain] < 0)


def test_orientation_and_order_of_faces_do_not_matter_to_parity() -> None:
    mesh = torus(6.0, 3.0, (10, 9.5, 8), major_segments=20, minor_segments=12)
    rng = np.random.default_rng(3)
    faces = rng.permutation(mesh.faces)[:, ::-1].astype(np.int32)
    other = TriangleMesh(mesh.vertices, faces)
    (counts, found), (other_counts, turned) = (crossings(m, (20,) * 3, 2) for m in (mesh, other))
    np.testing.assert_array_equal(counts, other_counts)
    np.testing.assert_array_equal(found >> 1, turned >> 1)
    np.testing.assert_array_equal(found & 1, 1 - (turned & 1))
    one, two = cast(mesh, (20,) * 3), cast(other, (20,) * 3)
    assert torch.equal(one.blocks.values, two.blocks.values)


def test_any_number_of_threads_gives_the_same_blocks() -> None:
    mesh = torus(20.0, 8.0, (30, 31, 32))
    threads = get_num_threads()
    results = []
    try:
        for count in {1, threads}:
            set_num_threads(count)
            results.append(cast(mesh, (64, 64, 64)).blocks)
    finally:
        set_num_threads(threads)
    for other in results[1:]:
        assert torch.equal(results[0].ids, other.ids)
        assert torch.equal(results[0].values, other.values)


def test_progress_goes_slab_by_slab_and_an_error_in_it_ends_the_work() -> None:
    mesh, shape = torus(20.0, 8.0, (30, 31, 32)), (64, 64, 64)
    layout = BlockGrid.covering(shape, (16, 16, 16))
    shares: list[float] = []
    cast_columns(mesh.vertices, mesh.faces, shape, layout, progress=shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]

    def interrupt(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cast_columns(mesh.vertices, mesh.faces, shape, layout, progress=interrupt)


def test_a_hole_drops_the_last_crossing() -> None:
    """Without its top a box's columns have one crossing each: nothing is inside, all are odd."""
    mesh = box((1.5, 1.5, 1.5), (5.5, 5.5, 5.5))
    open_box = TriangleMesh(mesh.vertices, mesh.faces[(mesh.triangles[..., 2] < 5).any(axis=1)])
    found = cast(open_box, (8, 8, 8))
    assert found.odd_columns == found.columns == 16
    assert not inside(found, (8, 8, 8)).any()
    assert inside(cast(open_box, (8, 8, 8), 0), (8, 8, 8)).sum() == 64


def test_long_columns_are_sorted() -> None:
    """Forty plates above each other: more crossings per column than insertion sort takes."""
    plates = [box((0.5, 0.5, 2 * k + 0.5), (3.5, 3.5, 2 * k + 1.5)) for k in reversed(range(40))]
    mesh = joined(*plates)
    assert crossings(mesh, (4, 4, 80), 2)[0][1:, 1:].tolist() == [[80] * 3] * 3
    occupied = inside(cast(mesh, (4, 4, 80)), (4, 4, 80))
    np.testing.assert_array_equal(occupied[2, 2], np.arange(80) % 2)


def test_more_crossings_than_there_was_room_for_at_first() -> None:
    """128 x 128 columns in one slab of rows, four times."""
    plates = [box((-1, -1, 4 * k + 0.5), (200, 200, 4 * k + 2.5)) for k in range(2)]
    found = cast_columns(
        joined(*plates).vertices, joined(*plates).faces, (128, 128, 8),
        BlockGrid.covering((128, 128, 8), (128, 128, 128)),
    )  # fmt: skip
    assert found.crossings == 4 * 128 * 128
    np.testing.assert_array_equal(inside(found, (128, 128, 8))[77, 99], np.arange(8) % 4 % 3 > 0)


def test_no_faces_cross_nothing() -> None:
    nothing = TriangleMesh(np.zeros((3, 3)), np.empty((0, 3), dtype=np.int64))
    found = cast(nothing, (4, 4, 4), directed=True)
    assert (found.crossings, found.columns, found.odd_columns) == (0, 0, 0)
    assert not inside(found, (4, 4, 4)).any()
