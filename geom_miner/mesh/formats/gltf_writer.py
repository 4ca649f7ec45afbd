"""Write GLB: one mesh of indexed triangles."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from geom_miner import __version__
from geom_miner.errors import MeshError
from geom_miner.mesh.formats.gltf_document import CHUNK_BINARY, CHUNK_JSON, GLB_MAGIC
from geom_miner.mesh.triangle_mesh import TriangleMesh

_FLOAT, _UINT32 = 5126, 5125
# What a buffer view is for, as the specification numbers it.
_VERTICES, _INDICES = 34962, 34963
# Lengths are stored in 32 bits.
_MOST_BYTES = (1 << 32) - 1


def write_glb(
    stream: IO[bytes], mesh: TriangleMesh, *, comments: Sequence[str] = (), double: bool = False
) -> None:
    """Write binary glTF 2: float32 positions and 32-bit indices.

    Parameters
    ----------
    comments : lines that are kept as ``extras`` of the asset.
    double : store the positions relative to their middle, which becomes the translation of their
        node and is a float64 number there.

    Raises
    ------
    MeshError
        A position exceeds float32, or the file would exceed 4 GiB.
    """
    middle = np.zeros(3)
    if double and len(mesh.vertices):
        # Halve first: the sum of two large coordinates may be infinite.
        middle = mesh.vertices.min(axis=0) / 2 + mesh.vertices.max(axis=0) / 2
    with np.errstate(over="ignore"):
        positions = np.asarray(mesh.vertices - middle, dtype="<f4")
    if not np.isfinite(positions).all():
        raise MeshError("positions must fit float32, which GLB stores; write PLY instead")
    indices = np.asarray(mesh.faces, dtype="<u4")
    head = json.dumps(_describe(mesh, positions, middle, comments), separators=(",", ":")).encode()
    head += b" " * (-len(head) % 4)
    body = positions.nbytes + indices.nbytes
    whole = 12 + 8 + len(head) + 8 + body
    if whole > _MOST_BYTES:
        raise MeshError(
            f"a GLB file must have at most {_MOST_BYTES:,} bytes, got {whole:,}; write PLY, or a "
            "coarser level of detail"
        )
    stream.write(GLB_MAGIC + struct.pack("<2I", 2, whole))
    stream.write(struct.pack("<2I", len(head), CHUNK_JSON) + head)
    stream.write(struct.pack("<2I", body, CHUNK_BINARY))
    stream.write(np.ascontiguousarray(positions).data)
    stream.write(np.ascontiguousarray(indices).data)


def _describe(
    mesh: TriangleMesh, positions: Any, middle: Any, comments: Sequence[str]
) -> dict[str, Any]:
    """The JSON of the file."""
    asset: dict[str, Any] = {"version": "2.0", "generator": f"geom_miner {__version__}"}
    if comments:
        asset["extras"] = {"comments": list(comments)}
    node: dict[str, Any] = {"mesh": 0}
    if middle.any():
        node["translation"] = middle.tolist()
    if not len(mesh.faces):
        # The specification has no empty buffers.
        return {"asset": asset, "scene": 0, "scenes": [{}]}
    views = [
        {"buffer": 0, "byteOffset": 0, "byteLength": positions.nbytes, "target": _VERTICES},
        {
            "buffer": 0,
            "byteOffset": positions.nbytes,
            "byteLength": mesh.faces.size * 4,
            "target": _INDICES,
        },
    ]
    accessors = [
        {
            "bufferView": 0,
            "componentType": _FLOAT,
            "count": len(positions),
            "type": "VEC3",
            "min": positions.min(axis=0).tolist(),
            "max": positions.max(axis=0).tolist(),
        },
        {"bufferView": 1, "componentType": _UINT32, "count": mesh.faces.size, "type": "SCALAR"},
    ]
    return {
        "asset": asset,
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "buffers": [{"byteLength": positions.nbytes + mesh.faces.size * 4}],
        "bufferViews": views,
        "accessors": accessors,
    }
