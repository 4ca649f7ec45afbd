"""PLY as other programs write it: carriage returns, strips, left-out elements, hostile counts."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest

from geom_miner.errors import MeshError
from geom_miner.mesh.files import read_mesh
from geom_miner.mesh.formats.ply import read_ply_vertices
from tests.shapes import box

XYZ = "property float x\nproperty float y\nproperty float z\n"
FACES = "property list uchar int vertex_indices\n"


def header(*elements: str, encoding: str = "binary_little_endian", extra: str = "") -> str:
    return f"ply\nformat {encoding} 1.0\n{extra}{''.join(elements)}end_header\n"


def box_bytes(first: float = 0.0) -> tuple[bytes, bytes]:
    vertices = box().vertices.astype("<f4")
    vertices[0, 0] = first
    faces = b"".join(struct.pack("<B3i", 3, *face) for face in box().faces.tolist())
    return vertices.tobytes(), faces


BOX_HEADER = header(f"element vertex 8\n{XYZ}", f"element face 12\n{FACES}")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_header_may_have_any_line_end(tmp_path: Path, line_end: str) -> None:
    """Also where the data begin with the byte of a line feed."""
    first = struct.unpack("<f", b"\n\0\0\0")[0]
    vertices, faces = box_bytes(first)
    path = tmp_path / "box.ply"
    path.write_bytes(BOX_HEADER.replace("\n", line_end).encode() + vertices + faces)
    mesh = read_mesh(path)
    assert mesh.vertices[0].tolist() == [first, 0, 0]
    assert (len(mesh.faces), mesh.notes) == (12, ())


@pytest.mark.parametrize(
    "extra",
    [
        "comment end_header\n",
        "comment the end_header\nobj_info end_header 3\n",
        "comment K\u00e5re \u0085 element face 3\n",
        "\n  comment   indented  \n",
    ],
)
def test_comments_hold_anything(tmp_path: Path, extra: str) -> None:
    vertices, faces = box_bytes()
    path = tmp_path / "box.ply"
    head = BOX_HEADER.replace("element vertex", extra + "element vertex")
    path.write_bytes(head.encode() + vertices + faces)
    assert read_mesh(path).volume == 1.0


@pytest.mark.parametrize("encoding", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("index", [("int", "i", -1), ("uint", "I", 2**32 - 1), ("short", "h", -1)])
@pytest.mark.parametrize("rows", [1, 2])
def test_strips_turn_every_second_triangle(
    tmp_path: Path, encoding: str, index: tuple[str, str, int], rows: int
) -> None:
    """The six sides of a box as two strips, in one list or in two, and one fan of nothing."""
    kind, code, stop = index
    strips = [[4, 6, 5, 7, 1, 3, 0, 2], [2, 3, 6, 7], [5, 1, 4, 0]]
    head = header(
        f"element vertex 8\n{XYZ}",
        f"element tristrips {rows}\nproperty list int {kind} vertex_indices\n",
        encoding=encoding,
    )
    joined = [strips[0] + [stop] + strips[1] + [stop, stop] + strips[2]]
    lists = joined if rows == 1 else [strips[0] + [stop] + strips[1], strips[2]]
    path = tmp_path / "strips.ply"
    if encoding == "ascii":
        lines = [" ".join(map(str, v)) for v in box().vertices.tolist()]
        lines += [" ".join(map(str, [len(each), *each])) for each in lists]
        path.write_text(head + "\n".join(lines))
    else:
        order = "<" if "little" in encoding else ">"
        body = box().vertices.astype(order + "f4").tobytes()
        for each in lists:
            body += struct.pack(f"{order}i{len(each)}{code}", len(each), *each)
        path.write_bytes(head.encode() + body)
    mesh = read_mesh(path)
    # The first strip runs around four sides and twists at its end; areas and order tell.
    assert len(mesh.faces) == 6 + 2 + 2
    expected = [(4, 6, 5), (5, 6, 7), (5, 7, 1), (1, 7, 3), (1, 3, 0), (0, 3, 2)]
    expected += [(2, 3, 6), (6, 3, 7), (5, 1, 4), (4, 1, 0)]
    np.testing.assert_array_equal(mesh.faces, expected)
    assert mesh.area == 5.0


def test_strips_join_by_triangles_without_area(tmp_path: Path) -> None:
    path = tmp_path / "strip.ply"
    path.write_text(
        header(
            f"element vertex 4\n{XYZ}",
            "element tristrips 1\nproperty list int int vertex_indices\n",
            "element face 1\n" + FACES,
            encoding="ascii",
        )
        + "0 0 0\n1 0 0\n0 1 0\n1 1 0\n7 0 1 2 2 3 3 1\n3 0 1 3\n"
    )
    np.testing.assert_array_equal(read_mesh(path).faces, [(0, 1, 3), (0, 1, 2)])


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = tmp_path / "box.ply"
    lines = ["0 0 0", *(" ".join(map(str, v)) for v in box().vertices.tolist()), "nan inf -inf"]
    lines += ["0 1 0.5"]
    lines += [" ".join(map(str, [3, *(k + 1 for k in face)])) for face in box().faces.tolist()]
    lines += ["2 0 1", "0", "1 0", "8 8"]
    elements = ["element edge 1\nproperty int a\nproperty int b\nproperty float c\n"]
    head = header(
        f"element vertex 10\n{XYZ}", *elements, f"element face 15\n{FACES}", encoding="ascii"
    )
    path.write_text(head + "\n".join(lines))
    mesh = read_mesh(path)
    assert (mesh.volume, len(mesh.vertices)) == (1.0, 9)
    assert mesh.notes == (
        "Left out of the file: 1 rows of 'edge'.",
        "2 number(s) after the last element were left out.",
        "3 face(s) of fewer than three corners were left out.",
        "1 vertices with NaN or infinity, which no face uses, were left out.",
    )
    assert np.isnan(read_ply_vertices(path)["x"]).sum() == 1


def test_uint16_indices_and_lists_before_them(tmp_path: Path) -> None:
    head = header(
        f"element vertex 8\n{XYZ}",
        "element face 12\nproperty list ushort float texcoord\n"
        "property list uchar uint16 vertex_index\nproperty uchar flags\n",
        encoding="binary_big_endian",
    )
    body = box().vertices.astype(">f4").tobytes()
    for k, face in enumerate(box().faces.tolist()):
        body += struct.pack(f">H{k}fB3HB", k, *[0.5] * k, 3, *face, 1)
    path = tmp_path / "box.ply"
    path.write_bytes(head.encode() + body)
    mesh = read_mesh(path)
    assert (mesh.volume, mesh.notes) == (1.0, ())
    np.testing.assert_array_equal(mesh.faces, box().faces)


def hostile() -> dict[str, tuple[bytes, str]]:
    vertices, faces = box_bytes()
    plain = BOX_HEADER.encode()
    long_lists = plain.replace(b"uchar int", b"uint int")
    return {
        "count of 4,300 digits": (plain.replace(b"face 12", b"face " + b"9" * 4300), "no PLY"),
        "count of 18 digits": (plain.replace(b"face 12", b"face " + b"9" * 18), "cut short"),
        "count with a sign": (plain.replace(b"face 12", b"face +12"), "no PLY"),
        "list of 2^31": (long_lists + vertices + b"\0\0\0\x80" + faces, "cut short"),
        "list of 2^32 - 1": (long_lists + vertices + b"\xff" * 4 + faces, "cut short"),
        "lengths that are no whole numbers": (
            plain.replace(b"uchar int", b"double int") + vertices + faces * 9,
            "no PLY",
        ),
        "negative list": (
            long_lists.replace(b"list uint", b"list int") + vertices + b"\xff" * 4 + faces,
            "negative length",
        ),
        "later negative list": (
            long_lists.replace(b"list uint", b"list int")
            + vertices
            + struct.pack("<4i", 3, 0, 1, 2)
            + b"\xff" * 400,
            "negative length",
        ),
        "two elements of one name": (plain.replace(b"face", b"vertex"), "'vertex' again"),
        "two properties of one name": (plain.replace(b"float y", b"float x"), "'x' again"),
        "property before elements": (b"ply\nformat ascii 1.0\nproperty int a\nend_header\n", "no"),
        "ascii list of 2^31": (
            header(
                f"element vertex 1\n{XYZ}", f"element face 1\n{FACES}", encoding="ascii"
            ).encode()
            + b"0 0 0\n2147483648 0 0 0\n",
            "cut short",
        ),
        "ascii list of 1e300": (
            header(
                f"element vertex 1\n{XYZ}", f"element face 1\n{FACES}", encoding="ascii"
            ).encode()
            + b"0 0 0\n1e300 0 0 0\n",
            "cut short",
        ),
        "indices with fractions": (
            header(
                f"element vertex 3\n{XYZ}",
                "element face 1\nproperty list uchar float vertex_indices\n",
                encoding="ascii",
            ).encode()
            + b"0 0 0 1 0 0 0 1 0 3 0 1 1.5",
            "whole numbers",
        ),
    }


@pytest.mark.parametrize("name", hostile())
def test_hostile_counts_are_one_sentence(tmp_path: Path, name: str) -> None:
    content, pattern = hostile()[name]
    vertices, faces = box_bytes()
    path = tmp_path / "bad.ply"
    path.write_bytes(content if b"ascii" in content else content + vertices + faces)
    with pytest.raises(MeshError, match=pattern) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_header_of_many_properties_takes_time_in_proportion(tmp_path: Path) -> None:
    path = tmp_path / "many.ply"
    properties = "".join(f"property char p{k}\n" for k in range(40_000))
    path.write_text(header(f"element vertex 1\n{properties}", f"element face 1\n{FACES}"))
    start = time.process_time()
    with pytest.raises(MeshError, match="cut short"):
        read_mesh(path)
    assert time.process_time() - start < 2
