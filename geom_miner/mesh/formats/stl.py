"""STL files, binary and in text; vertices of equal position are merged.

Format: 3D Systems, "StereoLithography Interface Specification" (1988). Whether a file is binary
follows from its size, since many binary files begin with the word of the text form, "solid".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.assembly import Polygons, mesh_of
from geom_miner.mesh.formats.contents import Bytes, file_bytes, text_array
from geom_miner.mesh.formats.text import line_number, stretches_of
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices

# 80 bytes of any content, then the number of facets.
_HEADER = 84
_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
# Bytes at the start that decide whether a file is text: the name of a solid and its first facet.
_FIRST_BYTES = 4096
_FACET_END = re.compile(rb"endfacet\s", re.IGNORECASE)


def read_stl(path: Path) -> TriangleMesh:
    """Read the facets of all solids; normals, names and colors are skipped.

    Raises
    ------
    MeshError
        The file is no STL, damaged, cut short, or holds no facets.
    """
    data = file_bytes(path)
    if _announced(data, 0) == (len(data) - _HEADER) / _FACET.itemsize or not _is_text(data):
        mesh = _read_binary(path, data)
    else:
        mesh = _read_text(path, text_array(data))
    return merge_identical_vertices(mesh)


def _announced(data: Bytes, at: int) -> int:
    """Number of facets that the binary header at byte ``at`` announces; -1 without a header."""
    if len(data) < at + _HEADER:
        return -1
    return int.from_bytes(data[at + _HEADER - 4 : at + _HEADER], "little")


def _is_text(data: Bytes) -> bool:
    """Whether the first bytes are a solid with a facet or an end, in letters."""
    start = text_array(data[:_FIRST_BYTES]).tobytes().removeprefix(b"\xef\xbb\xbf").lower()
    words = start.split()
    if not words or words[0] != b"solid" or b"\0" in start:
        return False
    return len(data) > _FIRST_BYTES or b"facet" in start or b"end" in start


def _read_binary(path: Path, data: Bytes) -> TriangleMesh:
    """Facets of the solids of a binary file: one, or several that follow each other."""
    solids: list[npt.NDArray[np.void]] = []
    notes: list[str] = []
    at = 0
    while _announced(data, at) >= 0:
        count = _announced(data, at)
        rest = len(data) - at - _HEADER
        fits = rest // _FACET.itemsize
        if solids and (count > fits or not count):
            break  # Whatever follows is no further solid.
        if not count and fits and rest % _FACET.itemsize == 0:
            notes.append(f"The header announces no facets and the file holds {fits:,}.")
            count = fits
        if count > fits:
            raise MeshError(
                f"{path} is no STL, or cut short: its header announces {count:,} facets and the "
                f"file has room for {fits:,}; copy or export it again"
            )
        solids.append(np.frombuffer(data, _FACET, count, at + _HEADER))
        at += _HEADER + count * _FACET.itemsize
    if not solids:
        raise MeshError(f"{path} is no STL file, though named so; export it as STL")
    if at < len(data):
        notes.append(f"{len(data) - at:,} byte(s) after the last facet were left out.")
    # What is not a number is found when the mesh is checked.
    with np.errstate(invalid="ignore"):
        corners = [solid["corners"].astype(np.float64) for solid in solids]
    return _facets(path, np.concatenate(corners).reshape(-1, 3), notes)


def _read_text(path: Path, text: npt.NDArray[np.uint8]) -> TriangleMesh:
    # Numba is imported on first use.
    from geom_miner.compile_notice import announce_compiling
    from geom_miner.mesh.parsers import stl_facets
    from geom_miner.parallel import parallel_map

    stretches = [(text, *span) for span in stretches_of(text, _FACET_END)]
    with announce_compiling("the reader of STL in text", 5):
        parts = parallel_map(stl_facets.read_facets, stretches)
    for part in parts:
        if part.fault != stl_facets.OK:
            raise MeshError(
                f"{path}: a vertex must have three coordinates that are numbers, which is not so "
                f"in line {line_number(text, part.fault_at):,}; export it again"
            )
    opened, closed = sum(part.opened for part in parts), sum(part.closed for part in parts)
    solids, ended = sum(part.solids for part in parts), sum(part.ended for part in parts)
    if opened > closed:
        raise MeshError(
            f"{path} is cut short: {opened:,} facets begin and {closed:,} end; copy or export it "
            "again"
        )
    positions = np.concatenate([part.positions for part in parts])
    lengths = np.concatenate([part.lengths for part in parts])
    notes = []
    if ended < solids:
        notes.append(
            f'{solids - ended:,} of {solids:,} solid(s) do not end with "endsolid", as if the '
            "file were cut short; all facets were read."
        )
    if len(lengths) < opened:
        notes.append(f"{opened - len(lengths):,} facet(s) have no vertices.")
    if (lengths == 3).all():
        return _facets(path, positions, notes)
    return mesh_of(path, positions, Polygons(np.arange(len(positions)), lengths), tuple(notes))


def _facets(path: Path, positions: npt.NDArray[np.float64], notes: list[str]) -> TriangleMesh:
    """Triangles of three positions each."""
    faces = np.arange(len(positions)).reshape(-1, 3)
    return mesh_of(path, positions, faces, tuple(notes))


READERS = {".stl": read_stl}
