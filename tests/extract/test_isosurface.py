import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.errors import BlockShapeError
from geom_miner.extract import isosurface
from geom_miner.extract.isosurface import extract_mesh, extract_mesh_dense
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.diagnose import diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh


def distance_field(shape: tuple[int, int, int], radius: float) -> np.ndarray:
    """Radius minus distance from the grid's middle, in samples: positive inside."""
    axes = [np.arange(n) - (n - 1) / 2 for n in shape]
    grid = np.meshgrid(*axes, indexing="ij")
    return (radius - np.sqrt(sum(a**2 for a in grid))).astype(np.float32)


def face_set(mesh: TriangleMesh) -> set[tuple[int, ...]]:
    """Faces up to rotation of their corners."""
    turn = (np.argmin(mesh.faces, axis=1)[:, None] + np.arange(3)) % 3
    return set(map(tuple, np.take_along_axis(mesh.faces, turn, axis=1).tolist()))


@given(
    shape=st.tuples(*[st.integers(1, 17)] * 3),
    block=st.sampled_from([2, 4, 8]),
    seed=st.integers(0, 2**31),
    smooth=st.booleans(),
)
@settings(max_examples=60)
def test_blockwise_equals_dense_and_is_closed(
    shape: tuple[int, int, int], block: int, seed: int, smooth: bool
) -> None:
    field = np.random.default_rng(seed).random(shape, dtype=np.float32)
    if smooth:
        field = distance_field(shape, min(shape) / 2.5) + 0.8 * field
    grid = SampleGrid(shape, (0.5, 1.0, 2.0), (-3.0, 10.0, 0.0))
    layout = BlockGrid.covering(shape, (block,) * 3)
    blocks = SparseBlocks.from_dense(torch.from_numpy(field)[..., None], layout)
    mesh, dense = (
        extract_mesh(blocks, grid, iso_level=0.5),
        extract_mesh_dense(field, grid, iso_level=0.5),
    )
    assert np.array_equal(mesh.vertices, dense.vertices)
    assert face_set(mesh) == face_set(dense)
    assert diagnose(mesh).open_edges == 0
    assert balanced(mesh)


def balanced(mesh: TriangleMesh) -> bool:
    """Every directed edge is matched by its opposite: a closed, consistently oriented surface."""
    edges = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    there = np.sort(edges[:, 0] * len(mesh.vertices) + edges[:, 1])
    back = np.sort(edges[:, 1] * len(mesh.vertices) + edges[:, 0])
    return np.array_equal(there, back)


def test_vertices_are_where_the_library_puts_them() -> None:
    mcubes = pytest.importorskip("mcubes", reason="no wheel for this Python")
    field = np.random.default_rng(0).random((14, 9, 11), dtype=np.float32)
    field[[0, -1]] = field[:, [0, -1]] = field[:, :, [0, -1]] = 0
    theirs, faces = mcubes.marching_cubes(field, 0.5)
    ours = extract_mesh_dense(
        field, SampleGrid((14, 9, 11), (1.0,) * 3, (-0.5,) * 3), iso_level=0.5
    )
    assert len(ours.vertices) == len(theirs)
    assert len(ours.faces) == len(faces)
    order = [np.lexsort(np.round(v, 6).T) for v in (ours.vertices, theirs)]
    gap = np.abs(ours.vertices[order[0]] - theirs[order[1]]).max()
    assert gap < 2e-3  # our vertices keep 0.001 voxel from the ends of their edges


@given(seed=st.integers(0, 2**31), share=st.sampled_from([0.1, 0.4, 0.5, 0.8]))
@settings(max_examples=30)
def test_both_libraries_cut_ambiguous_cells_alike(seed: int, share: float) -> None:
    pytest.importorskip("mcubes", reason="no wheel for this Python")
    inside = np.random.default_rng(seed).random((7, 8, 9)) < share
    inside[[0, -1]] = inside[:, [0, -1]] = inside[:, :, [0, -1]] = False
    outline = []
    for polygonize in (isosurface._by_pymcubes, isosurface._by_skimage):
        doubled, faces = polygonize(inside)
        mesh = TriangleMesh(doubled / 2.0, faces)
        assert balanced(mesh)
        assert mesh.volume >= 0
        edges = np.unique(doubled, axis=0)
        outline.append((edges.tolist(), len(faces), diagnose(mesh).parts))
    assert outline[0] == outline[1]


@pytest.mark.parametrize("radius", [16.0, 20.3])
def test_a_sphere_lies_within_the_interpolation_bound(radius: float) -> None:
    shape = (48, 50, 53)
    grid = SampleGrid(shape, (1.0,) * 3, tuple(-n / 2 for n in shape))
    mesh = extract_mesh_dense(distance_field(shape, radius), grid, iso_level=0.0)
    r = np.linalg.norm(mesh.vertices, axis=1)
    clearance = 1e-3
    assert radius - 1 / (8 * radius) - clearance <= r.min()
    assert r.max() <= radius + clearance
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


def test_nothing_inside_gives_no_faces() -> None:
    mesh = extract_mesh_dense(
        np.zeros((5, 5, 5), dtype=np.float32), SampleGrid.unit((5, 5, 5)), iso_level=0.5
    )
    assert mesh.faces.shape == (0, 3)


def test_padding_is_no_part_of_the_surface() -> None:
    shape = (20, 20, 20)
    layout = BlockGrid.covering(shape, (8, 8, 8), halvings=2)
    blocks = SparseBlocks.from_dense(torch.ones(*shape, 1), layout)
    mesh = extract_mesh(blocks, SampleGrid(shape, (1.0,) * 3, (0.0,) * 3), iso_level=0.5)
    assert np.allclose(mesh.bounds[1], 20.0)


def test_only_volumes_have_surfaces() -> None:
    blocks = SparseBlocks.from_dense(torch.ones(8, 8, 1), BlockGrid((2, 2), (4, 4)))
    with pytest.raises(BlockShapeError, match="3 axes and 1 channel"):
        extract_mesh(blocks, SampleGrid.unit((8, 8)), iso_level=0.5)
