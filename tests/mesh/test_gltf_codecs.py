"""Compressed glTF files: decoded where the packages are there, refused by name where not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from geom_miner.errors import BackendUnavailable, MeshError
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.files import read_mesh
from tests.mesh.gltf_files import GltfFile
from tests.shapes import box, sphere

DRACO, MESHOPT = "KHR_draco_mesh_compression", "EXT_meshopt_compression"


def draco_file(required: bool = True) -> GltfFile:
    """A sphere of radius 1, compressed; uncompressed it is twice as large."""
    draco = pytest.importorskip("DracoPy", reason="the extra gltf is not installed")
    ball, file = sphere(), GltfFile()
    content = draco.encode(ball.vertices, faces=ball.faces.astype("u4"), quantization_bits=20)
    compressed = {"bufferView": file.view(content), "attributes": {"POSITION": 0}}
    mesh = file.mesh(sphere(2.0))
    file.document["meshes"][mesh]["primitives"][0]["extensions"] = {DRACO: compressed}
    file.node(mesh)
    if required:
        file.document["extensionsRequired"] = [DRACO]
    return file


def meshopt_file(required: bool = True) -> GltfFile:
    """The same by meshoptimizer."""
    meshopt = pytest.importorskip("meshopt", reason="the extra gltf is not installed")
    ball, file = sphere(), GltfFile()
    mesh = file.mesh(sphere(2.0))
    contents = (ball.vertices.astype("<f4"), "ATTRIBUTES"), (ball.faces.astype("u2"), "TRIANGLES")
    for view, (array, mode) in enumerate(contents):
        rows = array.reshape(-1) if mode == "TRIANGLES" else array
        file.view(meshopt.encode_gltf_buffer(rows, mode))
        stored = file.document["bufferViews"].pop()
        stored |= {"byteStride": rows.strides[0], "count": len(rows), "mode": mode}
        file.document["bufferViews"][view]["extensions"] = {MESHOPT: stored}
    file.node(mesh)
    if required:
        file.document["extensionsRequired"] = [MESHOPT]
    return file


MAKERS = {DRACO: draco_file, MESHOPT: meshopt_file}


@pytest.mark.parametrize("extension", MAKERS)
@pytest.mark.parametrize("required", [True, False])
def test_compressed_content_is_read_if_it_is_required(
    tmp_path: Path, extension: str, required: bool
) -> None:
    """Otherwise the uncompressed one is, whatever packages are there."""
    mesh = read_mesh(MAKERS[extension](required).save(tmp_path / "a.glb"))
    assert diagnose(mesh).watertight
    # Draco rounds positions to 20 bits.
    assert mesh.volume == pytest.approx(sphere(1 if required else 2).volume, rel=1e-5)


@pytest.mark.parametrize(("extension", "package"), [(DRACO, "DracoPy"), (MESHOPT, "meshopt")])
def test_without_the_package_the_extension_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str, package: str
) -> None:
    path = MAKERS[extension]().save(tmp_path / "a.glb")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BackendUnavailable, match=rf"{extension} needs .*{package}.*\[gltf\]"):
        read_mesh(path)


@pytest.mark.parametrize("extension", MAKERS)
def test_damaged_content_names_the_extension(tmp_path: Path, extension: str) -> None:
    file = MAKERS[extension]()
    view = file.document["bufferViews"][0]
    start = view.get("extensions", {}).get(MESHOPT, view)["byteOffset"]
    file.data[start : start + 40] = bytes(40)
    with pytest.raises(MeshError, match=f"its {extension} data are damaged"):
        read_mesh(file.save(tmp_path / "a.glb"))


def test_a_count_that_no_compression_reaches_is_refused_before_it_is_allocated(
    tmp_path: Path,
) -> None:
    file = meshopt_file()
    file.document["bufferViews"][0]["extensions"][MESHOPT]["count"] = 1 << 40
    with pytest.raises(MeshError, match="promises 13,194,139,533,312 bytes in"):
        read_mesh(file.save(tmp_path / "a.glb"))


def test_a_count_that_differs_from_what_draco_gives_is_refused(tmp_path: Path) -> None:
    file = draco_file()
    file.document["accessors"][0]["count"] += 1
    with pytest.raises(MeshError, match=f"{DRACO} positions has 642 entries for 643 vertices"):
        read_mesh(file.save(tmp_path / "a.glb"))


def test_draco_with_normalized_integers(tmp_path: Path) -> None:
    draco = pytest.importorskip("DracoPy", reason="the extra gltf is not installed")
    file = GltfFile()
    stored = (box().vertices * 255).astype("u1")
    content = draco.encode(
        stored, faces=box().faces.astype("u4"), quantization_bits=0, preserve_order=True
    )
    compressed = {"bufferView": file.view(content), "attributes": {"POSITION": 0}}
    position = file.accessor(np.zeros((8, 3), "u1"), normalized=True)
    attributes = {"attributes": {"POSITION": position}, "extensions": {DRACO: compressed}}
    file.node(file.primitives(attributes))
    file.document["extensionsRequired"] = [DRACO]
    assert read_mesh(file.save(tmp_path / "a.glb")).volume == 1
