"""Make small glTF files: arrays become accessors, everything else is given as JSON."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy.typing as npt

from geom_miner.mesh.triangle_mesh import TriangleMesh

COMPONENT_TYPES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}


class GltfFile:
    """A file with one buffer, to which arrays are added.

    Attributes
    ----------
    document : its JSON, open to any change.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.document: dict[str, Any] = {"asset": {"version": "2.0"}}
        for name in ("nodes", "meshes", "accessors", "bufferViews"):
            self.document[name] = []

    def add(self, name: str, record: dict[str, Any]) -> int:
        """Append a record to a list of the document; returns its index."""
        records = self.document.setdefault(name, [])
        records.append(record)
        return len(records) - 1

    def view(self, content: bytes, **fields: Any) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        record = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content), **fields}
        self.data += content
        return self.add("bufferViews", record)

    def accessor(self, array: npt.NDArray[Any], **fields: Any) -> int:
        """An accessor of (n,) scalars, (n, 3) or (n, 4) vectors, or (n, 4, 4) matrices."""
        kind = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}[array.shape[1:]]
        record = {
            "bufferView": self.view(array.tobytes()),
            "componentType": COMPONENT_TYPES[array.dtype.str[1:]],
            "count": len(array),
            "type": kind,
            **fields,
        }
        return self.add("accessors", record)

    def mesh(self, mesh: TriangleMesh, **fields: Any) -> int:
        attributes = {"POSITION": self.accessor(mesh.vertices.astype("<f4"))}
        indices = self.accessor(mesh.faces.astype("<u2").reshape(-1))
        return self.primitives({"attributes": attributes, "indices": indices, **fields})

    def primitives(self, *primitives: dict[str, Any]) -> int:
        return self.add("meshes", {"primitives": list(primitives)})

    def node(self, mesh: int | None = None, **fields: Any) -> int:
        return self.add("nodes", {**({} if mesh is None else {"mesh": mesh}), **fields})

    def save(self, path: Path) -> Path:
        """Write a GLB file, or a .gltf file with its buffer embedded unless it names buffers."""
        buffers = [{"byteLength": len(self.data)}]
        document = {"buffers": buffers, **{k: v for k, v in self.document.items() if v != []}}
        if path.suffix == ".gltf":
            content = base64.b64encode(bytes(self.data)).decode()
            buffers[0]["uri"] = f"data:application/octet-stream;base64,{content}"
            path.write_text(json.dumps(document), encoding="utf-8")
        else:
            path.write_bytes(glb(json.dumps(document).encode(), bytes(self.data)))
        return path


def glb(head: bytes, body: bytes) -> bytes:
    """A GLB file of JSON and a binary chunk."""
    head += b" " * (-len(head) % 4)
    body += b"\0" * (-len(body) % 4)
    chunks = struct.pack("<2I", len(head), 0x4E4F534A) + head
    chunks += struct.pack("<2I", len(body), 0x004E4942) + body
    return b"glTF" + struct.pack("<2I", 2, 12 + len(chunks)) + chunks
