"""Inputs on which an earlier version failed, as small generators: campaigns begin with them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from pipelines.campaigns import good_files

Files = dict[str, bytes]
Find = Callable[[], Files]

_CUBE = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
_QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def _file(name: str, content: bytes | str) -> Find:
    data = content.encode() if isinstance(content, str) else content
    return lambda: {name: data}


def _ply(
    *,
    vertices: str = "8",
    faces: str = "6",
    extra: str = "",
    end: str = "\n",
    rows: list[str] | None = None,
) -> Find:
    """A unit cube in ASCII, with parts of the header as given."""
    head = f"ply\nformat ascii 1.0\n{extra}element vertex {vertices}\n"
    head += "property float x\nproperty float y\nproperty float z\n"
    head += f"element face {faces}\nproperty list uchar int vertex_indices\nend_header\n"
    body = [f"{x} {y} {z}" for x, y, z in _CUBE]
    body += rows or [f"4 {a} {b} {c} {d}" for a, b, c, d in _QUADS]
    return _file("input.ply", (head + "\n".join(body) + "\n").replace("\n", end))


def _obj(text: str) -> Find:
    return _file("input.obj", "".join(f"v {x} {y} {z}\n" for x, y, z in _CUBE) + text)


def _stl(end: str = "\n", tail: str = "endsolid a\n") -> Find:
    facet = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\n"
    text = f"solid a\n{facet}endloop\nendfacet\n{tail}"
    return _file("input.stl", text.replace("\n", end))


def _gltf(**changes: Any) -> Find:
    """A triangle, with members of the document as given."""
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": 3}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36, "uri": "a.bin"}],
        **changes,
    }
    payload = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0)
    return lambda: {"input.gltf": json.dumps(document).encode(), "a.bin": payload}


def _model(at: int, change: Callable[[Any], object], suffix: str = ".miner") -> Find:
    """The good model, the JSON of a section changed and its checksum right."""

    def make() -> Files:
        good = good_files.good_model()
        out, position, number = bytearray(good[:12]), 12, 0
        while position < len(good):
            (length,) = struct.unpack_from("<Q", good, position + 8)
            payload = good[position + 16 : position + 16 + length]
            if number == at:
                head, newline, rest = payload.partition(b"\n")
                document = json.loads(head)
                change(document)
                payload = json.dumps(document).encode() + newline + rest
            prefix = good[position : position + 8] + struct.pack("<Q", len(payload))
            out += prefix + payload + hashlib.sha256(prefix + payload).digest()
            position, number = position + 16 + length + 32, number + 1
        return {f"input{suffix}": bytes(out)}

    return make


def _npy(header: str, version: int = 1) -> Find:
    text = header.encode("latin-1")
    size = struct.pack("<H", len(text)) if version == 1 else struct.pack("<I", len(text))
    return _file("input.npy", b"\x93NUMPY" + bytes([version, 0]) + size + text + bytes(96))


def _png(width: int, height: int) -> Find:
    def chunk(tag: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return _file("input.png", b"\x89PNG\r\n\x1a\n" + body)


def _bmp(width: int, height: int) -> Find:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return _file("input.bmp", b"BM" + struct.pack("<IHHI", 54 + 48, 0, 0, 54) + head + bytes(48))


def _sparse_tar() -> Files:
    """A file of a terabyte in an archive of two hundred bytes."""
    entry = tarfile.TarInfo("lucy.ply")
    entry.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    block[483:495] = b"\x80" + (10**12).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return {"input.download": gzip.compress(bytes(block) + bytes(1024))}


def _cloud(array: Any) -> Find:
    def make() -> Files:
        stream = io.BytesIO()
        np.save(stream, np.asarray(array), allow_pickle=False)
        return {"input.npy": stream.getvalue()}

    return make


_BOMB = "l0: &l0 [x, x]\n" + "".join(
    f"l{k}: &l{k} [{', '.join([f'*l{k - 1}'] * 9)}]\n" for k in range(1, 10)
)

FINDS: dict[str, tuple[Find, ...]] = {
    "ply": (
        _ply(vertices="9" * 4301),
        _ply(faces="1" * 4300),
        _ply(faces=str(1 << 31)),
        _ply(rows=[f"{1 << 31} 0 1 2"] * 6),
        _ply(extra="comment end_header\n"),
        _ply(end="\r"),
        _ply(vertices="9", rows=["nan nan nan", *(f"3 {k} {k + 1} {k + 2}" for k in range(6))]),
    ),
    "obj": (
        _obj("f 0 1 2\n"),
        _obj("f -8 -7 -6\nv 5 5 5\nf -1 -2 -3\n"),
        _obj("f 1 2 3 # a face\n"),
        _obj(f"f 1 2 {10**30}\n"),
        _file("input.obj", "\ufeffv 0 0 0\rv 1 0 0\rv 0 1 0\r\tf 1 2 3\r"),
    ),
    "stl": (
        _stl(),
        _stl(tail=""),
        _stl("\r"),
        _stl(tail="endsolid a\nsolid b\nfacet normal 0 0 1\n"),
        _file("input.stl", bytes(80) + struct.pack("<I", 0xFFFFFFFF) + bytes(50)),
    ),
    "off": (
        _file("input.off", "OFF 3 1 0\n0 0 0 1 0 0 0 1 0\n3 0 1 2"),
        _file("input.off", f"OFF\n3 {10**30} 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"),
        _file("input.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n2147483648 0 1 2\n"),
        _file("input.off", "4OFF\n3 1 0\n0 0 0 1\n1 0 0 1\n0 1 0 1\n3 0 1 2\n"),
    ),
    "gltf": (
        _gltf(),
        _gltf(buffers=[{"byteLength": 36, "uri": "missing.bin"}]),
        _gltf(buffers=[{"byteLength": 36, "uri": "/dev/zero"}]),
        _gltf(nodes=[{"mesh": 0, "children": [0]}]),
        _gltf(extensionsRequired=["<script>"], extensionsUsed=["<script>"]),
        _gltf(accessors=[{"componentType": 5126, "type": "VEC3", "count": 1 << 40}]),
    ),
    "miner": (
        _model(0, lambda head: head.update(num_scales=10**9)),
        _model(0, lambda head: head.update(num_scales=None)),
        _model(0, lambda head: head.update(grid=[])),
        _model(0, lambda head: head["grid"].update(shape=[1 << 40] * 3)),
        _model(0, lambda head: head.update(info=7)),
        _model(0, lambda head: head["info"].update(source={"name": "[/red]\x1b[31m"})),
        _model(1, lambda head: head.update(counts=[1 << 62, 4])),
        _model(1, lambda head: head["architecture"].update(width=1 << 20)),
        _model(1, lambda head: head["architecture"].update(omega=float("nan"))),
        _model(1, lambda head: head.update(block_shape=[])),
    ),
    "npy": (
        _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1610612736,), }\n"),
        _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4, 3), \n"),
        _npy("(" * 4000),
        _npy("{'descr': '|O', 'fortran_order': False, 'shape': (4, 3), }\n"),
        _npy("{'descr': 3, 'fortran_order': 0, 'shape': None, }\n"),
    ),
    "records": (
        _file("input.jsonl", b'{"a": 1}\n\xff\xfe{"b": 2}\n'),
        _file("input.jsonl", "[" * 100_000),
        _file("input.jsonl", '{"a": ' * 20_000),
    ),
    "yaml": (
        _file("shape.yaml", _BOMB + "shape: *l9\n"),
        _file("shape.yaml", "shape: lucy\nfit: &a {<<: *a}\n"),
        _file("shape.yaml", "shape: 2024-13-45\n"),
        _file("shape.yaml", "shape: " + "[" * 5000),
        _file("shape.yaml", f"shape: lucy\nresolution: {'9' * 5000}\n"),
        _file("batch.yaml", "title: 0b\nshapes: [1:99:99]\n"),
    ),
    "png": (_png(200_000, 200_000), _png(1, 0), _png((1 << 31) - 1, 1)),
    "picture": (_bmp(2**31 - 1, 1), _bmp(-5, 4), _bmp(60_000, 60_000)),
    "cloud": (
        _cloud(np.full((4, 3), np.nan)),
        _cloud(np.empty((0, 3))),
        _file("input.xyz", "1 2 3\n" + "9" * 5000 + " 1 2\n"),
        _file("input.npy", b"\x80\x04N."),
    ),
    "archive": (
        _sparse_tar,
        _file("input.download", b"\x1f\x8b"),
        _file("input.download", b"PK\x03\x04"),
    ),
}
