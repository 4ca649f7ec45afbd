"""The table of triangles: oriented, complete, and the same from both libraries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.extract import cube_table, isosurface
from geom_miner.extract.isosurface import extract_mesh
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.extract.meshes import balanced, canonical_faces, library_mesh


def ends(edge: int) -> tuple[int, int]:
    """Corners at both ends of an edge of the cell, with the numbers of the module."""
    axis, offsets = 2 - edge // 4, [edge // 2 % 2, edge % 2]
    low = np.insert(offsets, axis, 0)
    high = np.insert(offsets, axis, 1)
    return tuple(int(4 * k + 2 * i + j) for i, j, k in (low, high))  # type: ignore[return-value]


def test_a_pattern_uses_exactly_the_edges_that_it_crosses() -> None:
    starts, corners = cube_table.cube_table()
    assert starts[0] == starts[1] == 0  # nothing inside
    assert starts[255] == starts[256] == len(corners)
    for pattern in range(256):
        used = set(corners[starts[pattern] : starts[pattern + 1]].flatten().tolist())
        crossed = {e for e in range(12) if len({pattern >> corner & 1 for corner in ends(e)}) == 2}
        assert used == crossed


def test_a_single_corner_is_cut_off_outward() -> None:
    starts, corners = cube_table.cube_table()
    (triangle,) = corners[starts[1] : starts[2]]  # corner (0, 0, 0) inside
    middles = {0: (0, 0, 0.5), 4: (0, 0.5, 0), 8: (0.5, 0, 0)}
    a, b, c = (np.array(middles[int(edge)]) for edge in triangle)
    assert np.dot(np.cross(b - a, c - a), (1, 1, 1)) > 0


@given(seed=st.integers(0, 2**31), share=st.sampled_from([0.1, 0.4, 0.5, 0.8]))
@settings(max_examples=30)
def test_both_libraries_connect_ambiguous_cells_alike(seed: int, share: float) -> None:
    pytest.importorskip("mcubes", reason="no wheel for this Python")
    inside = np.random.default_rng(seed).random((7, 8, 9)) < share
    inside[[0, -1]] = inside[:, [0, -1]] = inside[:, :, [0, -1]] = False
    summaries = []
    for polygonize in (cube_table._by_pymcubes, cube_table._by_skimage):
        doubled, faces = polygonize(inside)
        mesh = TriangleMesh(doubled / 2.0, faces)
        assert balanced(mesh)
        assert mesh.volume >= 0
        edges = np.unique(doubled, axis=0)
        summaries.append((edges.tolist(), len(faces), diagnose(mesh).components))
    assert summaries[0] == summaries[1]


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_scikit_image_gives_the_same_mesh_for_blocks_and_the_whole(seed: int) -> None:
    shape = (9, 8, 7)
    field = np.random.default_rng(seed).random(shape, dtype=np.float32)
    grid, layout = SampleGrid.unit(shape), BlockGrid.covering(shape, (4, 4, 4))
    blocks = SparseBlocks.from_dense(torch.from_numpy(field)[..., None], layout)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cube_table, "_polygonize", cube_table._by_skimage)
        patch.setattr(isosurface, "cube_table", cube_table.cube_table.__wrapped__)
        mesh, whole = extract_mesh(blocks, grid, iso_level=0.5), library_mesh(field, grid, 0.5)
    assert np.array_equal(mesh.vertices, whole.vertices)
    assert np.array_equal(canonical_faces(mesh), canonical_faces(whole))
