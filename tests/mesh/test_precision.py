"""Far from the origin positions are written in the precision that they need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geom_miner.errors import MeshError
from geom_miner.extract.isosurface import extract_mesh, extract_to_ply
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.files import WRITABLE_MESH_SUFFIXES, read_mesh, write_mesh
from geom_miner.mesh.precision import grid_needs_double, mesh_needs_double
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.shapes import box, sphere

# A place in a map projection's coordinates, meters.
FAR = np.array([448262.3, 5412345.7, 312.4])


def moved(mesh: TriangleMesh, by: np.ndarray) -> TriangleMesh:
    return TriangleMesh(mesh.vertices + by, mesh.faces)


@pytest.mark.parametrize("suffix", [s for s in WRITABLE_MESH_SUFFIXES if s != ".stl"])
def test_a_mesh_far_away_is_as_precise_as_at_the_origin(tmp_path: Path, suffix: str) -> None:
    mesh = moved(sphere(5.0), FAR)
    write_mesh(tmp_path / f"far{suffix}", mesh)
    again = read_mesh(tmp_path / f"far{suffix}")
    assert again.faces.tolist() == mesh.faces.tolist()
    # GLB keeps float32 relative to the middle; float64 has steps of 1e-9 here.
    assert np.abs(again.vertices - mesh.vertices).max() < (5e-7 if suffix == ".glb" else 1e-9)


def test_stl_has_no_such_precision_and_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "far.stl"
    path.write_bytes(b"an earlier file")
    with pytest.raises(MeshError) as caught:
        write_mesh(path, moved(sphere(5.0), FAR))
    assert str(caught.value) == (
        f"{path} must keep coordinates up to 5.41235e+06 in double precision, and STL stores "
        "float32, with steps of 0.5 there; write one of .glb, .ply, .obj, .off, or move the shape "
        "to the origin before"
    )
    assert path.read_bytes() == b"an earlier file"


@pytest.mark.parametrize("suffix", WRITABLE_MESH_SUFFIXES)
def test_near_the_origin_single_precision_stays(tmp_path: Path, suffix: str) -> None:
    mesh = moved(sphere(5.0), np.array([50.0, -20.0, 0.0]))
    write_mesh(tmp_path / f"a{suffix}", mesh)
    write_mesh(tmp_path / f"b{suffix}", mesh, double=False)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert not mesh_needs_double(mesh)


def test_the_step_of_float32_decides() -> None:
    """At 1,024 float32 numbers are 2**-13 apart; that is 1e-5 of a side of 12.2."""
    side = 2.0**-13 / 1e-5
    for factor, needed in ((1.001, False), (0.999, True)):
        high = np.full(3, 1024.0) + side * factor
        assert mesh_needs_double(box(high - side * factor, high)) is needed
    for factor, needed in ((1.001, False), (0.999, True)):
        spacing = 2.0**-13 / 0.01 * factor
        grid = SampleGrid((8, 8, 8), (spacing,) * 3, (1024.0,) * 3)
        assert grid_needs_double(grid) is needed


def test_beyond_float32_double_precision_is_needed(tmp_path: Path) -> None:
    for factor in (1e300, 1e-300):
        mesh = TriangleMesh(box().vertices * factor, box().faces)
        write_mesh(tmp_path / "mesh.ply", mesh)
        assert read_mesh(tmp_path / "mesh.ply").vertices.tolist() == mesh.vertices.tolist()


def test_a_streamed_mesh_has_the_precision_of_its_voxels(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 16)
    samples = (np.add.outer(np.add.outer(x**2, x**2), x**2) < 0.5).astype(np.float32)
    for origin, double in ((np.zeros(3), False), (FAR, True)):
        grid = SampleGrid((16,) * 3, (0.1,) * 3, tuple(origin.tolist()))
        layout = BlockGrid.covering(grid.shape, (8,) * 3)
        blocks = SparseBlocks.from_dense(torch.from_numpy(samples)[..., None], layout)
        extract_to_ply(tmp_path / "streamed.ply", blocks, grid, iso_level=0.5)
        mesh = extract_mesh(blocks, grid, iso_level=0.5)
        write_mesh(tmp_path / "whole.ply", mesh, double=double)
        streamed = (tmp_path / "streamed.ply").read_bytes()
        assert streamed == (tmp_path / "whole.ply").read_bytes()
        assert (b"property double x" in streamed) is double
