"""Any mesh file may be compressed with gzip; what it unpacks to is bounded."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from geom_miner.errors import MeshError
from geom_miner.mesh.files import mesh_suffix, read_mesh, write_mesh
from geom_miner.mesh.formats import contents
from tests.shapes import box, torus


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".stl", ".off", ".glb"])
def test_a_compressed_file_is_the_same_mesh(tmp_path: Path, suffix: str) -> None:
    plain = tmp_path / f"torus{suffix}"
    write_mesh(plain, torus())
    packed = tmp_path / f"torus{suffix.upper()}.GZ"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    np.testing.assert_array_equal(read_mesh(packed).triangles, read_mesh(plain).triangles)
    assert mesh_suffix(packed) == suffix


def packed_box(tmp_path: Path) -> bytes:
    write_mesh(tmp_path / "box.ply", box())
    return gzip.compress((tmp_path / "box.ply").read_bytes())


def test_damage_is_one_sentence(tmp_path: Path) -> None:
    packed = packed_box(tmp_path)
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 0x55
    path = tmp_path / "bad.ply.gz"
    for content in (packed[:-9], packed[:30], b"ply\n", bytes(flipped), packed + b"more"):
        path.write_bytes(content)
        with pytest.raises(MeshError, match="damaged, cut short or not compressed with gzip"):
            read_mesh(path)


def test_what_unpacks_to_more_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "box.ply.gz"
    packed = packed_box(tmp_path)
    path.write_bytes(packed)
    monkeypatch.setattr(contents, "_MOST_UNPACKED", 100)
    assert read_mesh(path).volume == 1.0
    monkeypatch.setattr(contents, "_MOST_RATIO", 1)
    with pytest.raises(MeshError, match=f"at most {len(packed)} bytes"):
        read_mesh(path)


def test_the_suffix_before_gz_names_the_format(tmp_path: Path) -> None:
    for name in ("mesh.gz", "mesh.tar.gz"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(MeshError, match="must be a mesh"):
            read_mesh(tmp_path / name)
