"""STL in text and binary: several solids, odd spellings, sizes that disagree, damage."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from geom_miner.errors import MeshError
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.files import read_mesh
from geom_miner.mesh.formats import text
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.shapes import box, sphere


def ascii_stl(mesh: TriangleMesh, name: str = "part", end: str = "endsolid part\n") -> str:
    facets = [
        "facet normal 0 0 nan\n  outer loop\n"
        + "".join(f"    vertex {x!r} {y!r} {z!r}\n" for x, y, z in triangle)
        + "  endloop\nendfacet\n"
        for triangle in mesh.triangles.tolist()
    ]
    return f"solid {name}\n{''.join(facets)}{end}"


def binary_stl(mesh: TriangleMesh, header: bytes = b"", count: int | None = None) -> bytes:
    rows = [
        struct.pack("<12fH", *[float("nan")] * 3, *triangle.reshape(-1), 7)
        for triangle in mesh.triangles
    ]
    count = len(rows) if count is None else count
    return header.ljust(80, b" ") + struct.pack("<I", count) + b"".join(rows)


BOX = ascii_stl(box())
SPELLINGS: dict[str, str | bytes] = {
    "plain": BOX,
    "crlf": BOX.replace("\n", "\r\n").encode(),
    "cr": BOX.replace("\n", "\r").encode(),
    "upper case": BOX.upper(),
    "mixed case": BOX.title(),
    "one blank each": " ".join(BOX.split()),
    "end solid": ascii_stl(box(), end="end solid part\n"),
    "end facet": BOX.replace("endfacet", "end facet").replace("endloop", "end loop"),
    "name of words": ascii_stl(box(), "a vertex of facet 3 endsolid"),
    "no name": BOX.replace("solid part", "solid"),
    "byte order mark": b"\xef\xbb\xbf" + BOX.encode(),
    "utf-16": BOX.encode("utf-16"),
    "blanks first": "\n\n  " + BOX,
    "colors": BOX.replace("outer", "color 1 0 0\nouter"),
    "binary": binary_stl(box()),
    "binary solid": binary_stl(box(), b"solid facet normal"),
    "binary of two": binary_stl(box((0, 0, 0), (1, 1, 0.5)))
    + binary_stl(box((0, 0, 0.5), (1, 1, 1))),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_of_a_box_is_the_box(tmp_path: Path, name: str) -> None:
    content = SPELLINGS[name]
    path = tmp_path / "box.stl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    mesh = read_mesh(path)
    assert mesh.volume == 1.0
    assert len(mesh.faces) == 12 * (2 if name == "binary of two" else 1)
    assert mesh.notes == ()


@pytest.mark.parametrize("stretch", [10, 1 << 22])
@pytest.mark.parametrize("ends", [("endsolid\n", "endsolid\n"), ("endsolid\n", ""), ("", "")])
def test_all_solids_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: tuple[str, str], stretch: int
) -> None:
    monkeypatch.setattr(text, "_STRETCH", stretch)
    solids = [box(), box((2, 0, 0), (3, 1, 2))]
    parts = [ascii_stl(solid, end=end) for solid, end in zip(solids, ends, strict=True)]
    path = tmp_path / "two.stl"
    path.write_text("".join(parts))
    mesh = read_mesh(path)
    assert mesh.volume == 3.0
    assert diagnose(mesh).components == 2
    missing = ends.count("")
    said = f'{missing} of 2 solid(s) do not end with "endsolid"'
    assert [note.startswith(said) for note in mesh.notes] == [True] * bool(missing)


def test_facets_of_four_corners_and_of_none(tmp_path: Path) -> None:
    path = tmp_path / "odd.stl"
    extra = "facet normal 0 0 1\nouter loop\nendloop\nendfacet\n"
    quad = "vertex 0 0 0\nvertex 2 0 0\nvertex 2 1 0\nvertex 0 1 0\n"
    path.write_text(f"solid\n{extra}{extra.replace('endloop', quad + 'endloop')}endsolid\n")
    mesh = read_mesh(path)
    assert (len(mesh.faces), mesh.area) == (2, 2.0)
    assert mesh.notes == ("1 facet(s) have no vertices.",)


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (binary_stl(box()) + b"\n", "1 byte(s) after the last facet were left out."),
        (binary_stl(box()) + bytes(500), "500 byte(s) after the last facet were left out."),
        (binary_stl(box(), b"solid") + b"\0\0", "2 byte(s) after the last facet were left out."),
        (binary_stl(box(), count=0), "The header announces no facets and the file holds 12."),
    ],
    ids=["one byte", "zeros", "solid", "no count"],
)
def test_a_count_that_disagrees_with_the_size_is_said(
    tmp_path: Path, content: bytes, note: str
) -> None:
    path = tmp_path / "box.stl"
    path.write_bytes(content)
    mesh = read_mesh(path)
    assert mesh.volume == 1.0
    assert mesh.notes == (note,)


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (BOX[: BOX.rindex("endfacet")], "cut short: 12 facets begin and 11 end"),
        (BOX[: BOX.rindex("vertex") + 9], "three coordinates"),
        (BOX.replace("1.0 1.0 1.0", "1.0 one 1.0"), "three coordinates .* line 18"),
        (BOX.replace("1.0 1.0 1.0", "1.0 nan 1.0"), "NaN"),
        ("solid part\nendsolid part\n", "no faces"),
        ("solid\n" + "vertex \\\\\\ " * 2000, "three coordinates"),
        ("solid facet\n" + "vertex 1#1 " * 2000, "three coordinates"),
        (binary_stl(box())[:-1], "announces 12 facets and the file has room for 11"),
        (binary_stl(box(), count=2**32 - 1), "announces 4,294,967,295 facets"),
        (binary_stl(box())[:83], "no STL"),
        (binary_stl(box())[:84].replace(b"\x0c", b"\0"), "no faces"),
        (binary_stl(box()).replace(struct.pack("<f", 1), struct.pack("<f", np.inf)), "infinity"),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, content: str | bytes, pattern: str) -> None:
    path = tmp_path / "bad.stl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(MeshError, match=pattern) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_and_binary_are_the_same_mesh(tmp_path: Path) -> None:
    rounded = TriangleMesh(sphere().vertices.astype(np.float32), sphere().faces)
    (tmp_path / "text.stl").write_text(ascii_stl(rounded))
    (tmp_path / "binary.stl").write_bytes(binary_stl(rounded))
    text_mesh, binary_mesh = read_mesh(tmp_path / "text.stl"), read_mesh(tmp_path / "binary.stl")
    np.testing.assert_array_equal(text_mesh.triangles, rounded.triangles)
    np.testing.assert_array_equal(binary_mesh.triangles, rounded.triangles)
    assert len(text_mesh.vertices) == len(rounded.vertices)
