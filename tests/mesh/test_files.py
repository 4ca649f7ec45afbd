"""Formats other than PLY, atomic writing, and one-sentence errors for every unusable file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import trimesh

from geom_miner.errors import MeshError
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.files import (
    MESH_SUFFIXES,
    WRITABLE_MESH_SUFFIXES,
    WRITERS,
    read_mesh,
    write_mesh,
)
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.shapes import box, sphere, torus


@pytest.mark.parametrize(
    "suffix", [suffix for suffix in WRITABLE_MESH_SUFFIXES if suffix in MESH_SUFFIXES]
)
def test_round_trip_keeps_the_triangles(tmp_path: Path, suffix: str) -> None:
    """Binary formats restore float32 positions bit for bit; every format restores connectivity."""
    scaled = TriangleMesh(torus().vertices.astype(np.float32) * 2.0**-10, torus().faces)
    path = tmp_path / f"mesh{suffix}"
    write_mesh(path, scaled)
    again = read_mesh(path)
    # Text formats store nine significant digits of the largest coordinate.
    tolerance = 1e-9 * np.abs(scaled.vertices).max() if suffix in (".obj", ".off") else 0.0
    np.testing.assert_allclose(again.triangles, scaled.triangles, rtol=0, atol=tolerance)
    assert len(again.vertices) == len(scaled.vertices)
    assert diagnose(again).watertight


def test_suffix_may_be_upper_case(tmp_path: Path) -> None:
    write_mesh(tmp_path / "BOX.PLY", box())
    write_mesh(tmp_path / "BOX.STL", box())
    assert read_mesh(tmp_path / "BOX.PLY").volume == read_mesh(tmp_path / "BOX.STL").volume == 1.0


def test_scene_is_flattened_with_its_transforms(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    part = trimesh.Trimesh(box().vertices, box().faces, process=False)
    scene.add_geometry(part, transform=trimesh.transformations.translation_matrix([10, 0, 0]))
    scene.add_geometry(part, transform=np.diag([2.0, 3.0, 4.0, 1.0]))
    (tmp_path / "two.glb").write_bytes(scene.export(file_type="glb"))
    mesh = read_mesh(tmp_path / "two.glb")
    assert diagnose(mesh).components == 2
    assert mesh.volume == pytest.approx(25.0)
    assert mesh.bounds[1].tolist() == [11.0, 3.0, 4.0]


def test_obj_with_quadrilaterals_normals_and_missing_material(tmp_path: Path) -> None:
    path = tmp_path / "quad.obj"
    path.write_text(
        "mtllib nowhere.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvn 0 0 1\nvt 0 0\nvt 1 1\n"
        "usemtl red\nf 1/1/1 2/2/1 3/1/1 4/2/1\n"
    )
    mesh = read_mesh(path)
    assert len(mesh.faces) == 2
    assert mesh.area == 1.0


def test_a_failed_write_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mesh.ply"
    write_mesh(path, box())
    before = path.read_bytes()

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(WRITERS, ".ply", full)
    with pytest.raises(MeshError, match="No space left on device"):
        write_mesh(path, sphere())
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["mesh.ply"]


@pytest.mark.parametrize("suffix", WRITABLE_MESH_SUFFIXES)
def test_writing_into_no_folder_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(MeshError, match=r"cannot write .* folder that exists") as caught:
        write_mesh(tmp_path / "missing" / f"mesh{suffix}", box())
    assert "\n" not in str(caught.value)


def test_writing_onto_a_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mesh.ply").mkdir()
    with pytest.raises(MeshError, match="cannot write"):
        write_mesh(tmp_path / "mesh.ply", box())
    assert os.listdir(tmp_path) == ["mesh.ply"]


def test_positions_beyond_float32_are_refused_in_single_precision(tmp_path: Path) -> None:
    mesh = TriangleMesh(box().vertices * 1e300, box().faces)
    with pytest.raises(MeshError, match="double precision"):
        write_mesh(tmp_path / "mesh.ply", mesh, double=False)
    write_mesh(tmp_path / "mesh.ply", mesh, double=True)


def test_unknown_extension_is_one_sentence(tmp_path: Path) -> None:
    for name in ("mesh.xyz", "mesh"):
        (tmp_path / name).write_text("0 0 0\n")
        with pytest.raises(MeshError, match=r"must be a mesh \(.*\.obj, \.off, \.ply"):
            read_mesh(tmp_path / name)
        with pytest.raises(MeshError, match=r"\.ply, \.obj"):
            write_mesh(tmp_path / name, box())


@pytest.mark.parametrize("suffix", MESH_SUFFIXES)
@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (None, "does not exist"),
        (b"", "0 bytes"),
        (b"Dear reader,\nthis is no mesh.\n", None),
        (bytes(range(256)) * 3, None),
        ("folder", "folder"),
    ],
    ids=["missing", "empty", "text", "bytes", "folder"],
)
def test_garbage_is_one_sentence(
    tmp_path: Path, suffix: str, content: bytes | str | None, pattern: str | None
) -> None:
    path = tmp_path / f"bad{suffix}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    with pytest.raises(MeshError, match=pattern) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".stl", ".glb", ".off"])
def test_cut_files_are_one_sentence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    write_mesh(path, sphere())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(MeshError) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no faces"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", None),
        ("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "NaN"),
    ],
)
def test_bad_obj_is_one_sentence(tmp_path: Path, text: str, pattern: str | None) -> None:
    path = tmp_path / "bad.obj"
    path.write_text(text)
    with pytest.raises(MeshError, match=pattern) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
