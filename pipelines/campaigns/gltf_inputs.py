"""glTF and GLB files by their grammar: accessors, views, primitives, nodes, extensions, chunks."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from pipelines.campaigns.dice import Dice, Polygons
from pipelines.campaigns.mutations import mutate_json

Json = dict[str, Any]

_FLOAT, _BYTE, _USHORT, _UINT = 5126, 5121, 5123, 5125
_EXTENSIONS = (
    *("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_mesh_quantization"),
    *("EXT_mesh_gpu_instancing", "KHR_materials_unlit", "ACME_unknown", "<script>"),
)
_BUFFER = "a b.bin"


def make_gltf(dice: Dice) -> dict[str, bytes]:
    """A .gltf file, with a .bin file beside it or its bytes within."""
    document, payload = _document(dice)
    files: dict[str, bytes] = {}
    if dice.rng.random() < 0.5:
        head = dice.one("data:application/octet-stream;base64,", "data:,", "data:;base64", "data:")
        uri = head + base64.b64encode(payload).decode()
    else:
        uri = dice.one(
            dice.any(("a%20b.bin", _BUFFER)),
            *("../a b.bin", "/etc/hostname", "file:///etc/hostname", "http://127.0.0.1:9/a"),
            *("", "a%zz.bin", ".", "\x00", "missing.bin", "a" * 5000),
        )
        files[_BUFFER] = dice.cut(payload)
    document["buffers"][0]["uri"] = uri
    return {"input.gltf": dice.cut(_json_bytes(dice, document)), **files}


def make_glb(dice: Dice) -> dict[str, bytes]:
    """A .glb file."""
    document, payload = _document(dice)
    text = _json_bytes(dice, document)
    chunks = [
        (dice.one(b"JSON", b"BIN\0", b"XXXX"), text + b" " * (-len(text) % 4)),
        (dice.one(b"BIN\0", b"JSON", b"\0\0\0\0"), payload + b"\0" * (-len(payload) % 4)),
    ]
    if dice.odd():
        chunks = dice.any((chunks[::-1], chunks[:1], [*chunks, chunks[1]], []))
    body = b"".join(
        struct.pack("<I", dice.whole(len(content))) + tag + content for tag, content in chunks
    )
    magic, version = dice.one(b"glTF", b"glTf", b"ply\n"), dice.one(2, 1, 3, 1 << 31)
    head = magic + struct.pack("<II", version, dice.whole(12 + len(body)))
    return {"input.glb": dice.cut(head + body)}


def _json_bytes(dice: Dice, document: Json) -> bytes:
    text = json.dumps(document).encode()
    return mutate_json(text, dice.rng) if dice.odd(8) else text


def _document(dice: Dice) -> tuple[Json, bytes]:
    """The JSON of a small mesh, and its buffer."""
    mesh = Polygons.prism(dice)
    fans = [(f[0], f[k], f[k + 1]) for f in mesh.faces for k in range(1, len(f) - 1)]
    numbers = [dice.real(x) for vertex in mesh.vertices for x in vertex]
    narrow = [x if not abs(x) > 3.4e38 else float("inf") for x in numbers]
    positions = struct.pack(f"<{len(narrow)}f", *narrow)
    kind = dice.any((_USHORT, _UINT, _BYTE))
    code = {_USHORT: "H", _UINT: "I", _BYTE: "B"}[kind]
    bits = 8 * struct.calcsize(code)
    corners = [dice.whole(corner, bits=bits) for face in fans for corner in face]
    indices = struct.pack(f"<{len(corners)}{code}", *corners)
    gap = b"\0" * (-len(positions + indices) % 4)
    payload = positions + indices + gap + struct.pack("<H2x3f", 1, 9.0, 9.0, 9.0)
    views: list[Json] = [
        _view(dice, 0, len(positions)),
        _view(dice, len(positions), len(indices)),
        _view(dice, len(payload) - 16, 4),
        _view(dice, len(payload) - 12, 12),
    ]
    accessors = [
        _accessor(dice, 0, _FLOAT, "VEC3", len(mesh.vertices)),
        _accessor(dice, 1, kind, "SCALAR", len(corners)),
    ]
    if dice.odd(3):
        count = dice.whole(1, bits=31)
        accessors[0]["sparse"] = {
            "count": count,
            "indices": {"bufferView": 2, "componentType": dice.one(_USHORT, _FLOAT)},
            "values": {"bufferView": 3},
        }
    document: Json = {
        "asset": {"version": dice.one("2.0", "1.0", "3.0", 2)},
        "scene": dice.one(0, 7, -1, None),
        "scenes": [{"nodes": [0]}],
        "nodes": _nodes(dice),
        "meshes": [{"primitives": [_primitive(dice) for _ in range(dice.one(1, 2, 0))]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": dice.whole(len(payload), bits=53)}],
    }
    if dice.odd(3):
        names = [dice.any(_EXTENSIONS)]
        document["extensionsUsed"] = names
        if dice.odd(20):
            document["extensionsRequired"] = names
    return document, payload


def _view(dice: Dice, start: int, length: int) -> Json:
    view: Json = {
        "buffer": dice.one(0, 1, -1),
        "byteOffset": dice.whole(start, bits=53) if dice.odd() else start,
        "byteLength": dice.whole(length, bits=53) if dice.odd() else length,
    }
    if dice.odd():
        view["byteStride"] = dice.any((0, 1, 2, 4, 12, 16, 255, 1 << 30, -4))
    return view


def _accessor(dice: Dice, view: int, kind: int, shape: str, count: int) -> Json:
    accessor: Json = {
        "bufferView": dice.one(view, view + 1, 99, -1),
        "componentType": dice.one(kind, _FLOAT, _USHORT, 5120, 5122, 5124, 0),
        "count": dice.whole(count, bits=53),
        "type": dice.one(shape, "VEC2", "VEC4", "MAT4", "SCALAR", "vec3", ""),
    }
    if dice.odd():
        accessor["normalized"] = dice.any((True, False, 1, "yes"))
    if dice.odd():
        accessor["byteOffset"] = dice.any((0, 1, 4, 1 << 40, -4))
    if dice.odd(0.5):
        del accessor["bufferView"]
    return accessor


def _primitive(dice: Dice) -> Json:
    primitive: Json = {"attributes": {"POSITION": dice.one(0, 1, 5, -1)}}
    if not dice.odd():
        primitive["indices"] = dice.one(1, 0, 9, -1)
    if dice.odd(2):
        primitive["mode"] = dice.any((0, 1, 3, 4, 5, 6, 7, -1, "4"))
    if dice.odd():
        primitive["targets"] = [{"POSITION": 0}]
    if dice.odd():
        name = dice.any(_EXTENSIONS)
        primitive["extensions"] = {name: {"bufferView": 0, "attributes": {"POSITION": 0}}}
    return primitive


def _nodes(dice: Dice) -> list[Json]:
    node: Json = {"mesh": dice.one(0, 1, -1, None)}
    if dice.odd(2):
        node["matrix"] = [dice.real(float(k % 5 == 0)) for k in range(dice.one(16, 9, 0))]
    if dice.odd(2):
        node["scale"] = [dice.real(2.0) for _ in range(dice.one(3, 2))]
        node["rotation"] = [dice.real(x) for x in (0.0, 0.0, 0.0, 1.0)]
    if dice.odd():
        node["children"] = dice.any(([0], [1], [1, 1], [7], [-1], "x"))
    if dice.odd():
        node["skin"] = 0
    depth = dice.one(1, 2, 3000)
    chain: list[Json] = [{"children": [k + 2]} for k in range(depth - 1)]
    return [node, *chain, {"mesh": 0}]
