"""Marching cubes on blocks gives the mesh of the library on the dense grid."""

import contextlib
import itertools
from collections.abc import Iterator

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from geom_miner.errors import BlockShapeError, MeshError
from geom_miner.extract.cell_groups import SampledBlocks
from geom_miner.extract.cell_vertices import CLEARANCE, count_crossings
from geom_miner.extract.isosurface import Isosurface, extract_mesh, extract_mesh_dense
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.extract.meshes import balanced, canonical_faces, library_mesh

Shape = tuple[int, int, int]


def distance_field(shape: Shape, radius: float) -> np.ndarray:
    """Radius minus the distance to the grid's center, in samples: positive inside."""
    axes = [np.arange(n) - (n - 1) / 2 for n in shape]
    grid = np.meshgrid(*axes, indexing="ij")
    return (radius - np.sqrt(sum(a**2 for a in grid))).astype(np.float32)


def on_blocks(field: np.ndarray, block_shape: Shape, *, halvings: int = 0) -> SparseBlocks:
    layout = BlockGrid.covering(field.shape, block_shape, halvings=halvings)
    return SparseBlocks.from_dense(torch.from_numpy(field)[..., None], layout)


def random_field(shape: Shape, seed: int, kind: str) -> np.ndarray:
    """Noise; noise on a ball; noise with many samples on the iso level; mostly constant blocks."""
    rng = np.random.default_rng(seed)
    field = rng.random(shape, dtype=np.float32)
    if kind == "smooth":
        return distance_field(shape, min(shape) / 2.5) + 0.8 * field
    if kind == "on the level":
        return rng.choice(np.array([0, 0.5, 1], dtype=np.float32), shape)
    if kind == "sparse":
        return (field > 0.995).astype(np.float32)
    return field


shapes = st.tuples(*[st.integers(1, 19)] * 3)
block_shapes = st.sampled_from([(2, 2, 2), (4, 4, 4), (8, 8, 8), (1, 3, 5), (16, 2, 7)])
seeds = st.integers(0, 2**31)
kinds = st.sampled_from(["noise", "smooth", "on the level", "sparse"])


@given(shape=shapes, block_shape=block_shapes, halvings=st.integers(0, 2), seed=seeds, kind=kinds)
@settings(max_examples=100, deadline=None)
def test_blocks_give_the_librarys_mesh_of_the_dense_grid(
    shape: Shape, block_shape: Shape, halvings: int, seed: int, kind: str
) -> None:
    field = random_field(shape, seed, kind)
    grid = SampleGrid(shape, (0.5, 1.0, 2.0), (-3.0, 10.0, 0.0))
    mesh = extract_mesh(on_blocks(field, block_shape, halvings=halvings), grid, iso_level=0.5)
    whole = extract_mesh(on_blocks(field, shape), grid, iso_level=0.5)
    assert np.array_equal(mesh.vertices, whole.vertices)
    assert np.array_equal(canonical_faces(mesh), canonical_faces(whole))
    assert balanced(mesh)
    assert not len(mesh.faces) or mesh.volume > 0
    theirs = library_mesh(field, grid, 0.5)
    assert np.array_equal(mesh.vertices, theirs.vertices)
    assert np.array_equal(canonical_faces(mesh), canonical_faces(theirs))


@given(shape=shapes, seed=seeds, kind=kinds)
@settings(max_examples=20, deadline=None)
def test_a_dense_volume_gives_the_same_mesh(shape: Shape, seed: int, kind: str) -> None:
    field, grid = random_field(shape, seed, kind), SampleGrid.unit(shape)
    mesh = extract_mesh(on_blocks(field, (3, 4, 5)), grid, iso_level=0.5)
    dense = extract_mesh_dense(field, grid, iso_level=0.5)
    assert np.array_equal(mesh.vertices, dense.vertices)
    assert np.array_equal(canonical_faces(mesh), canonical_faces(dense))


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread here")
def test_the_mesh_does_not_depend_on_the_threads() -> None:
    field, grid = random_field((33, 41, 29), 5, "noise"), SampleGrid.unit((33, 41, 29))
    meshes = []
    for count in (1, 2):
        with threads(count):
            meshes.append(extract_mesh(on_blocks(field, (8, 8, 8)), grid, iso_level=0.5))
    assert np.array_equal(meshes[0].vertices, meshes[1].vertices)
    assert np.array_equal(meshes[0].faces, meshes[1].faces)


def test_progress_ascends_to_1() -> None:
    shares: list[float] = []
    blocks = on_blocks(distance_field((20, 20, 20), 7.0), (8, 8, 8))
    extract_mesh(blocks, SampleGrid.unit((20, 20, 20)), iso_level=0.0, progress=shares.append)
    assert shares[0] > 0
    assert shares == sorted(set(shares))
    assert shares[-1] == 1


def test_only_blocks_beside_the_surface_are_visited(monkeypatch: pytest.MonkeyPatch) -> None:
    field = np.zeros((64, 64, 64), dtype=np.float32)
    field[20:23, 20:23, 20:23] = 1
    visited: list[list[int]] = []

    def count_and_record(
        samples: SampledBlocks, coordinates: np.ndarray, *rest: np.ndarray
    ) -> None:
        visited.extend(coordinates.tolist())
        count_crossings(samples, coordinates, *rest)

    monkeypatch.setattr("geom_miner.extract.isosurface.count_crossings", count_and_record)
    surface = Isosurface(on_blocks(field, (8, 8, 8)), SampleGrid.unit((64,) * 3), iso_level=0.5)
    assert surface.num_faces > 0
    # The cube lies inside block (2, 2, 2), which eight groups of cells read.
    assert visited == [list(group) for group in itertools.product((2, 3), repeat=3)]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.float16, torch.float64])
def test_samples_of_every_type_are_meshed(dtype: torch.dtype) -> None:
    shape = (11, 12, 13)
    field = torch.from_numpy(random_field(shape, 1, "noise") > 0.5)[..., None]
    layout = BlockGrid.covering(shape, (4, 4, 4))
    mesh, same = (
        extract_mesh(
            SparseBlocks.from_dense(field.to(kind), layout), SampleGrid.unit(shape), iso_level=0.5
        )
        for kind in (dtype, torch.float32)
    )
    assert np.array_equal(mesh.vertices, same.vertices)
    assert np.array_equal(mesh.faces, same.faces)


@pytest.mark.parametrize("radius", [16.0, 20.3])
def test_a_sphere_lies_within_the_interpolation_bound(radius: float) -> None:
    shape = (48, 50, 53)
    grid = SampleGrid(shape, (1.0,) * 3, tuple(-n / 2 for n in shape))
    mesh = extract_mesh_dense(distance_field(shape, radius), grid, iso_level=0.0)
    r = np.linalg.norm(mesh.vertices, axis=1)
    assert radius - 1 / (8 * radius) - CLEARANCE <= r.min()
    assert r.max() <= radius + CLEARANCE
    assert 0.99 < mesh.area / (4 * np.pi * radius**2) < 1
    assert 0.99 < mesh.volume / (4 / 3 * np.pi * radius**3) < 1
    assert np.abs(mesh.vertices.mean(axis=0)).max() < 0.05
    assert diagnose(mesh).watertight


def test_a_full_grid_is_closed_at_its_cells_faces() -> None:
    grid = SampleGrid((3, 4, 5), (1.0, 1.0, 2.0), (10.0, 0.0, 0.0))
    mesh = extract_mesh_dense(np.ones((3, 4, 5), dtype=np.float32), grid, iso_level=0.5)
    low, high = mesh.bounds
    assert np.allclose(low, [10, 0, 0])
    assert np.allclose(high, [13, 4, 10])
    assert diagnose(mesh).watertight


def test_samples_on_the_level_give_no_coincident_vertices() -> None:
    field = np.zeros((8, 8, 8), dtype=np.float32)
    field[2:6, 2:6, 2:6] = 0.5
    mesh = extract_mesh_dense(field, SampleGrid.unit((8, 8, 8)), iso_level=0.5)
    single = mesh.vertices.astype(np.float32)
    assert len(np.unique(single, axis=0)) == len(mesh.vertices)
    assert diagnose(mesh).watertight


def test_a_level_that_float32_rounds_still_counts_as_reached() -> None:
    field = np.full((4, 4, 4), 0.3, dtype=np.float32)
    for iso_level, has_faces in ((0.3, True), (0.3001, False)):
        mesh = extract_mesh_dense(field, SampleGrid.unit((4, 4, 4)), iso_level=iso_level)
        assert (len(mesh.faces) > 0) is has_faces


@pytest.mark.parametrize("constant", [0.0, 0.49])
def test_nothing_inside_gives_no_faces(constant: float) -> None:
    field = np.full((5, 5, 5), constant, dtype=np.float32)
    mesh = extract_mesh_dense(field, SampleGrid.unit((5, 5, 5)), iso_level=0.5)
    assert mesh.vertices.shape == mesh.faces.shape == (0, 3)


def test_padding_is_no_part_of_the_surface() -> None:
    shape = (20, 20, 20)
    blocks = on_blocks(np.ones(shape, dtype=np.float32), (8, 8, 8), halvings=2)
    mesh = extract_mesh(blocks, SampleGrid(shape, (1.0,) * 3, (0.0,) * 3), iso_level=0.5)
    assert np.allclose(mesh.bounds[1], 20.0)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_samples_that_are_not_finite_are_refused(bad: float) -> None:
    field = distance_field((9, 9, 9), 3.0)
    field[field < 0] = bad
    with pytest.raises(MeshError, match="NaN or infinite"):
        extract_mesh_dense(field, SampleGrid.unit((9, 9, 9)), iso_level=0.0)


def test_only_volumes_have_surfaces() -> None:
    blocks = SparseBlocks.from_dense(torch.ones(8, 8, 1), BlockGrid((2, 2), (4, 4)))
    with pytest.raises(BlockShapeError, match="3 axes and 1 channel"):
        extract_mesh(blocks, SampleGrid.unit((8, 8)), iso_level=0.5)


def test_blocks_must_cover_the_grid() -> None:
    blocks = on_blocks(np.ones((8, 8, 8), dtype=np.float32), (4, 4, 4))
    with pytest.raises(BlockShapeError, match="must cover the grid"):
        extract_mesh(blocks, SampleGrid.unit((8, 9, 8)), iso_level=0.5)


@given(
    shape=st.tuples(*[st.integers(3, 16)] * 3),
    block_shape=block_shapes,
    seed=seeds,
    share=st.floats(0.05, 0.95),
)
@settings(max_examples=40, deadline=None)
def test_a_mesh_equals_that_of_the_library(
    shape: Shape, block_shape: Shape, seed: int, share: float
) -> None:
    mcubes = pytest.importorskip("mcubes", reason="no wheel for this Python")
    # The library leaves the surface open at the border, and does not keep vertices apart where
    # samples are near the iso level.
    rng = np.random.default_rng(seed)
    field = rng.uniform(0.0, 0.45, shape) + 0.55 * (rng.random(shape) < share)
    field[[0, -1]] = field[:, [0, -1]] = field[:, :, [0, -1]] = 0
    field = field.astype(np.float32)
    vertices, faces = mcubes.marching_cubes(field, 0.5)
    grid = SampleGrid(shape, (1.0,) * 3, (-0.5,) * 3)
    ours = extract_mesh(on_blocks(field, block_shape), grid, iso_level=0.5)
    assert len(ours.vertices) == len(vertices)
    if not len(vertices):
        return
    gaps, same = cKDTree(ours.vertices).query(vertices)
    assert gaps.max() < 1e-5
    assert np.array_equal(np.sort(same), np.arange(len(ours.vertices)))
    theirs = TriangleMesh(ours.vertices, same[faces.astype(np.int64)])
    assert np.array_equal(canonical_faces(ours), canonical_faces(theirs))
