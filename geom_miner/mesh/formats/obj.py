"""OBJ files: vertices and polygons; free-form surfaces, lines and points are left out, and said.

Format: Wavefront, "Object Files (.obj)", appendix B1 of the Advanced Visualizer manual.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.assembly import Polygons, mesh_of
from geom_miner.mesh.formats.contents import file_bytes, text_array
from geom_miner.mesh.formats.text import Text, line_number, stretches_of
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices

if TYPE_CHECKING:
    from geom_miner.mesh.parsers.obj_lines import Lines

_LINE_END = re.compile(rb"\r\n|\n|\r")
# The end of a line that no backslash joins with the next one.
_STATEMENT_END = re.compile(rb"[^\\\s][ \t]*(?:\r\n|\n|\r)")

# Statements whose content a triangle mesh cannot hold, and what they are.
_LEFT_OUT = {
    "l": "line(s)",
    "p": "point(s)",
    "curv": "free-form curve(s)",
    "curv2": "free-form curve(s) in a surface's plane",
    "surf": "free-form surface(s)",
    "cdc": "curve(s) of an older form",
    "bzp": "Bezier patch(es)",
    "bsp": "B-spline patch(es)",
    "cdp": "Cardinal patch(es)",
    "call": "file(s) to include",
    "csh": "command(s) to run",
}
# Statements without a shape of their own: names, materials, attributes, parts of free-form
# shapes. A keyword has at most eight letters here, see ``Lines.statements``.
_WITHOUT_SHAPE = (
    *("vp", "g", "s", "o", "mg", "usemtl", "mtllib", "usemap", "maplib", "lod", "bevel"),
    *("c_interp", "d_interp", "shadow_o", "trace_ob", "stech", "ctech", "res"),
    *("cstype", "deg", "bmat", "step", "parm", "trim", "hole", "scrv", "sp", "end", "con"),
)


def read_obj(path: Path) -> TriangleMesh:
    """Read positions and faces; vertices of equal position are merged.

    Raises
    ------
    MeshError
        A line cannot be read, an index is 0 or out of range, or there are no faces.
    """
    text = text_array(file_bytes(path))
    parts = _read_parts(path, text)
    counts = [len(part.coordinates) // 3 for part in parts]
    before = [0, *itertools.accumulate(counts)]
    total = before[-1]
    corners = []
    for part, vertices_before in zip(parts, before, strict=False):
        resolved = part.resolve(vertices_before)
        if len(resolved) and (resolved.min() < 0 or resolved.max() >= total):
            raise _out_of_range(path, text, part, resolved, total)
        # OBJ files of more than 2**31 vertices would have 16 GB.
        corners.append(resolved.astype(np.int32 if total < 1 << 31 else np.int64))
    vertices = np.concatenate([part.coordinates for part in parts]).reshape(-1, 3)
    polygons = Polygons(np.concatenate(corners), np.concatenate([part.lengths for part in parts]))
    mesh = mesh_of(path, vertices, polygons, _notes(text, parts))
    return merge_identical_vertices(mesh)


def _read_parts(path: Path, text: Text) -> list[Lines]:
    """Read stretches of whole lines at once, on several threads."""
    # Numba is imported on first use.
    from geom_miner.compile_notice import announce_compiling
    from geom_miner.mesh.parsers import obj_lines
    from geom_miner.parallel import parallel_map

    stretches = [(text, *span) for span in stretches_of(text, _STATEMENT_END)]
    with announce_compiling("the reader of OBJ", 7):
        parts = parallel_map(obj_lines.read_lines, stretches)
    for part in parts:
        if part.fault != obj_lines.OK:
            problem = {
                obj_lines.SHORT_VERTEX: "a vertex must have three coordinates",
                obj_lines.INDEX_ZERO: "vertices are counted from 1, so an index must not be 0",
                obj_lines.BAD_INDEX: "the corners of a face must be whole numbers, such as 3 or "
                "3/1/2",
                obj_lines.BAD_NUMBER: "a coordinate must be a number",
            }[part.fault]
            raise MeshError(
                f"{path}: {problem}, got {_quote(text, part.fault_at)}; export it again"
            )
    return parts


def _out_of_range(
    path: Path,
    text: Text,
    part: Lines,
    resolved: npt.NDArray[np.int64],
    vertices: int,
) -> MeshError:
    wrong = int(np.flatnonzero((resolved < 0) | (resolved >= vertices))[0])
    face = int(np.searchsorted(np.cumsum(part.lengths), wrong, side="right"))
    return MeshError(
        f"{path}: a face must use vertices of the file, which has {vertices:,}, got "
        f"{_quote(text, int(part.starts[face]))}; the file is damaged or cut short, export it again"
    )


def _quote(text: Text, at: int) -> str:
    """The line around byte ``at`` with its number, for an error."""
    number = line_number(text, at)
    start = max(0, at - 60)
    before = _LINE_END.split(text[start:at].tobytes())[-1]
    after = _LINE_END.split(text[at : at + 60].tobytes())[0]
    line = (before + after).decode("utf-8", "replace").strip()
    return f"{line[:60]!r} in line {number:,}"


def _notes(text: Text, parts: list[Lines]) -> tuple[str, ...]:
    """What statements were left out, in sentences."""
    counts: dict[str, int] = {}
    firsts: dict[str, int] = {}
    for part in parts:
        for keyword, (count, first) in part.statements.items():
            if keyword not in _WITHOUT_SHAPE:
                counts[keyword] = counts.get(keyword, 0) + count
                firsts.setdefault(keyword, first)
    known = [f"{counts[word]:,} {what}" for word, what in _LEFT_OUT.items() if word in counts]
    notes = [f"Left out of the file: {', '.join(known)}."] if known else []
    unknown = [word for word in counts if word not in _LEFT_OUT]
    if unknown:
        number = sum(counts[word] for word in unknown)
        notes.append(
            f"{number:,} line(s) of unknown kind were left out, such as "
            f"{_quote(text, firsts[unknown[0]])}."
        )
    return tuple(notes)


READERS = {".obj": read_obj}
