"""PLY written slab by slab."""

import io
from pathlib import Path

import numpy as np
import pytest

from geom_miner.errors import MeshError
from geom_miner.mesh.new_file import new_mesh_file
from geom_miner.mesh.ply import write_ply
from geom_miner.mesh.ply_stream import write_ply_slabs
from tests.shapes import sphere


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("parts", [1, 3, 50])
def test_slabs_give_the_bytes_of_the_whole(parts: int, double: bool) -> None:
    mesh = sphere()
    whole, slabs = io.BytesIO(), io.BytesIO()
    write_ply(whole, mesh, comments=["a"], double=double)
    write_ply_slabs(
        slabs,
        (len(mesh.vertices), len(mesh.faces)),
        iter(np.array_split(mesh.vertices, parts)),
        iter(np.array_split(mesh.faces, parts)),
        comments=["a"],
        double=double,
    )
    assert slabs.getvalue() == whole.getvalue()


def test_more_vertices_than_int32_counts_are_refused() -> None:
    stream = io.BytesIO()
    with pytest.raises(MeshError, match="2,147,483,648 vertices are too many"):
        write_ply_slabs(stream, (2**31, 1), [], [])
    assert stream.getvalue() == b""


def test_a_new_file_takes_the_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "mesh.ply"
    path.write_bytes(b"earlier")
    with new_mesh_file(path) as stream:
        stream.write(b"later")
        stream.flush()
        assert path.read_bytes() == b"earlier"
    assert path.read_bytes() == b"later"
    assert list(tmp_path.iterdir()) == [path]
