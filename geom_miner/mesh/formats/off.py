"""OFF files in text: polygons of any number of corners; colors, normals and textures are skipped.

Format: The Geometry Center, Geomview manual, "OFF Files". It is a stream of words: line ends count
only behind a face, where colors may follow. Three ways to read are tried, see ``_LAYOUTS``, since
programs differ in what they write behind a vertex.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.assembly import Polygons, mesh_of
from geom_miner.mesh.formats.contents import file_bytes, text_array
from geom_miner.mesh.formats.text import Words, read_numbers
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices

_IGNORED = rb"(?:\xef\xbb\xbf|\s|#[^\r\n]*(?=[\r\n]|\Z))*"
# "OFF" with what it may have before it; the numbers may follow without a blank, as in ModelNet.
_KEYWORD = re.compile(
    _IGNORED + rb"(?P<textures>ST)?(?P<colors>C)?(?P<normals>N)?(?P<four>4)?(?P<any>n)?(?:OFF|off)"
    rb"(?P<binary>[ \t]+BINARY)?(?=[\s\d#]|\Z)"
)
# Bytes within which the keyword and the comments before it end (1 MiB).
_MOST_HEADER = 1 << 20
_EXTRA_NUMBERS = {"textures": 2, "colors": 4, "normals": 3}

# Positions, polygons and the number of words that are left.
_Body = tuple[npt.NDArray[np.float64], Polygons, int]


@dataclass(frozen=True)
class _Layout:
    """One way to read the words: what follows a vertex and a face."""

    vertex_lines: bool
    """Each vertex has a line of its own, and all words after its position are skipped."""
    face_lines: bool
    """All words up to the end of the line are skipped after a face: its color."""


# The definition of the format first; then a stream without colors; then vertices with more numbers
# than the first word of the file says.
_LAYOUTS = (_Layout(False, True), _Layout(False, False), _Layout(True, True))


def read_off(path: Path) -> TriangleMesh:
    """Read vertices and polygons; vertices of equal position are merged.

    Raises
    ------
    MeshError
        The file is no OFF of three dimensions in text, damaged, cut short, or holds no faces.
    """
    text = text_array(file_bytes(path))
    start, extra = _parse_keyword(path, text)
    words = read_numbers(path, text, start)
    at, vertices, faces = _parse_counts(path, words)
    if faces > len(words.numbers) or vertices > len(words.numbers):
        raise _cut_short(path, vertices, faces)
    found = _best_layout(words, at, (vertices, faces), extra)
    if found is None:
        raise _cut_short(path, vertices, faces)
    layout, (positions, polygons, left) = found
    notes = []
    if layout.vertex_lines:
        notes.append("Numbers after the position of each vertex were left out.")
    if left:
        notes.append(f"{left:,} word(s) after the last of {faces:,} faces were left out.")
    return merge_identical_vertices(mesh_of(path, positions, polygons, tuple(notes)))


def _parse_keyword(path: Path, text: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Where the numbers begin, and how many numbers follow the position of a vertex."""
    data = text[:_MOST_HEADER].tobytes()
    found = _KEYWORD.match(data)
    if found is None:
        # The word may be missing: then the file begins with its counts.
        ignored = re.match(_IGNORED, data)
        start = ignored.end() if ignored else 0
        if not data[start : start + 1].isdigit():
            raise MeshError(f"{path} is not an OFF file, though named so; export it as OFF")
        return start, 0
    for group, what in (
        ("four", "4OFF, whose vertices have four coordinates"),
        ("any", "nOFF, whose vertices have any number of coordinates"),
        ("binary", "a binary OFF"),
    ):
        if found[group]:
            raise MeshError(
                f"{path} must be an OFF in text with three coordinates, got {what}; convert it to "
                "PLY"
            )
    return found.end(), sum(count for group, count in _EXTRA_NUMBERS.items() if found[group])


def _parse_counts(path: Path, words: Words) -> tuple[int, int, int]:
    """The first word after the counts, and the numbers of vertices and faces."""
    counts = words.numbers[:2].tolist()
    if len(counts) < 2 or not all(0 <= c < 1 << 53 and c == int(c) for c in counts):
        raise MeshError(
            f"{path} must begin with its numbers of vertices, faces and edges; export it again"
        )
    # The number of edges is missing in some files.
    without_edges = words.ends_line[1] and not words.ends_line[0]
    return 2 if without_edges else 3, int(counts[0]), int(counts[1])


def _best_layout(
    words: Words, at: int, counts: tuple[int, int], extra: int
) -> tuple[_Layout, _Body] | None:
    """The first layout by which every face is a polygon and no word is left; else the definition.

    Words can fit a wrong layout by chance, but then hardly ever all of them.
    """
    lenient = None
    for layout in _LAYOUTS:
        body = _read_body(words, at, counts, extra, layout)
        if body is None:
            continue
        if not body[2] and (body[1].lengths >= 3).all():
            return layout, body
        if layout == _LAYOUTS[0]:
            lenient = layout, body
    return lenient


def _read_body(
    words: Words, at: int, counts: tuple[int, int], extra: int, layout: _Layout
) -> _Body | None:
    """Positions, polygons and words left over; None if the words do not fit the layout."""
    # Numba is imported on first use.
    from geom_miner.mesh.parsers.off_faces import read_faces

    vertices, faces = counts
    if layout.vertex_lines:
        stops = np.flatnonzero(words.ends_line[at:])[:vertices] + at + 1
        if len(stops) < vertices or not vertices:
            return None
        starts = np.concatenate([[at], stops[:-1]])
        if (stops - starts < 3).any():
            return None
        positions = words.numbers[starts[:, None] + np.arange(3)]
        at = int(stops[-1])
    else:
        stop = at + vertices * (3 + extra)
        if stop > len(words.numbers):
            return None
        positions = words.numbers[at:stop].reshape(-1, 3 + extra)[:, :3]
        at = stop
    corners, lengths, end = read_faces(
        words.numbers, words.ends_line, at, faces, vertices, layout.face_lines
    )
    if end < 0:
        return None
    return np.ascontiguousarray(positions), Polygons(corners, lengths), len(words.numbers) - end


def _cut_short(path: Path, vertices: int, faces: int) -> MeshError:
    return MeshError(
        f"{path} is damaged or cut short: it announces {vertices:,} vertices and {faces:,} faces "
        "and its numbers are no such faces; copy or export it again"
    )


READERS = {".off": read_off}
