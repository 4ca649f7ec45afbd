"""The JSON of a glTF file as typed records, and the two containers that hold it.

Format: Khronos Group, "glTF 2.0 Specification" (ISO/IEC 12113:2022). Every value that is used is
checked for its type and range here; references between records are checked where they are
followed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, field

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.contents import Bytes

GLB_MAGIC = b"glTF"
CHUNK_JSON, CHUNK_BINARY = 0x4E4F534A, 0x004E4942

# Offsets and counts fit float64, so that arithmetic on them is exact everywhere.
Count = Annotated[int, Meta(ge=0, le=1 << 53)]
Vector3 = Annotated[tuple[float, ...], Meta(min_length=3, max_length=3)]
Vector4 = Annotated[tuple[float, ...], Meta(min_length=4, max_length=4)]
Matrix4 = Annotated[tuple[float, ...], Meta(min_length=16, max_length=16)]

# Extensions that change positions or triangles and that this package reads.
DRACO = "KHR_draco_mesh_compression"
MESHOPT = "EXT_meshopt_compression"
INSTANCING = "EXT_mesh_gpu_instancing"
_READ = {DRACO, MESHOPT, INSTANCING, "KHR_mesh_quantization"}
# Beginnings of the names of extensions that change neither positions nor triangles.
_WITHOUT_EFFECT = (
    *("KHR_materials_", "KHR_texture_", "EXT_texture_", "MSFT_texture_", "ADOBE_materials_"),
    *("KHR_lights_", "EXT_lights_", "KHR_xmp", "KHR_animation_", "KHR_audio", "KHR_techniques_"),
    *("EXT_structural_metadata", "EXT_mesh_features", "EXT_instance_features", "CESIUM_primitive"),
)

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """A JSON object; fields that are not listed are skipped."""


class Asset(Record, frozen=True):
    version: str
    min_version: str = "2.0"


class Head(Record, frozen=True):
    """What is looked at first: another version of the format has other records."""

    asset: Asset


class Buffer(Record, frozen=True):
    byte_length: Count
    uri: str | None = None


class MeshoptView(Record, frozen=True):
    """A buffer view's compressed content."""

    buffer: Count
    byte_length: Count
    byte_stride: Annotated[int, Meta(ge=1, le=256)]
    count: Count
    mode: str
    byte_offset: Count = 0
    filter: str = "NONE"


class ViewExtensions(Record, frozen=True):
    meshopt: MeshoptView | None = field(name=MESHOPT, default=None)


class BufferView(Record, frozen=True):
    buffer: Count
    byte_length: Count
    byte_offset: Count = 0
    byte_stride: Annotated[int, Meta(ge=0, le=252)] = 0
    extensions: ViewExtensions = ViewExtensions()


class SparseIndices(Record, frozen=True):
    buffer_view: Count
    component_type: Count
    byte_offset: Count = 0


class SparseValues(Record, frozen=True):
    buffer_view: Count
    byte_offset: Count = 0


class Sparse(Record, frozen=True):
    count: Count
    indices: SparseIndices
    values: SparseValues


class Accessor(Record, frozen=True):
    component_type: Count
    count: Count
    type: str
    buffer_view: Count | None = None
    byte_offset: Count = 0
    normalized: bool = False
    sparse: Sparse | None = None


class DracoPrimitive(Record, frozen=True):
    buffer_view: Count
    attributes: dict[str, Count]


class PrimitiveExtensions(Record, frozen=True):
    draco: DracoPrimitive | None = field(name=DRACO, default=None)


class Primitive(Record, frozen=True):
    attributes: dict[str, Count]
    indices: Count | None = None
    mode: Count = 4
    targets: tuple[dict[str, Count], ...] = ()
    extensions: PrimitiveExtensions = PrimitiveExtensions()


class Mesh(Record, frozen=True):
    primitives: tuple[Primitive, ...]
    weights: tuple[float, ...] = ()


class Instances(Record, frozen=True):
    attributes: dict[str, Count]


class NodeExtensions(Record, frozen=True):
    instancing: Instances | None = field(name=INSTANCING, default=None)


class Node(Record, frozen=True):
    children: tuple[Count, ...] = ()
    mesh: Count | None = None
    skin: Count | None = None
    weights: tuple[float, ...] | None = None
    matrix: Matrix4 | None = None
    translation: Vector3 = (0.0, 0.0, 0.0)
    rotation: Vector4 = (0.0, 0.0, 0.0, 1.0)
    scale: Vector3 = (1.0, 1.0, 1.0)
    extensions: NodeExtensions = NodeExtensions()


class Scene(Record, frozen=True):
    nodes: tuple[Count, ...] = ()


class Skin(Record, frozen=True):
    joints: tuple[Count, ...]
    inverse_bind_matrices: Count | None = None


class Document(Record, frozen=True):
    """All of a file's JSON that positions and triangles depend on."""

    scene: Count | None = None
    scenes: tuple[Scene, ...] = ()
    nodes: tuple[Node, ...] = ()
    meshes: tuple[Mesh, ...] = ()
    skins: tuple[Skin, ...] = ()
    accessors: tuple[Accessor, ...] = ()
    buffer_views: tuple[BufferView, ...] = ()
    buffers: tuple[Buffer, ...] = ()
    extensions_required: tuple[str, ...] = ()


def pick(records: Sequence[T], index: int, name: str) -> T:
    """The record that another one refers to.

    Raises
    ------
    MeshError
        There is no such record.
    """
    if index >= len(records):
        raise MeshError(
            f"{name} {index} is referred to and the file has {len(records)} of them; "
            "the file is damaged, export it again"
        )
    return records[index]


def parse_document(json: bytes) -> Document:
    """Read the JSON of a glTF 2 file.

    Raises
    ------
    MeshError
        It is no JSON, another version, not as the specification has it, or needs an extension
        that this package does not read.
    """
    try:
        json = json.removeprefix(b"\xef\xbb\xbf")
        asset = msgspec.json.decode(json, type=Head).asset
        if not asset.version.startswith("2.") or not asset.min_version.startswith("2."):
            raise MeshError(
                f"it is glTF {asset.version[:20]}, and glTF 2 is read; export it as glTF 2.0"
            )
        document = msgspec.json.decode(json, type=Document)
    except MeshError:
        raise
    except (ValueError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).replace("`", "").split()).rstrip(".")
        raise MeshError(f"it is no valid glTF ({reason[:200]}); export it again") from error
    for name in document.extensions_required:
        if name not in _READ and not name.startswith(_WITHOUT_EFFECT):
            raise MeshError(
                f"it requires the extension {name[:80]}, which is not read; export it without"
            )
    return document


def split_glb(data: Bytes) -> tuple[bytes, memoryview, int]:
    """The JSON and the binary chunk of a GLB file, and the bytes behind its announced end.

    Raises
    ------
    MeshError
        The file is cut short, of version 1, or its first chunk is no JSON.
    """
    if len(data) < 20:
        raise MeshError("it is cut short inside its header; copy or download it again")
    version, length = struct.unpack("<2I", data[4:12])
    if version != 2:
        raise MeshError(f"it is GLB {version}, and GLB 2 is read; export it as glTF 2.0")
    if length > len(data):
        raise MeshError(
            f"it is cut short: its header announces {length:,} bytes and it holds {len(data):,}; "
            "copy or download it again"
        )
    whole, chunks, at = memoryview(data)[:length], list[tuple[int, memoryview]](), 12
    while at + 8 <= length:
        size, kind = struct.unpack("<2I", whole[at : at + 8])
        if size > length - at - 8:
            raise MeshError(
                f"a chunk announces {size:,} bytes and {length - at - 8:,} are left; "
                "the file is damaged, export it again"
            )
        chunks.append((kind, whole[at + 8 : at + 8 + size]))
        at += 8 + size
    if not chunks or chunks[0][0] != CHUNK_JSON:
        raise MeshError("its first chunk is no JSON; the file is damaged, export it again")
    binary = next((chunk for kind, chunk in chunks[1:] if kind == CHUNK_BINARY), memoryview(b""))
    return bytes(chunks[0][1]), binary, len(data) - length
