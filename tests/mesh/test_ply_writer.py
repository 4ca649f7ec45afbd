"""PLY written slab by slab."""

import io

import numpy as np
import pytest

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.ply import write_ply
from geom_miner.mesh.formats.ply_writer import write_ply_slabs
from tests.shapes import sphere


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("slab_count", [1, 3, 50])
def test_slabs_give_the_bytes_of_the_whole(slab_count: int, double: bool) -> None:
    mesh = sphere()
    whole, slabs = io.BytesIO(), io.BytesIO()
    write_ply(whole, mesh, comments=["a"], double=double)
    write_ply_slabs(
        slabs,
        (len(mesh.vertices), len(mesh.faces)),
        iter(np.array_split(mesh.vertices, slab_count)),
        iter(np.array_split(mesh.faces, slab_count)),
        comments=["a"],
        double=double,
    )
    assert slabs.getvalue() == whole.getvalue()


def test_more_vertices_than_int32_counts_are_refused() -> None:
    stream = io.BytesIO()
    with pytest.raises(MeshError, match=r"at most 2,147,483,647 vertices.* got 2,147,483,648"):
        write_ply_slabs(stream, (2**31, 1), [], [])
    assert stream.getvalue() == b""
