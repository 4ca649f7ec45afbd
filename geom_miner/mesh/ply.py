"""PLY files: binary of both byte orders and ascii, whatever the order of elements and properties.

Format: Greg Turk, "The PLY Polygon File Format" (1994). Nothing is allocated on the word of a
header: every count is first held against the bytes that are there.
"""

from __future__ import annotations

import mmap
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.ply_stream import write_ply_slabs
from geom_miner.mesh.triangle_mesh import TriangleMesh

_TYPES = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1"},
    **{"short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2"},
    **{"int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4"},
    **{"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"},
}
_BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_LIST_NAMES = ("vertex_indices", "vertex_index")
# A header is a few hundred bytes, with long comments a few thousand.
_MAX_HEADER = 1 << 20

AnyArray = npt.NDArray[np.generic]
Bytes = bytes | mmap.mmap


@dataclass(frozen=True)
class _Property:
    name: str
    kind: str
    count_kind: str | None  # type of a list's length; None for a single value


@dataclass(frozen=True)
class _Element:
    name: str
    count: int
    properties: tuple[_Property, ...]

    @property
    def min_row_bytes(self) -> int:
        """Bytes of one row whose lists are all empty."""
        return sum(np.dtype(p.count_kind or p.kind).itemsize for p in self.properties)


@dataclass(frozen=True)
class _Lists:
    """Lists of differing lengths: all values one after another, and the length of each."""

    values: AnyArray
    lengths: npt.NDArray[np.int64]


_Columns = dict[str, "AnyArray | _Lists"]


def read_ply(path: Path) -> TriangleMesh:
    """Read vertices and faces; polygons are cut into fans, all else is skipped.

    Raises
    ------
    MeshError
        The file is no PLY, damaged, cut short, or holds no faces.
    """
    columns = _read_elements(path, {"vertex", "face"})
    given = [columns.get("vertex", {}).get(axis) for axis in "xyz"]
    axes = [axis for axis in given if isinstance(axis, np.ndarray) and axis.ndim == 1]
    if len(axes) < 3:
        raise MeshError(f"{path} has no vertices with x, y and z; export the mesh again")
    lists = [columns.get("face", {}).get(name) for name in _LIST_NAMES]
    polygons = next((found for found in lists if found is not None), None)
    faces = np.empty((0, 3), np.int32) if polygons is None else _fan_triangles(polygons)
    if not len(faces):
        raise MeshError(
            f"{path} holds no faces (a point cloud?); give a mesh whose faces are polygons"
        )
    vertices = np.stack(axes, axis=1, dtype=np.float64)
    return TriangleMesh(vertices, faces)


def read_ply_vertices(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Read what vertices have one number of, by property: x, y, z, nx, ...; (v,) each.

    Raises
    ------
    MeshError
        The file is no PLY, damaged or cut short.
    OSError
        It cannot be opened.
    """
    columns = _read_elements(path, {"vertex"}).get("vertex", {})
    return {
        name: column.astype(np.float64)
        for name, column in columns.items()
        if isinstance(column, np.ndarray) and column.ndim == 1
    }


def count_ply_rows(path: Path) -> dict[str, int]:
    """Rows of every element by the word of the header alone; errors as ``read_ply_vertices``."""
    return {element.name: element.count for element in _parse_header(_mapped(path), path)[1]}


def write_ply(
    stream: IO[bytes], mesh: TriangleMesh, *, comments: Sequence[str] = (), double: bool = False
) -> None:
    """Write binary little-endian PLY: float32 (``double``: float64) positions, int32 triangles."""
    counts = len(mesh.vertices), len(mesh.faces)
    slabs = [mesh.vertices], [mesh.faces]
    write_ply_slabs(stream, counts, *slabs, comments=comments, double=double)


def _read_elements(path: Path, wanted: set[str]) -> dict[str, _Columns]:
    """Elements by name, up to the last of those that are wanted."""
    data = _mapped(path)
    byte_order, elements, offset = _parse_header(data, path)
    if byte_order:
        reader: _BinaryBody | _AsciiBody = _BinaryBody(path, data, offset, byte_order)
    else:
        reader = _AsciiBody(path, data[offset:])
    columns: dict[str, _Columns] = {}
    for element in elements:
        columns[element.name] = reader.read(element)
        if wanted <= columns.keys():
            break
    return columns


def _mapped(path: Path) -> Bytes:
    """A file's bytes, which take memory of their own only where pages are looked at."""
    with open(path, "rb") as stream:
        # An empty file cannot be mapped.
        size = stream.seek(0, os.SEEK_END)
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""


def _parse_header(data: Bytes, path: Path) -> tuple[str, list[_Element], int]:
    """Byte order ("" for ascii), elements, and where the body starts."""
    if data[:4] not in (b"ply\n", b"ply\r"):
        raise MeshError(f"{path} is not a PLY file, though named so; export it as PLY")
    end = data.find(b"end_header", 0, _MAX_HEADER)
    stop = data.find(b"\n", end) + 1 if end >= 0 else 0
    if not stop:
        raise MeshError(f"{path} ends inside its header; the file is cut short, copy it again")
    byte_order: str | None = None
    elements: list[_Element] = []
    for line in data[:end].decode("latin-1").splitlines()[1:]:
        words = line.split()
        try:
            if not words or words[0] in ("comment", "obj_info"):
                continue
            if words[0] == "format":
                byte_order = _BYTE_ORDERS[words[1]]
            elif words[0] == "element":
                elements.append(_Element(words[1], _count(words[2]), ()))
            elif words[0] == "property":
                last = elements.pop()
                properties = (*last.properties, _parse_property(words))
                elements.append(_Element(last.name, last.count, properties))
            else:
                raise ValueError(words[0])
        except (IndexError, KeyError, ValueError) as error:
            raise MeshError(
                f"{path} has a header line that is no PLY: {line.strip()[:60]!r}; export it again"
            ) from error
    if byte_order is None:
        raise MeshError(f"{path} has no format line in its header; export it again")
    return byte_order, elements, stop


def _count(word: str) -> int:
    count = int(word)
    if count < 0:
        raise ValueError(word)
    return count


def _parse_property(words: list[str]) -> _Property:
    if words[1] == "list":
        return _Property(words[4], _TYPES[words[3]], _TYPES[words[2]])
    return _Property(words[2], _TYPES[words[1]], None)


class _BinaryBody:
    """Reads one element after another from the bytes behind the header."""

    def __init__(self, path: Path, data: Bytes, offset: int, byte_order: str) -> None:
        self.path, self.data, self.offset, self.byte_order = path, data, offset, byte_order

    def read(self, element: _Element) -> _Columns:
        if element.count * element.min_row_bytes > len(self.data) - self.offset:
            raise self._cut(element, element.count * element.min_row_bytes)
        if not element.count or not element.properties:
            return {p.name: np.empty(0, p.kind) for p in element.properties}
        uniform = self._read_uniform(element)
        return self._read_rows(element) if uniform is None else uniform

    def _read_uniform(self, element: _Element) -> _Columns | None:
        """All rows at once, if every list is as long as in the first row; else None."""
        fields: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = []
        lengths: dict[int, int] = {}
        at = self.offset
        for i, p in enumerate(element.properties):
            if p.count_kind is not None:
                lengths[i] = self._length(element, p.count_kind, at)
                fields.append((f"length{i}", self.byte_order + p.count_kind))
                fields.append((f"value{i}", self.byte_order + p.kind, (lengths[i],)))
                at += np.dtype(p.count_kind).itemsize
            else:
                fields.append((f"value{i}", self.byte_order + p.kind))
            at += np.dtype(p.kind).itemsize * lengths.get(i, 1)
        row_bytes = at - self.offset
        available = min(element.count, (len(self.data) - self.offset) // row_bytes)
        rows = np.frombuffer(self.data, np.dtype(fields), available, self.offset)
        if any((rows[f"length{i}"] != length).any() for i, length in lengths.items()):
            return None
        if available < element.count:
            raise self._cut(element, element.count * row_bytes)
        self.offset += element.count * row_bytes
        return {p.name: rows[f"value{i}"] for i, p in enumerate(element.properties)}

    def _read_rows(self, element: _Element) -> _Columns:
        """Row by row: lists of differing lengths."""
        starts: list[list[int]] = [[] for _ in element.properties]
        lengths: list[list[int]] = [[] for _ in element.properties]
        at = self.offset
        for _ in range(element.count):
            for i, p in enumerate(element.properties):
                length = 1
                if p.count_kind is not None:
                    length = self._length(element, p.count_kind, at)
                    at += np.dtype(p.count_kind).itemsize
                starts[i].append(at)
                lengths[i].append(length)
                at += np.dtype(p.kind).itemsize * length
        if at > len(self.data):
            raise self._cut(element, at - self.offset)
        self.offset = at
        return {
            p.name: self._gather(p, np.array(starts[i]), np.array(lengths[i]))
            for i, p in enumerate(element.properties)
        }

    def _gather(
        self, p: _Property, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
    ) -> AnyArray | _Lists:
        kind = np.dtype(self.byte_order + p.kind)
        inner = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = np.repeat(starts, lengths) + inner * kind.itemsize
        everything = np.frombuffer(self.data, np.uint8)
        values = everything[at[:, None] + np.arange(kind.itemsize)].view(kind)[:, 0]
        return values if p.count_kind is None else _Lists(values, lengths)

    def _length(self, element: _Element, kind: str, at: int) -> int:
        stop = at + np.dtype(kind).itemsize
        if stop > len(self.data):
            raise self._cut(element, stop - self.offset)
        order: Literal["big", "little"] = "big" if self.byte_order == ">" else "little"
        length = int.from_bytes(self.data[at:stop], order, signed=kind.startswith("i"))
        if kind.startswith("f") or length < 0:
            raise MeshError(f"{self.path} has a list of negative length; the file is damaged")
        return length

    def _cut(self, element: _Element, promised: int) -> MeshError:
        found = len(self.data) - self.offset
        return MeshError(
            f"{self.path} is cut short: its header promises {promised:,} bytes or more of "
            f"{element.name} data ({element.count:,} rows) and {found:,} are there; copy or "
            "download it again"
        )


class _AsciiBody:
    """Reads one element after another from the numbers behind the header."""

    def __init__(self, path: Path, text: bytes) -> None:
        self.path, self.offset = path, 0
        with warnings.catch_warnings():
            # NumPy stops at a word that is no number and only warns about it.
            warnings.simplefilter("error", DeprecationWarning)
            try:
                self.numbers = np.fromstring(text.decode("ascii"), dtype=np.float64, sep=" ")
            except (DeprecationWarning, ValueError) as error:
                raise MeshError(
                    f"{path} has something else than numbers in its data; export it again"
                ) from error

    def read(self, element: _Element) -> _Columns:
        if element.count * len(element.properties) > len(self.numbers) - self.offset:
            raise self._cut(element)
        if not element.count or not element.properties:
            return {p.name: np.empty(0, p.kind) for p in element.properties}
        with np.errstate(all="ignore"):  # a number beyond its type's range is found out later
            uniform = self._read_uniform(element)
            return self._read_rows(element) if uniform is None else uniform

    def _read_uniform(self, element: _Element) -> _Columns | None:
        """All rows at once, if every list is as long as in the first row; else None."""
        places: list[tuple[int, int]] = []
        at = 0
        for p in element.properties:
            length = 1
            if p.count_kind is not None:
                length = self._length(element, self.offset + at)
                at += 1
            places.append((at, length))
            at += length
        available = min(element.count, (len(self.numbers) - self.offset) // at)
        table = self.numbers[self.offset : self.offset + available * at].reshape(-1, at)
        columns: _Columns = {}
        for p, (start, length) in zip(element.properties, places, strict=True):
            if p.count_kind is None:
                columns[p.name] = table[:, start].astype(p.kind)
            elif (table[:, start - 1] != length).any():
                return None
            else:
                columns[p.name] = table[:, start : start + length].astype(p.kind)
        if available < element.count:
            raise self._cut(element)
        self.offset += element.count * at
        return columns

    def _read_rows(self, element: _Element) -> _Columns:
        """Row by row: lists of differing lengths."""
        values: list[list[AnyArray]] = [[] for _ in element.properties]
        for _ in range(element.count):
            for i, p in enumerate(element.properties):
                values[i].append(self._take(element, p))
        return {
            p.name: np.concatenate(values[i])
            if p.count_kind is None
            else _Lists(np.concatenate(values[i]), np.array([len(v) for v in values[i]]))
            for i, p in enumerate(element.properties)
        }

    def _length(self, element: _Element, at: int) -> int:
        if at >= len(self.numbers):
            raise self._cut(element)
        number = float(self.numbers[at])
        if not (number >= 0 and number.is_integer()):
            raise MeshError(f"{self.path} has a list of length {number:g}; the file is damaged")
        return int(number)

    def _take(self, element: _Element, p: _Property) -> AnyArray:
        length = 1
        if p.count_kind is not None:
            length = self._length(element, self.offset)
            self.offset += 1
        taken = self.numbers[self.offset : self.offset + length]
        if len(taken) < length:
            raise self._cut(element)
        self.offset += length
        return taken.astype(p.kind)

    def _cut(self, element: _Element) -> MeshError:
        return MeshError(
            f"{self.path} is cut short: its header promises {element.count:,} rows of "
            f"{element.name} data and the numbers end before; copy or download it again"
        )


def _fan_triangles(polygons: AnyArray | _Lists) -> npt.NDArray[np.integer]:
    """Cut polygons into triangles around their first corner, in order; (f, 3), int32 if it fits."""
    values = np.asarray(polygons.values if isinstance(polygons, _Lists) else polygons)
    kind = np.int32 if _fits_int32(values) else np.int64
    if not isinstance(polygons, _Lists):
        if values.ndim != 2 or values.shape[1] < 3:
            return np.empty((0, 3), np.int32)
        each = values.shape[1] - 2
        faces = np.empty((len(values), each, 3), dtype=kind)
        for j in range(each):
            for corner, column in enumerate((0, j + 1, j + 2)):
                faces[:, j, corner] = values[:, column]
        return faces.reshape(-1, 3)
    starts = np.cumsum(polygons.lengths) - polygons.lengths
    triangles = np.maximum(polygons.lengths - 2, 0)
    first = np.repeat(starts, triangles)
    inner = np.arange(triangles.sum()) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    corners = [values[first], values[first + inner + 1], values[first + inner + 2]]
    return np.stack([corner.astype(kind) for corner in corners], axis=1)


def _fits_int32(values: AnyArray) -> bool:
    if not values.size or np.can_cast(values.dtype, np.int32):
        return True
    limits = np.iinfo(np.int32)
    return bool(values.min() >= limits.min and values.max() <= limits.max)
