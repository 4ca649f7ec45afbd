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
from geom_miner.voxelize.columns import COVERAGE, OCCUPANCY, ColumnCast, Subsamples, cast_columns
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
    subsamples: Subsamples = OCCUPANCY,
) -> ColumnCast:
    layout = BlockGrid.covering(shape, (4, 4, 4))
    return cast_columns(
        mesh.vertices,
        mesh.faces,
        shape,
        layout,
        axis=axis,
        directed=directed,
        subsamples=subsamples,
    )


def inside(result: ColumnCast, shape: Shape) -> npt.NDArray[np.float32]:
    return result.blocks.to_dense(shape)[..., 0].numpy()


def crossings(
    mesh: TriangleMesh, shape: Shape, axis: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The number of crossings of each column, and all crossings in order."""
    order = AXES[axis]
    rows, lines, depths = (shape[a] for a in order)
    positions = np.ascontiguousarray(mesh.vertices[:, order])
    _, members = bin_faces(positions, mesh.faces, rows, rows)
    offsets, codes = cross_slab(positions, mesh.faces, members, (0, rows), lines, depths, 1)
    return np.diff(offsets).reshape(rows, lines), codes


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
            depths_crossed = []
            for triangle in corners:
                cuts = []
                for p, q in zip(triangle, triangle[1:] + triangle[:1], strict=True):
                    p, q = sorted([p, q])
                    if p[0] <= row < q[0]:
                        t = (row - p[0]) / (q[0] - p[0])
                        cuts.append((p[1] + t * (q[1] - p[1]), p[2] + t * (q[2] - p[2])))
                if sum(cut[0] > line for cut in cuts) == 1:
                    (u0, w0), (u1, w1) = sorted(cuts)
                    depths_crossed.append(w0 + (line - u0) / (u1 - u0) * (w1 - w0))
            counts[row, line] = len(depths_crossed)
            counted = sorted(depths_crossed)[: len(depths_crossed) // 2 * 2]
            for k in range(depths):
                occupied[row, line, k] = sum(d < k for d in counted) % 2
    return counts, np.transpose(occupied, np.argsort(order))


@st.composite
def closed_meshes(draw: st.DrawFn, denominator: int, size: int = 8) -> TriangleMesh:
    """Tetrahedra with corners on a lattice, faces flipped at random, and no shared vertices."""
    count = draw(st.integers(1, 5))
    lattice = st.integers(-denominator, size * denominator)
    corners = np.array(
        draw(st.lists(lattice, min_size=12 * count, max_size=12 * count)), dtype=np.float64
    ).reshape(count, 4, 3)
    triangles = corners[:, TETRAHEDRON] / denominator
    flips = draw(st.lists(st.booleans(), min_size=4 * count, max_size=4 * count))
    triangles = triangles.reshape(-1, 3, 3)
    triangles[flips] = triangles[flips][:, ::-1]
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
    # Depths are rounded, so a crossing exactly at a sample may fall to either side of it. A mesh
    # that is moved off the lattice along the ray has no such crossing, and every sample is exact.
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
    """Shapes inside a grid, across its ends, and beyond the end of each axis."""
    mesh = joined(torus(6.0, 3.0, (10, 9, 8)), sphere(4.0, (12, 11, 20), 2))
    mesh = joined(mesh, box((3.5, 3.5, 21.5), (8.5, 30, 40)))
    for axis in range(3):
        low, high = np.full(3, 1.5), np.full(3, 3.5)
        low[axis], high[axis] = shape[axis] + 1.0, 40.0
        mesh = joined(mesh, box(low, high))
    return mesh


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("subsamples", [OCCUPANCY, COVERAGE])
def test_sparse_blocks_are_those_of_the_dense_signal(axis: int, subsamples: Subsamples) -> None:
    """Ids, samples and constants, padding included, where blocks do not fill the grid."""
    shape = (21, 18, 26)
    blocks = cast(crowd(shape), shape, axis, subsamples=subsamples).blocks
    dense = SparseBlocks.from_dense(blocks.to_dense(shape), blocks.layout)
    assert torch.equal(blocks.ids, dense.ids)
    torch.testing.assert_close(blocks.rows(slice(None)), dense.values, rtol=0, atol=0)
    constant = blocks.slots < 0
    assert torch.equal(blocks.constants[constant].float(), dense.constants[constant])
    assert {0, 1} == set(blocks.constants[constant].unique().tolist())


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("directed", [False, True])
def test_coverage_is_the_mean_of_the_subsamples(axis: int, directed: bool) -> None:
    """Compared with occupancy on the finer lattice of the subsamples, which covers the same box."""
    shape, subsamples = (21, 18, 26), Subsamples(2, 3)
    mesh = crowd(shape)
    result = cast(mesh, shape, axis, directed=directed, subsamples=subsamples)
    divisions = np.full(3, subsamples.across)
    divisions[axis] = subsamples.along
    fine_shape = tuple(int(n) for n in shape * divisions)
    finer = TriangleMesh((mesh.vertices + 0.5) * divisions - 0.5, mesh.faces)
    fine = inside(cast(finer, fine_shape, axis, directed=directed), fine_shape)
    cells = [n for pair in zip(shape, divisions.tolist(), strict=True) for n in pair]
    np.testing.assert_allclose(
        inside(result, shape), fine.reshape(cells).mean(axis=(1, 3, 5)), atol=1e-6
    )


def test_coverage_measures_volume() -> None:
    """The volume of a faceted sphere; and exactly that of a box that ends within cells."""
    ball = sphere(10.0, (15.6, 15.2, 15.9), 4)
    shape = (32, 32, 32)
    assert inside(cast(ball, shape, subsamples=COVERAGE), shape).sum() == pytest.approx(
        ball.volume, rel=1e-4
    )
    slab = box((3.5, 4.5, 2.5 + 4 / 15), (9.5, 8.5, 7.5 + 7 / 15))
    coverage = inside(cast(slab, shape, subsamples=COVERAGE), shape)
    np.testing.assert_allclose(coverage[5, 5, 2:9], [0, 11 / 15, 1, 1, 1, 1, 7 / 15], atol=1e-6)
    assert coverage.sum() == pytest.approx(slab.volume, rel=1e-6)


def test_sphere_equals_its_analytic_occupancy_outside_a_half_voxel_band() -> None:
    center, radius = np.array([31.3, 30.9, 31.6]), 25.0
    mesh = sphere(radius, center, 5)
    distance = np.linalg.norm(np.stack(np.indices((64, 64, 64)), -1) - center, axis=-1)
    certain = np.abs(distance - radius) > 0.5
    for axis in range(3):
        occupancy = inside(cast(mesh, (64, 64, 64), axis), (64, 64, 64)) > 0
        np.testing.assert_array_equal(occupancy[certain], distance[certain] < radius)
        # Mesh and sphere differ only by the sagitta of the facets, here below 0.02 samples.
        assert np.count_nonzero(occupancy != (distance < radius)) < 0.02 * 4 * np.pi * radius**2


def test_torus_equals_its_analytic_occupancy_outside_a_half_voxel_band() -> None:
    center = np.array([31.5, 31.5, 31.5])
    mesh = torus(20.0, 8.0, center, major_segments=256, minor_segments=128)
    offset = np.stack(np.indices((64, 64, 64)), -1) - center
    ring = np.hypot(offset[..., 0], offset[..., 1]) - 20.0
    distance = np.hypot(ring, offset[..., 2]) - 8.0
    certain = np.abs(distance) > 0.5
    for axis in range(3):
        occupancy = inside(cast(mesh, (64, 64, 64), axis), (64, 64, 64)) > 0
        np.testing.assert_array_equal(occupancy[certain], distance[certain] < 0)


def test_orientation_and_order_of_faces_do_not_matter_to_parity() -> None:
    mesh = torus(6.0, 3.0, (10, 9.5, 8), major_segments=20, minor_segments=12)
    rng = np.random.default_rng(3)
    faces = rng.permutation(mesh.faces)[:, ::-1].astype(np.int32)
    other = TriangleMesh(mesh.vertices, faces)
    (counts, codes), (other_counts, flipped) = (crossings(m, (20,) * 3, 2) for m in (mesh, other))
    np.testing.assert_array_equal(counts, other_counts)
    np.testing.assert_array_equal(codes >> 1, flipped >> 1)
    np.testing.assert_array_equal(codes & 1, 1 - (flipped & 1))
    blocks, other_blocks = (cast(m, (20,) * 3).blocks for m in (mesh, other))
    assert torch.equal(blocks.values, other_blocks.values)


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
    result = cast(open_box, (8, 8, 8))
    assert result.odd_columns == result.columns == 16
    assert not inside(result, (8, 8, 8)).any()
    assert inside(cast(open_box, (8, 8, 8), 0), (8, 8, 8)).sum() == 64


def test_long_columns_are_sorted() -> None:
    """Forty plates above each other: more crossings per column than insertion sort takes."""
    plates = [box((0.5, 0.5, 2 * k + 0.5), (3.5, 3.5, 2 * k + 1.5)) for k in reversed(range(40))]
    mesh = joined(*plates)
    assert crossings(mesh, (4, 4, 80), 2)[0][1:, 1:].tolist() == [[80] * 3] * 3
    occupied = inside(cast(mesh, (4, 4, 80)), (4, 4, 80))
    np.testing.assert_array_equal(occupied[2, 2], np.arange(80) % 2)


def test_more_crossings_than_the_first_capacity() -> None:
    """128 x 128 columns in one slab of rows, four times."""
    plates = [box((-1, -1, 4 * k + 0.5), (200, 200, 4 * k + 2.5)) for k in range(2)]
    mesh, shape = joined(*plates), (128, 128, 8)
    layout = BlockGrid.covering(shape, (128, 128, 128))
    result = cast_columns(mesh.vertices, mesh.faces, shape, layout)
    assert result.crossings == 4 * 128 * 128
    np.testing.assert_array_equal(inside(result, (128, 128, 8))[77, 99], np.arange(8) % 4 % 3 > 0)


def test_no_faces_cross_nothing() -> None:
    nothing = TriangleMesh(np.zeros((3, 3)), np.empty((0, 3), dtype=np.int64))
    result = cast(nothing, (4, 4, 4), directed=True)
    assert (result.crossings, result.columns, result.odd_columns) == (0, 0, 0)
    assert not inside(result, (4, 4, 4)).any()
