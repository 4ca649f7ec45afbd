"""PLY files: binary of both byte orders and ascii, with elements and properties in any order.

Faces are polygons, triangle strips, or both; other elements are left out, and said.

Format: Greg Turk, "The PLY Polygon File Format" (1994). Memory is allocated only after a count in
the header was compared with the bytes that the file holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.assembly import Polygons, as_indices, mesh_of
from geom_miner.mesh.formats.contents import file_bytes
from geom_miner.mesh.formats.ply_ascii import AsciiBody
from geom_miner.mesh.formats.ply_binary import BinaryBody
from geom_miner.mesh.formats.ply_header import AnyArray, Columns, Element, Lists, parse_header
from geom_miner.mesh.formats.ply_writer import write_ply_slabs
from geom_miner.mesh.triangle_mesh import TriangleMesh

_LIST_NAMES = ("vertex_indices", "vertex_index")
# Elements that a sentence names one by one.
_MOST_NAMED = 5


def read_ply(path: Path) -> TriangleMesh:
    """Read vertices and faces; polygons are cut into triangles, and other elements are skipped.

    Raises
    ------
    MeshError
        The file is no PLY, damaged, cut short, or holds no faces.
    """
    columns, notes = _read_elements(path, ("vertex", "face", "tristrips"))
    coordinates = [columns.get("vertex", {}).get(axis) for axis in "xyz"]
    axes = [axis for axis in coordinates if isinstance(axis, np.ndarray) and axis.ndim == 1]
    if len(axes) < 3:
        raise MeshError(f"{path} has no vertices with x, y and z; export the mesh again")
    with np.errstate(invalid="ignore"):  # What is not a number is found by mesh_of.
        vertices = np.stack(axes, axis=1, dtype=np.float64)
    faces = _index_lists(path, columns, "face")
    strips = _index_lists(path, columns, "tristrips")
    if strips is not None:
        triangles = _strip_triangles(strips)
        if faces is not None:
            mesh = mesh_of(path, vertices, _polygons(faces), notes)
            triangles = np.concatenate([mesh.faces, triangles])
        return mesh_of(path, vertices, triangles, notes)
    return mesh_of(
        path, vertices, np.empty((0, 3), np.int32) if faces is None else _polygons(faces), notes
    )


def read_ply_vertices(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Read the vertex properties that are single numbers, by name: x, y, z, nx, ...; (v,) each.

    Raises
    ------
    MeshError
        The file is no PLY, damaged or cut short.
    OSError
        The file cannot be opened.
    """
    columns = _read_elements(path, ("vertex",))[0].get("vertex", {})
    return {
        name: column.astype(np.float64)
        for name, column in columns.items()
        if isinstance(column, np.ndarray) and column.ndim == 1
    }


def count_ply_rows(path: Path) -> dict[str, int]:
    """Number of rows of every element, from the header alone.

    Errors are those of ``read_ply_vertices``.
    """
    _, elements, _ = parse_header(file_bytes(path), path)
    return {element.name: element.count for element in elements}


def write_ply(
    stream: IO[bytes], mesh: TriangleMesh, *, comments: Sequence[str] = (), double: bool = False
) -> None:
    """Write binary little-endian PLY: float32 (``double``: float64) positions, int32 triangles."""
    counts = len(mesh.vertices), len(mesh.faces)
    slabs = [mesh.vertices], [mesh.faces]
    write_ply_slabs(stream, counts, *slabs, comments=comments, double=double)


def _read_elements(
    path: Path, names: tuple[str, ...]
) -> tuple[dict[str, Columns], tuple[str, ...]]:
    """Elements by name, read up to the last of ``names``; what is left out, in sentences."""
    data = file_bytes(path)
    byte_order, elements, offset = parse_header(data, path)
    if byte_order:
        body: BinaryBody | AsciiBody = BinaryBody(path, data, offset, byte_order)
    else:
        body = AsciiBody(path, data, offset)
    needed = [i for i, element in enumerate(elements) if element.name in names]
    columns: dict[str, Columns] = {}
    for element in elements[: needed[-1] + 1] if needed else []:
        read = body.read(element)
        if element.name in names:
            columns[element.name] = read
    notes = _left_out([element for element in elements if element.name not in names])
    if len(elements) == (needed[-1] + 1 if needed else 0) and body.left:
        unit = "byte(s)" if byte_order else "number(s)"
        notes.append(f"{body.left:,} {unit} after the last element were left out.")
    return columns, tuple(notes)


def _left_out(elements: list[Element]) -> list[str]:
    full = [element for element in elements if element.count]
    if not full:
        return []
    named = ", ".join(f"{e.count:,} rows of {e.name[:40]!r}" for e in full[:_MOST_NAMED])
    more = f" and {len(full) - _MOST_NAMED:,} more elements" if len(full) > _MOST_NAMED else ""
    return [f"Left out of the file: {named}{more}."]


def _index_lists(path: Path, columns: dict[str, Columns], element: str) -> AnyArray | Lists | None:
    """The lists of vertex indices of an element, if it has some."""
    found = [columns.get(element, {}).get(name) for name in _LIST_NAMES]
    lists = next((each for each in found if each is not None), None)
    values = lists.values if isinstance(lists, Lists) else lists
    if values is not None and values.dtype.kind == "f" and (values != np.trunc(values)).any():
        raise MeshError(f"{path} has vertex indices that are no whole numbers; export it again")
    return lists


def _polygons(lists: AnyArray | Lists) -> Polygons | npt.NDArray[np.integer]:
    if isinstance(lists, Lists):
        return Polygons(as_indices(lists.values), lists.lengths)
    # An element with a single value in the place of a list has no polygons.
    return as_indices(lists) if lists.ndim == 2 else np.empty((0, 3), np.int32)


def _strip_triangles(lists: AnyArray | Lists) -> npt.NDArray[np.integer]:
    """Triangles of strips: each vertex after the second makes one with the two before it.

    -1, or the largest number of an unsigned type, ends a strip. Every second triangle of a strip
    is turned. Triangles with two equal corners, which join strips, are left out.
    """
    values = lists.values if isinstance(lists, Lists) else lists.reshape(-1)
    rows = len(lists) if not isinstance(lists, Lists) else 0
    lengths = (
        lists.lengths if isinstance(lists, Lists) else np.full(rows, values.size // max(rows, 1))
    )
    index = values.astype(np.int64)
    if values.dtype.kind == "u":
        index[index == 256**values.itemsize - 1] = -1
    starts = np.zeros(len(index) + 1, np.bool_)
    starts[0] = True
    starts[np.cumsum(lengths)] = True
    starts[1:][index == -1] = True
    begin = np.maximum.accumulate(np.where(starts[:-1], np.arange(len(index)), 0))
    # Vertex k makes a triangle with k - 1 and k - 2 of the same strip.
    k = np.flatnonzero((np.arange(len(index)) - begin >= 2) & (index != -1))
    odd = ((k - begin[k]) % 2).astype(np.bool_)
    first, second = (
        np.where(odd, index[k - 1], index[k - 2]),
        np.where(odd, index[k - 2], index[k - 1]),
    )
    triangles = np.stack([first, second, index[k]], axis=1)
    a, b, c = triangles.T
    return as_indices(triangles[(a != b) & (b != c) & (c != a)])


READERS = {".ply": read_ply}
WRITERS = {".ply": write_ply}
