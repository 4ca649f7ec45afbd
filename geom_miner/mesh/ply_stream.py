"""Writing binary PLY slab by slab: a mesh that need not be in memory as a whole."""

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
    counts : of all vertices and all faces, which the header says first.
    vertices : slabs (v, 3) of positions; exhausted before the first of ``faces`` is asked for.
    faces : slabs (f, 3) of indices into all vertices.

    Raises
    ------
    MeshError
        Positions exceed float32, or the vertices are too many for int32 indices.
    """
    if counts[0] > _MOST_VERTICES:
        raise MeshError(
            f"{counts[0]:,} vertices are too many for a PLY file's 32-bit indices; "
            "write a coarser level of detail"
        )
    kind, word = ("double", "<f8") if double else ("float", "<f4")
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {line}" for text in comments for line in text.splitlines()]
    lines += [f"element vertex {counts[0]}"]
    lines += [f"property {kind} {axis}" for axis in "xyz"]
    lines += [f"element face {counts[1]}", "property list uchar int vertex_indices"]
    lines += ["end_header", ""]
    stream.write("\n".join(lines).encode("ascii", "backslashreplace"))
    for slab in vertices:
        with np.errstate(over="ignore"):
            positions = np.ascontiguousarray(slab, dtype=word)
        if not np.isfinite(positions).all():
            raise MeshError("positions exceed float32; write them in double precision")
        stream.write(positions.data)
    for triangles in faces:
        rows = np.empty(len(triangles), dtype=[("length", "u1"), ("corners", "<i4", (3,))])
        rows["length"], rows["corners"] = 3, triangles
        stream.write(rows.view("u1").data)
