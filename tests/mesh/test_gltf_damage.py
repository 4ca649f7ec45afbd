"""Damaged and hostile glTF files are refused in one sentence that names what is wrong."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geom_miner.errors import MeshError
from geom_miner.mesh.files import read_mesh
from tests.mesh.gltf_files import GltfFile
from tests.shapes import box, sphere

BROKEN: dict[str, tuple[list[Any], Any, str]] = {
    "required": (["extensionsRequired"], ["ACME_mesh"], "requires the extension ACME_mesh"),
    "version": (["asset"], {"version": "1.0"}, r"glTF 1\.0, and glTF 2 is read"),
    "no version": (["asset"], {}, "version"),
    "count": (["accessors", 0, "count"], 9, "accessor 0 announces 9 elements"),
    "huge count": (
        ["accessors", 0, "count"],
        1 << 50,
        "accessor 0 announces 1,125,899,906,842",
    ),
    "wrong type": (
        ["accessors", 0, "count"],
        "8",
        r"Expected int, got str - at \$\.accessors",
    ),
    "negative": (["accessors", 0, "byteOffset"], -4, "Expected int >= 0"),
    "no such view": (["accessors", 0, "bufferView"], 7, "buffer view 7"),
    "view": (["bufferViews", 0, "byteLength"], 10**9, "buffer view 0 announces 1,000,000,000"),
    "no bytes": (["accessors", 0], {"componentType": 5126, "count": 8, "type": "VEC3"}, "no data"),
    "component": (["accessors", 0, "componentType"], 5124, "component type 5124"),
    "vector": (["accessors", 0, "type"], "VEC4", "accessor 0 must be VEC3, got VEC4"),
    "buffer": (["buffers"], [{"byteLength": 10**6}], "announces 1,000,000 bytes of buffer 0"),
    "missing file": (["buffers"], [{"byteLength": 9, "uri": "gone.bin"}], r"gone\.bin does not"),
    "address": (["buffers"], [{"byteLength": 9, "uri": "https://a/b.bin"}], "only files are read"),
    "base64": (["buffers"], [{"byteLength": 9, "uri": "data:;base64,A"}], "embedded data"),
    "index": (["bufferViews", 1, "byteOffset"], 0, "an index of a primitive is"),
    "mode": (["meshes", 0, "primitives", 0, "mode"], 7, "unknown mode 7"),
    "cycle": (["nodes", 0, "children"], [0], "node 0 is its own ancestor"),
    "two parents": (["nodes", 0, "children"], [1, 1], "node 1 has two parents"),
    "no such child": (["nodes", 0, "children"], [5], "node 5"),
    "no such mesh": (["nodes", 0, "mesh"], 3, "mesh 3"),
    "no rotation": (["nodes", 0, "rotation"], [0, 0, 0, 0], "node 0 has a rotation of length 0"),
    "matrix": (["nodes", 0, "matrix"], [1, 2, 3], "length >= 16"),
    "nothing": (["meshes", 0, "primitives"], [], "no faces"),
}


@pytest.mark.parametrize(("path", "value", "words"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("name", ["a.glb", "a.gltf"])
def test_what_is_broken_is_named(
    tmp_path: Path, name: str, path: list[Any], value: Any, words: str
) -> None:
    file = GltfFile()
    file.node(file.mesh(box()))
    file.node()
    record: Any = file.document
    for key in path[:-1]:
        record = record[key]
    record[path[-1]] = value
    with pytest.raises(MeshError, match=words) as caught:
        read_mesh(file.save(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_deep_json_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "deep.gltf"
    path.write_text('{"asset":{"version":"2.0"},"x":' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(MeshError, match="no valid glTF"):
        read_mesh(path)


def test_a_scene_that_repeats_a_mesh_without_bound_is_refused(tmp_path: Path) -> None:
    file = GltfFile()
    places = file.accessor(np.zeros((10_000, 3), "<f4"))
    extensions = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": places}}}
    mesh = file.mesh(sphere(subdivisions=4))
    for _ in range(3):
        file.node(mesh, extensions=extensions)
    with pytest.raises(MeshError, match="repeats 5,120 triangles to 51,200,000 or more"):
        read_mesh(file.save(tmp_path / "a.glb"))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_cut_glb_says_so(tmp_path: Path, part: float) -> None:
    file = GltfFile()
    file.node(file.mesh(box()))
    path = file.save(tmp_path / "cut.glb")
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(MeshError, match="cut short"):
        read_mesh(path)


def test_no_flipped_byte_of_the_json_raises_anything_else(tmp_path: Path) -> None:
    file = GltfFile()
    file.node(file.mesh(box()))
    content = json.dumps(file.document).encode()
    path = file.save(tmp_path / "a.glb")
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        at, value = int(rng.integers(0, 20 + len(content))), int(rng.integers(0, 256))
        path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
        with contextlib.suppress(MeshError):
            read_mesh(path)
