"""glTF: every way to store triangles gives the same mesh, with exact volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.files import read_mesh
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.mesh.gltf_files import GltfFile
from tests.shapes import box, sphere

# A rotation by 90 degrees around z, as x, y, z, w.
QUARTER_TURN = [0.0, 0.0, 0.5**0.5, 0.5**0.5]


def read(file: GltfFile, folder: Path, name: str = "a.glb") -> TriangleMesh:
    return read_mesh(file.save(folder / name))


def assert_closed(mesh: TriangleMesh, volume: float) -> None:
    assert diagnose(mesh).watertight
    assert mesh.volume == pytest.approx(volume, rel=1e-6)


@pytest.mark.parametrize("name", ["a.glb", "a.gltf"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", None])
def test_indices_of_every_width_and_none(tmp_path: Path, name: str, dtype: str | None) -> None:
    file = GltfFile()
    if dtype is None:
        corners = box().triangles.reshape(-1, 3).astype("<f4")
        file.node(file.primitives({"attributes": {"POSITION": file.accessor(corners)}}))
    else:
        indices = file.accessor(box().faces.astype(f"<{dtype}").reshape(-1))
        positions = file.accessor(box().vertices.astype("<f4"))
        file.node(file.primitives({"attributes": {"POSITION": positions}, "indices": indices}))
    mesh = read(file, tmp_path, name)
    assert len(mesh.vertices) == 8
    assert_closed(mesh, 1)


def test_interleaved_positions(tmp_path: Path) -> None:
    file = GltfFile()
    rows = np.zeros((8, 6), "<f4")
    rows[:, 3:] = box().vertices
    view = file.view(rows.tobytes(), byteStride=24)
    accessor = {"bufferView": view, "byteOffset": 12, "componentType": 5126, "count": 8}
    positions = file.add("accessors", {**accessor, "type": "VEC3"})
    indices = file.accessor(box().faces.astype("<u2").reshape(-1))
    file.node(file.primitives({"attributes": {"POSITION": positions}, "indices": indices}))
    assert_closed(read(file, tmp_path), 1)


@pytest.mark.parametrize(("dtype", "largest"), [("i1", 127), ("u1", 255), ("i2", 32767)])
@pytest.mark.parametrize("normalized", [True, False])
def test_quantized_positions(tmp_path: Path, dtype: str, largest: int, normalized: bool) -> None:
    file = GltfFile()
    stored = np.zeros((8, 4), f"<{dtype}")
    stored[:, :3] = box().vertices * largest
    view = file.view(stored.tobytes(), byteStride=stored.strides[0])
    accessor = {"bufferView": view, "count": 8, "type": "VEC3", "normalized": normalized}
    component = {"i1": 5120, "u1": 5121, "i2": 5122}[dtype]
    positions = file.add("accessors", {**accessor, "componentType": component})
    indices = file.accessor(box().faces.astype("<u2").reshape(-1))
    mesh = file.primitives({"attributes": {"POSITION": positions}, "indices": indices})
    file.node(mesh, scale=[1, 1, 1] if normalized else [1 / largest] * 3)
    file.document["extensionsRequired"] = ["KHR_mesh_quantization"]
    assert_closed(read(file, tmp_path), 1)


def test_the_most_negative_normalized_integer_is_minus_one(tmp_path: Path) -> None:
    file = GltfFile()
    corners = np.array([[-128, 0, 0], [-127, 0, 0], [0, 127, 0]], "i1")
    positions = file.accessor(corners, normalized=True)
    file.node(file.primitives({"attributes": {"POSITION": positions}}))
    assert read(file, tmp_path).vertices.tolist() == [[-1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("with_base", [True, False])
def test_sparse_positions(tmp_path: Path, with_base: bool) -> None:
    """The upper corners of a box are moved from 1 to 3; or all corners replace zeros."""
    file = GltfFile()
    moved = box((0, 0, 0), (1, 1, 3)).vertices
    places = np.flatnonzero(moved[:, 2] > 1) if with_base else np.arange(8)
    sparse = {
        "count": len(places),
        "indices": {"bufferView": file.view(places.astype("u1").tobytes()), "componentType": 5121},
        "values": {"bufferView": file.view(moved[places].astype("<f4").tobytes())},
    }
    positions = file.accessor(box().vertices.astype("<f4"), sparse=sparse)
    if not with_base:
        del file.document["accessors"][positions]["bufferView"]
    indices = file.accessor(box().faces.astype("<u2").reshape(-1))
    file.node(file.primitives({"attributes": {"POSITION": positions}, "indices": indices}))
    assert_closed(read(file, tmp_path), 3)


def cone(steps: int) -> tuple[np.ndarray, float]:
    """Rim of a circle of radius 1, counter-clockwise from above, and its polygon's area."""
    angles = np.arange(steps + 1) % steps * (2 * np.pi / steps)
    rim = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    return rim, 0.5 * steps * np.sin(2 * np.pi / steps)


def test_fans_face_as_their_order_says(tmp_path: Path) -> None:
    rim, area = cone(16)
    up, down = np.vstack([[[0, 0, 1]], rim]), np.vstack([[[0, 0, -2]], rim[::-1]])
    file = GltfFile()
    fans = [file.accessor(points.astype("<f4")) for points in (up, down)]
    file.node(file.primitives(*({"attributes": {"POSITION": fan}, "mode": 6} for fan in fans)))
    # A third of the area times the heights 1 and 2.
    assert_closed(read(file, tmp_path), area)


def test_strips_turn_every_second_triangle(tmp_path: Path) -> None:
    """A tube of one strip, and its two lids as one strip each, joined by degenerate triangles."""
    tube, left, right = [0, 1, 4, 5, 6, 7, 2, 3, 0, 1], [0, 4, 2, 6], [1, 3, 5, 7]
    joined = [*tube, 1, left[0], *left, left[-1], right[0], *right]
    # The first triangle faces inward; one corner more in front turns all around.
    for order, sign in ((joined, -1), ([joined[0], *joined], 1)):
        file = GltfFile()
        attributes = {"POSITION": file.accessor(box().vertices.astype("<f4"))}
        indices = file.accessor(np.array(order, "u1"))
        file.node(file.primitives({"attributes": attributes, "indices": indices, "mode": 5}))
        mesh = read(file, tmp_path)
        assert len(mesh.faces) == 12
        assert diagnose(mesh).watertight
        assert mesh.volume == sign


def test_nodes_place_and_mirror(tmp_path: Path) -> None:
    """Parents multiply; a mirrored copy keeps its faces outward; a matrix is column by column."""
    file = GltfFile()
    mesh = file.mesh(box())
    child = file.node(mesh, translation=[1, 0, 0], scale=[2, 1, 1])
    file.node(children=[child], rotation=QUARTER_TURN, scale=[1, 1, 3])
    file.node(mesh, scale=[-1, 1, 1], translation=[-10, 0, 0])
    file.node(mesh, matrix=[0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 20, 0, 0, 1])
    read_back = read(file, tmp_path)
    assert_closed(read_back, 6 + 1 + 2)
    low, high = read_back.bounds
    np.testing.assert_allclose(low, [-11, 0, 0], atol=1e-12)
    np.testing.assert_allclose(high, [21, 3, 3], atol=1e-12)


def test_split_vertices_stay_together_where_a_node_turns_them(tmp_path: Path) -> None:
    file = GltfFile()
    ball = sphere(subdivisions=2)
    corners = ball.triangles.reshape(-1, 3).astype("<f4")
    turned = {"rotation": [0.1, 0.2, 0.3, 0.9], "translation": [448262.3, 5412345.7, 312.4]}
    file.node(file.primitives({"attributes": {"POSITION": file.accessor(corners)}}), **turned)
    mesh = read(file, tmp_path)
    assert len(mesh.vertices) == len(ball.vertices)
    assert diagnose(mesh).watertight


def test_instances(tmp_path: Path) -> None:
    file = GltfFile()
    attributes = {
        "TRANSLATION": file.accessor(np.array([[0, 0, 0], [5, 0, 0], [20, 0, 0]], "<f4")),
        "ROTATION": file.accessor(np.array([[0, 0, 0, 127]] * 3, "i1"), normalized=True),
        "SCALE": file.accessor(np.array([[1, 1, 1], [2, 1, 1], [-3, 1, 1]], "<f4")),
    }
    extensions = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    file.node(file.mesh(box()), extensions=extensions, scale=[1, 1, 2])
    file.document["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]
    mesh = read(file, tmp_path)
    assert_closed(mesh, 2 * (1 + 2 + 3))
    assert mesh.bounds[1].tolist() == [20, 1, 2]


def test_morph_targets_are_applied_by_weight(tmp_path: Path) -> None:
    """A node's own weights replace those of its mesh."""
    file = GltfFile()
    lifted = np.where(box().vertices[:, 2:] > 0, [[0, 0, 2]], 0).astype("<f4")
    mesh = file.mesh(box(), targets=[{"POSITION": file.accessor(lifted)}])
    file.document["meshes"][mesh]["weights"] = [1.0]
    file.node(mesh)
    file.node(mesh, weights=[0.5], translation=[5, 0, 0])
    assert_closed(read(file, tmp_path), 3 + 2)


def test_a_skin_takes_the_place_of_its_nodes_transform(tmp_path: Path) -> None:
    """The lower corners follow a joint that stays, the upper ones a joint that moved up by 4."""
    file = GltfFile()
    upper = box().vertices[:, 2] > 0
    joints = np.zeros((8, 4), "u1")
    joints[:, 0] = np.where(upper, 1, 0)
    weights = np.zeros((8, 4), "<f4")
    weights[:, 0] = 1
    mesh = file.mesh(box())
    attributes = file.document["meshes"][mesh]["primitives"][0]["attributes"]
    attributes |= {"JOINTS_0": file.accessor(joints), "WEIGHTS_0": file.accessor(weights)}
    inverse = np.tile(np.eye(4, dtype="<f4"), (2, 1, 1))
    inverse[1, 3, 2] = -1  # the translation of a matrix that is stored column by column
    bones = [file.node(), file.node(translation=[0, 0, 5])]
    file.add("skins", {"joints": bones, "inverseBindMatrices": file.accessor(inverse)})
    file.node(mesh, skin=0, scale=[7, 7, 7])
    assert_closed(read(file, tmp_path), 5)


def test_the_default_scene_is_read(tmp_path: Path) -> None:
    file = GltfFile()
    mesh = file.mesh(box())
    file.node(mesh)
    file.node(mesh, scale=[2, 2, 2])
    file.document |= {"scenes": [{"nodes": [0]}, {"nodes": [1]}], "scene": 1}
    default = read(file, tmp_path)
    assert_closed(default, 8)
    said = "Scene 1 of 2 is read, the default one; 1 meshes outside of it are left out."
    assert default.notes == (said,)
    del file.document["scene"]
    first = read(file, tmp_path)
    assert_closed(first, 1)
    assert "Scene 0 of 2 is read, the first one" in first.notes[0]


def test_what_has_no_area_is_left_out_and_said(tmp_path: Path) -> None:
    file = GltfFile()
    mesh = file.mesh(box())
    primitives = file.document["meshes"][mesh]["primitives"]
    primitives += [{**primitives[0], "mode": mode} for mode in (0, 1, 1)]
    file.node(mesh)
    path = file.save(tmp_path / "a.glb")
    path.write_bytes(path.read_bytes() + b"tail")
    read_back = read_mesh(path)
    assert_closed(read_back, 1)
    assert read_back.notes == (
        "4 bytes behind the announced end of the file are left out.",
        "1 primitives of points have no area and are left out.",
        "2 primitives of lines have no area and are left out.",
    )


@pytest.mark.parametrize("name", ["part 1.bin", "ü.bin", "100%.bin"])
def test_data_files_have_percent_encoded_names(tmp_path: Path, name: str) -> None:
    file = GltfFile()
    file.node(file.mesh(box()))
    encoded = name.replace("%", "%25").replace(" ", "%20").replace("ü", "%C3%BC")
    for uri in (encoded, name):
        file.document["buffers"] = [{"byteLength": len(file.data), "uri": uri}]
        (tmp_path / name).write_bytes(bytes(file.data))
        assert_closed(read(file, tmp_path, "a.gltf"), 1)


def test_a_chain_of_many_nodes_is_read(tmp_path: Path) -> None:
    file = GltfFile()
    count = 5000
    for index in range(count - 1):
        file.node(children=[index + 1], translation=[1, 0, 0])
    file.node(file.mesh(box()))
    mesh = read(file, tmp_path)
    assert mesh.bounds[0].tolist() == [count - 1, 0, 0]
