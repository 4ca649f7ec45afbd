"""A mesh written while it is made has the bytes of the mesh in memory, or is not written at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.errors import EmptySurfaceError, MeshError
from geom_miner.extract.isosurface import Isosurface, extract_mesh, extract_to_ply
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.files import read_mesh, write_mesh

COMMENTS = ["made by a test", "two\nlines, one with µ"]


def noise(shape: tuple[int, int, int], seed: int, share: float) -> SparseBlocks:
    field = np.random.default_rng(seed).random(shape) < share
    layout = BlockGrid.covering(shape, (4, 4, 4))
    return SparseBlocks.from_dense(torch.from_numpy(field)[..., None], layout)


@given(
    shape=st.tuples(*[st.integers(1, 17)] * 3),
    seed=st.integers(0, 2**31),
    share=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
)
@settings(max_examples=30, deadline=None)
def test_the_bytes_are_those_of_the_mesh_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    seed: int,
    share: float,
) -> None:
    folder = tmp_path_factory.mktemp("meshes")
    blocks, grid = noise(shape, seed, share), SampleGrid(shape, (0.1, 0.2, 0.3), (5.0, -1.0, 0.0))
    mesh = extract_mesh(blocks, grid, iso_level=0.5)
    if not len(mesh.faces):
        with pytest.raises(EmptySurfaceError, match="no sample reaches the iso level"):
            extract_to_ply(folder / "streamed.ply", blocks, grid, iso_level=0.5)
        assert os.listdir(folder) == []
        return
    counts = extract_to_ply(folder / "streamed.ply", blocks, grid, iso_level=0.5, comments=COMMENTS)
    write_mesh(folder / "in_memory.ply", mesh, comments=COMMENTS)
    assert counts == (len(mesh.vertices), len(mesh.faces))
    assert (folder / "streamed.ply").read_bytes() == (folder / "in_memory.ply").read_bytes()


def test_no_slab_is_the_whole_mesh() -> None:
    surface = Isosurface(noise((40, 20, 20), 0, 0.5), SampleGrid.unit((40, 20, 20)), iso_level=0.5)
    for slabs, total in (
        (list(surface.vertex_slabs()), surface.num_vertices),
        (list(surface.face_slabs()), surface.num_faces),
    ):
        assert sum(map(len, slabs)) == total
        assert max(map(len, slabs)) < total / 5


@pytest.mark.parametrize(
    ("problem", "raised"),
    [
        (OSError(28, "No space left on device"), MeshError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (MemoryError(), MemoryError),
    ],
)
@pytest.mark.parametrize("stage", ["vertex_slabs", "face_slabs"])
def test_an_early_end_leaves_the_earlier_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: BaseException,
    raised: type[BaseException],
    stage: str,
) -> None:
    blocks, grid = noise((20, 20, 20), 0, 0.5), SampleGrid.unit((20, 20, 20))
    path = tmp_path / "mesh.ply"
    path.write_bytes(b"earlier")
    whole = getattr(Isosurface, stage)

    def broken(surface: Isosurface) -> Iterator[np.ndarray]:
        yield next(whole(surface))
        assert len(os.listdir(tmp_path)) == 2
        raise problem

    monkeypatch.setattr(Isosurface, stage, broken)
    with pytest.raises(raised) as caught:
        extract_to_ply(path, blocks, grid, iso_level=0.5)
    if raised is MeshError:
        assert "No space left on device" in str(caught.value)
    assert os.listdir(tmp_path) == ["mesh.ply"]
    assert path.read_bytes() == b"earlier"


def test_positions_beyond_float32_are_written_in_float64(tmp_path: Path) -> None:
    blocks, grid = noise((6, 6, 6), 0, 0.5), SampleGrid((6, 6, 6), (1e100,) * 3, (0.0,) * 3)
    extract_to_ply(tmp_path / "mesh.ply", blocks, grid, iso_level=0.5)
    expected = extract_mesh(blocks, grid, iso_level=0.5)
    assert np.array_equal(read_mesh(tmp_path / "mesh.ply").vertices, expected.vertices)


def test_the_file_reads_back(tmp_path: Path) -> None:
    blocks, grid = noise((9, 8, 7), 3, 0.3), SampleGrid.unit((9, 8, 7))
    extract_to_ply(tmp_path / "mesh.ply", blocks, grid, iso_level=0.5)
    there, mesh = read_mesh(tmp_path / "mesh.ply"), extract_mesh(blocks, grid, iso_level=0.5)
    assert np.array_equal(there.vertices, mesh.vertices.astype(np.float32))
    assert np.array_equal(there.faces, mesh.faces)
