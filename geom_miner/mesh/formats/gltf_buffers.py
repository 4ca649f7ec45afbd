"""The numbers of a glTF file: buffers, buffer views and accessors.

A promised count is compared with the bytes that are there before memory is allocated for it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.contents import Bytes, file_bytes
from geom_miner.mesh.formats.gltf_codecs import decode_meshopt
from geom_miner.mesh.formats.gltf_document import (
    MESHOPT,
    Accessor,
    BufferView,
    Document,
    MeshoptView,
    pick,
)
from geom_miner.mesh.formats.ply_header import AnyArray

Floats = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]

_DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
# What a normalized integer of a component type divides by.
_LARGEST = {5120: 127, 5121: 255, 5122: 32767, 5123: 65535, 5125: 4294967295}
_COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
# Most elements of an accessor that has no bytes in the file: they are zeros, of which sparse
# values replace some. 16 million take 200 MB.
_MOST_ZEROS = 1 << 24
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


class Buffers:
    """Reads accessors by their index.

    Parameters
    ----------
    path : the glTF file; buffers in files of their own are looked for beside it.
    binary : the binary chunk of a GLB file, empty if there is none.
    """

    def __init__(self, path: Path, document: Document, binary: memoryview) -> None:
        self._path, self._document, self._binary = path, document, binary
        self._buffers: dict[int, ByteArray] = {}
        self._views: dict[int, ByteArray] = {}

    def numbers(self, index: int, element: str) -> Floats:
        """An accessor as float64 (count, components); normalized integers are scaled to [-1, 1].

        Parameters
        ----------
        element : the type that it must have, such as VEC3.

        Raises
        ------
        MeshError
            The accessor is missing, of another type, or promises more than there is.
        """
        accessor = pick(self._document.accessors, index, "accessor")
        if accessor.type != element:
            raise MeshError(
                f"accessor {index} must be {element}, got {accessor.type[:20]}; "
                "the file is damaged, export it again"
            )
        return self.scaled(index, self._read(index, accessor))

    def scaled(self, index: int, values: AnyArray) -> Floats:
        """Values of an accessor as float64, scaled to [-1, 1] if it holds normalized integers."""
        accessor = pick(self._document.accessors, index, "accessor")
        numbers: Floats = values.astype(np.float64)
        largest = _LARGEST.get(accessor.component_type)
        if not accessor.normalized or largest is None:
            return numbers
        return np.asarray(np.maximum(numbers / largest, -1.0))

    def indices(self, index: int) -> npt.NDArray[np.integer]:
        """An accessor of unsigned integers, (count,).

        Raises
        ------
        MeshError
            As in ``numbers``.
        """
        accessor = pick(self._document.accessors, index, "accessor")
        values = self._read(index, accessor)
        if values.dtype.kind != "u" or accessor.type != "SCALAR":
            raise MeshError(
                f"accessor {index} must hold indices, got {accessor.type[:20]} of {values.dtype}; "
                "the file is damaged, export it again"
            )
        return np.asarray(values[:, 0])

    def joints(self, index: int) -> npt.NDArray[np.integer]:
        """An accessor of four joint numbers for each vertex, (count, 4); errors as ``numbers``."""
        accessor = pick(self._document.accessors, index, "accessor")
        values = self._read(index, accessor)
        if values.dtype.kind != "u" or values.shape[1] != 4:
            raise MeshError(f"accessor {index} must hold joints; export the file again")
        return values.astype(np.int64)

    def has_bytes(self, index: int) -> bool:
        """Whether an accessor has values in the file itself, not only in a compressed form."""
        accessor = pick(self._document.accessors, index, "accessor")
        return accessor.buffer_view is not None or accessor.sparse is not None

    def count(self, index: int) -> int:
        """Number of elements that an accessor promises."""
        return pick(self._document.accessors, index, "accessor").count

    def view(self, index: int) -> ByteArray:
        """The bytes of a buffer view, decompressed."""
        if index not in self._views:
            view = pick(self._document.buffer_views, index, "buffer view")
            compressed = view.extensions.meshopt
            # A file that does not require the extension has the same bytes uncompressed.
            if compressed is not None and MESHOPT in self._document.extensions_required:
                data = self._decompress(index, compressed)
            else:
                data = self._slice(index, view)
            self._views[index] = data
        return self._views[index]

    def _decompress(self, index: int, compressed: MeshoptView) -> ByteArray:
        return decode_meshopt(self._slice(index, compressed), compressed)

    def _slice(self, index: int, view: BufferView | MeshoptView) -> ByteArray:
        data = self._buffer(view.buffer)
        if view.byte_offset + view.byte_length > len(data):
            raise MeshError(
                f"buffer view {index} announces {view.byte_length:,} bytes from "
                f"{view.byte_offset:,} on and buffer {view.buffer} holds {len(data):,}; "
                "the file is damaged, export it again"
            )
        return data[view.byte_offset : view.byte_offset + view.byte_length]

    def _buffer(self, index: int) -> ByteArray:
        if index not in self._buffers:
            buffer = pick(self._document.buffers, index, "buffer")
            name = f"buffer {index}"
            if buffer.uri is None:
                data: Bytes | memoryview = self._binary if index == 0 else b""
            elif buffer.uri.startswith("data:"):
                data = _decode_data_uri(buffer.uri)
            else:
                file = self._find_file(buffer.uri)
                name, data = str(file), file_bytes(file)
            if len(data) < buffer.byte_length:
                raise MeshError(
                    f"it announces {buffer.byte_length:,} bytes of {name} and there are "
                    f"{len(data):,}; copy or export both again"
                )
            self._buffers[index] = np.frombuffer(data, np.uint8, count=buffer.byte_length)
        return self._buffers[index]

    def _find_file(self, uri: str) -> Path:
        """The file that a URI names: percent-encoded, or as it is."""
        if _SCHEME.match(uri) or "\0" in unquote(uri):
            raise MeshError(
                f"its data lie at {uri[:80]!r}, and only files are read; download them, and name "
                "them in the file"
            )
        files = [self._path.parent / name for name in (unquote(uri), uri)]
        file = next((file for file in files if os.path.lexists(file)), files[0])
        if not file.is_file():
            raise MeshError(
                f"its data file {file} does not exist; put it there, or export one GLB file"
            )
        return file

    def _read(self, index: int, accessor: Accessor) -> AnyArray:
        """An accessor's elements as they are stored, (count, components)."""
        components = _COMPONENTS.get(accessor.type)
        if components is None:
            raise MeshError(
                f"accessor {index} has the unknown type {accessor.type[:20]!r}; export it again"
            )
        dtype = _dtype(accessor.component_type, index)
        if accessor.buffer_view is None:
            if accessor.sparse is None or accessor.count > _MOST_ZEROS:
                raise MeshError(
                    f"accessor {index} has {accessor.count:,} elements and no data; "
                    "the file is damaged or compressed in an unknown way, export it again"
                )
            values: AnyArray = np.zeros((accessor.count, components), dtype)
        else:
            stride = pick(
                self._document.buffer_views, accessor.buffer_view, "buffer view"
            ).byte_stride
            data, shape = self.view(accessor.buffer_view), (accessor.count, components)
            values = _elements(data, shape, dtype, accessor.byte_offset, stride, index)
        return values if accessor.sparse is None else self._replace(index, accessor, values)

    def _replace(self, index: int, accessor: Accessor, values: AnyArray) -> AnyArray:
        """The elements with those replaced that the accessor's sparse values name."""
        assert accessor.sparse is not None
        count, at, new = accessor.sparse.count, accessor.sparse.indices, accessor.sparse.values
        number = _dtype(at.component_type, index)
        places = _elements(self.view(at.buffer_view), (count, 1), number, at.byte_offset, 0, index)[
            :, 0
        ]
        shape = (count, values.shape[1])
        data = self.view(new.buffer_view)
        if number.kind != "u" or (count and int(places.max()) >= len(values)):
            raise MeshError(
                f"accessor {index} replaces elements that it does not have; "
                "the file is damaged, export it again"
            )
        changed = values.copy()
        changed[places] = _elements(data, shape, values.dtype, new.byte_offset, 0, index)
        return changed


def _dtype(component_type: int, index: int) -> np.dtype[np.generic]:
    if component_type not in _DTYPES:
        raise MeshError(
            f"accessor {index} has the unknown component type {component_type}; export it again"
        )
    return np.dtype(_DTYPES[component_type])


def _elements(
    data: ByteArray,
    shape: tuple[int, int],
    dtype: np.dtype[np.generic],
    offset: int,
    stride: int,
    index: int,
) -> AnyArray:
    """Elements that lie ``stride`` bytes apart (0: without gaps), as a view of the bytes."""
    size = shape[1] * dtype.itemsize
    step = stride or size
    needed = offset + (shape[0] - 1) * step + size if shape[0] else 0
    if needed > len(data):
        raise MeshError(
            f"accessor {index} announces {shape[0]:,} elements, which end at byte {needed:,} of "
            f"its data, and there are {len(data):,}; the file is cut short or damaged, export it "
            "again"
        )
    return np.ndarray(shape, dtype, data, offset if shape[0] else 0, (step, dtype.itemsize))


def _decode_data_uri(uri: str) -> bytes:
    header, _, payload = uri.partition(",")
    content = unquote_to_bytes(payload)
    if not header.endswith(";base64"):
        return content
    try:
        # Padding may be missing, and too much of it is ignored.
        return base64.b64decode(b"".join(content.split()) + b"==")
    except binascii.Error as error:
        raise MeshError("its embedded data are no base64; export it again") from error
