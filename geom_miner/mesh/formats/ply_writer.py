"""Write binary PLY slab by slab, so that the whole mesh need not be in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError

_MOST_VERTICES = np.iinfo(np.int32).max


def write_ply_slabs(
    stream: IO[bytes],
    counts: tuple[int, int],
    vertices: Iterable[npt.NDArray[np.float64]],
    faces: Iterable[npt.NDArray[np.integer]],
    *,
    comments: Sequence[str] = (),
    double: bool = False,
) -> None:
    """Write binary little-endian PLY: float32 (``double``: float64) positions, int32 triangles.

    Parameters
    ----------
    counts : numbers of all vertices and of all faces, for the header.
    vertices : slabs (v, 3) of positions; all of them are consumed before the first of ``faces``.
    faces : slabs (f, 3) of indices into all vertices.

    Raises
    ------
    MeshError
        A position exceeds float32, or there are too many vertices for int32 indices.
    """
    if counts[0] > _MOST_VERTICES:
        raise MeshError(
            f"a PLY file must have at most {_MOST_VERTICES:,} vertices, as its indices have 32 "
            f"bits, got {counts[0]:,}; write a coarser level of detail"
        )
    ply_type, dtype = ("double", "<f8") if double else ("float", "<f4")
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {line}" for text in comments for line in text.splitlines()]
    lines += [f"element vertex {counts[0]}"]
    lines += [f"property {ply_type} {axis}" for axis in "xyz"]
    lines += [f"element face {counts[1]}", "property list uchar int vertex_indices"]
    lines += ["end_header", ""]
    stream.write("\n".join(lines).encode("ascii", "backslashreplace"))
    for slab in vertices:
        with np.errstate(over="ignore"):
            positions = np.ascontiguousarray(slab, dtype=dtype)
        if not np.isfinite(positions).all():
            raise MeshError("positions must fit float32; write them in double precision")
        stream.write(positions.data)
    for triangles in faces:
        rows = np.empty(len(triangles), dtype=[("length", "u1"), ("corners", "<i4", (3,))])
        rows["length"], rows["corners"] = 3, triangles
        stream.write(rows.view("u1").data)
