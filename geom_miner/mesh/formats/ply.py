"""PLY files: binary of both byte orders and ascii, with elements and properties in any order.

Format: Greg Turk, "The PLY Polygon File Format" (1994). Memory is allocated only after a count in
the header was compared with the bytes that the file holds.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.ply_ascii import AsciiBody
from geom_miner.mesh.formats.ply_binary import BinaryBody
from geom_miner.mesh.formats.ply_header import AnyArray, Bytes, Columns, Lists, parse_header
from geom_miner.mesh.formats.ply_writer import write_ply_slabs
from geom_miner.mesh.triangle_mesh import TriangleMesh

_LIST_NAMES = ("vertex_indices", "vertex_index")


def read_ply(path: Path) -> TriangleMesh:
    """Read vertices and faces; polygons are cut into fans, and other elements are skipped.

    Raises
    ------
    MeshError
        The file is no PLY, damaged, cut short, or holds no faces.
    """
    columns = _read_elements(path, {"vertex", "face"})
    coordinates = [columns.get("vertex", {}).get(axis) for axis in "xyz"]
    axes = [axis for axis in coordinates if isinstance(axis, np.ndarray) and axis.ndim == 1]
    if len(axes) < 3:
        raise MeshError(f"{path} has no vertices with x, y and z; export the mesh again")
    lists = [columns.get("face", {}).get(name) for name in _LIST_NAMES]
    polygons = next((polygons for polygons in lists if polygons is not None), None)
    faces = np.empty((0, 3), np.int32) if polygons is None else _fan_triangles(polygons)
    if not len(faces):
        raise MeshError(
            f"{path} holds no faces (a point cloud?); give a mesh whose faces are polygons"
        )
    vertices = np.stack(axes, axis=1, dtype=np.float64)
    return TriangleMesh(vertices, faces)


def read_ply_vertices(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Read the vertex properties that are single numbers, by name: x, y, z, nx, ...; (v,) each.

    Raises
    ------
    MeshError
        The file is no PLY, damaged or cut short.
    OSError
        The file cannot be opened.
    """
    columns = _read_elements(path, {"vertex"}).get("vertex", {})
    return {
        name: column.astype(np.float64)
        for name, column in columns.items()
        if isinstance(column, np.ndarray) and column.ndim == 1
    }


def count_ply_rows(path: Path) -> dict[str, int]:
    """Number of rows of every element, from the header alone.

    Errors are those of ``read_ply_vertices``.
    """
    _, elements, _ = parse_header(_map_file(path), path)
    return {element.name: element.count for element in elements}


def write_ply(
    stream: IO[bytes], mesh: TriangleMesh, *, comments: Sequence[str] = (), double: bool = False
) -> None:
    """Write binary little-endian PLY: float32 (``double``: float64) positions, int32 triangles."""
    counts = len(mesh.vertices), len(mesh.faces)
    slabs = [mesh.vertices], [mesh.faces]
    write_ply_slabs(stream, counts, *slabs, comments=comments, double=double)


def _read_elements(path: Path, names: set[str]) -> dict[str, Columns]:
    """Elements by name; reading stops after the last of ``names``."""
    data = _map_file(path)
    byte_order, elements, offset = parse_header(data, path)
    if byte_order:
        body: BinaryBody | AsciiBody = BinaryBody(path, data, offset, byte_order)
    else:
        body = AsciiBody(path, data[offset:])
    columns: dict[str, Columns] = {}
    for element in elements:
        columns[element.name] = body.read(element)
        if names <= columns.keys():
            break
    return columns


def _map_file(path: Path) -> Bytes:
    """A file's bytes, mapped into memory: only pages that are read take memory."""
    with open(path, "rb") as stream:
        # An empty file cannot be mapped.
        size = stream.seek(0, os.SEEK_END)
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""


def _fan_triangles(polygons: AnyArray | Lists) -> npt.NDArray[np.integer]:
    """Cut polygons into triangles around their first corner, in order; (f, 3), int32 if it fits."""
    values = np.asarray(polygons.values if isinstance(polygons, Lists) else polygons)
    dtype = np.int32 if _fits_int32(values) else np.int64
    if not isinstance(polygons, Lists):
        if values.ndim != 2 or values.shape[1] < 3:
            return np.empty((0, 3), np.int32)
        per_polygon = values.shape[1] - 2
        faces = np.empty((len(values), per_polygon, 3), dtype=dtype)
        for j in range(per_polygon):
            for corner, column in enumerate((0, j + 1, j + 2)):
                faces[:, j, corner] = values[:, column]
        return faces.reshape(-1, 3)
    starts = np.cumsum(polygons.lengths) - polygons.lengths
    triangles = np.maximum(polygons.lengths - 2, 0)
    first = np.repeat(starts, triangles)
    inner = np.arange(triangles.sum()) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    corners = [values[first], values[first + inner + 1], values[first + inner + 2]]
    return np.stack([corner.astype(dtype) for corner in corners], axis=1)


def _fits_int32(values: AnyArray) -> bool:
    if not values.size or np.can_cast(values.dtype, np.int32):
        return True
    limits = np.iinfo(np.int32)
    return bool(values.min() >= limits.min and values.max() <= limits.max)


READERS = {".ply": read_ply}
WRITERS = {".ply": write_ply}
