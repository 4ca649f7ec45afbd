"""OBJ: every spelling of a box gives the box; damage is one sentence with the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geom_miner.errors import MeshError
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.files import read_mesh
from geom_miner.mesh.formats import text
from tests.shapes import torus

CORNERS = [f"{x} {y} {z}" for x in (0, 1) for y in (0, 1) for z in (0, 1)]
SIDES = ["1 2 4 3", "5 7 8 6", "1 5 6 2", "3 4 8 7", "1 3 7 5", "2 6 8 4"]
LINES = [*(f"v {corner}" for corner in CORNERS), *(f"f {side}" for side in SIDES)]
BOX = "\n".join(LINES) + "\n"


def sides(pattern: str) -> str:
    """The box with each corner of a face written as ``pattern`` of its index."""
    faces = [" ".join(pattern.format(i) for i in side.split()) for side in SIDES]
    normals = "vn 0 0 1\nvt 0 0\n" * 8
    return "\n".join([*LINES[:8], normals, *(f"f {face}" for face in faces)])


def relative() -> str:
    """Every face directly behind its four vertices, by indices that count back."""
    parts = []
    for side in SIDES:
        parts += [f"v {CORNERS[int(i) - 1]}" for i in side.split()] + ["f -4 -3 -2 -1"]
    return "\n".join(parts)


BOXES: dict[str, str | bytes] = {
    "plain": BOX,
    "no line end": BOX.rstrip(),
    "relative": relative(),
    "faces first": "\n".join(LINES[8:] + LINES[:8]),
    "crlf": BOX.replace("\n", "\r\n").encode(),
    "cr": BOX.replace("\n", "\r").encode(),
    "blank lines": BOX.replace("\n", "\n \t\n\n"),
    "indented": BOX.replace("v ", "  v ").replace("f ", "\tf "),
    "tabs": BOX.replace(" ", "\t"),
    "many blanks": BOX.replace(" ", "   ").replace("\n", "  \n"),
    "byte order mark": b"\xef\xbb\xbf" + BOX.encode(),
    "joined files": BOX[: BOX.index("f")].encode()
    + b"\xef\xbb\xbf"
    + BOX[BOX.index("f") :].encode(),
    "utf-16": BOX.encode("utf-16"),
    "inline comments": BOX.replace("\n", " # 1 2 3\n"),
    "comment touches": BOX.replace("\n", "#1 2 3\n"),
    "continued": BOX.replace("v 0", "v\\\n 0").replace("f 1 ", "f 1 \\ \t\r\n "),
    "comment ends in backslash": "# made in C:\\parts\\\n" + BOX,
    "texture": sides("{0}/{0}"),
    "texture and normal": sides("{0}/{0}/{0}"),
    "normal": sides("{0}//{0}"),
    "trailing slashes": sides("{0}//"),
    "plus": BOX.replace("f 1", "f +1"),
    "colors": "\n".join([f"{line} 0.5 0.25 1" for line in LINES[:8]] + LINES[8:]),
    "weights": "\n".join([f"{line} 1.0" for line in LINES[:8]] + LINES[8:]),
    "exponents": BOX.replace("v 1", "v 10.0e-1").replace("v 0", "v -0.000E+00"),
    "many digits": BOX.replace("v 1", "v 1.00000000000000000000000000"),
    "groups": "mtllib a b.mtl\no box\ng one two\ns off\nusemtl red\n" + BOX + "end\n",
    "older faces": BOX.replace("f ", "fo "),
}


@pytest.mark.parametrize("name", BOXES)
def test_every_spelling_of_a_box_is_the_box(tmp_path: Path, name: str) -> None:
    content = BOXES[name]
    path = tmp_path / "box.obj"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    mesh = read_mesh(path)
    assert (len(mesh.vertices), len(mesh.faces)) == (8, 12)
    assert mesh.volume == 1.0
    assert diagnose(mesh).watertight
    assert mesh.notes == ()


def test_indices_count_back_from_the_vertices_so_far(tmp_path: Path) -> None:
    """Stretches that threads read apart know of the vertices before them."""
    path = tmp_path / "boxes.obj"
    boxes = []
    for k in range(9):
        moved = [f"v {2 * k + int(c[0])}{c[1:]}" for c in CORNERS]
        boxes += [*moved, *("f " + " ".join(str(int(i) - 9) for i in s.split()) for s in SIDES)]
    path.write_text("\n".join(boxes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_STRETCH", 50)
        mesh = read_mesh(path)
    assert mesh.volume == 9.0
    assert diagnose(mesh).components == 9


@pytest.mark.parametrize("digits", [6, 9, 17])
def test_numbers_are_rounded_correctly(tmp_path: Path, digits: int) -> None:
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(300, 3)) * 10.0 ** rng.integers(-30, 30, (300, 1))
    words = [[f"{value:.{digits}g}" for value in row] for row in vertices]
    path = tmp_path / "numbers.obj"
    path.write_text("\n".join(f"v {' '.join(row)}" for row in words) + "\nf 1 2 3\n")
    np.testing.assert_array_equal(read_mesh(path).vertices, np.array(words, np.float64))


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = tmp_path / "box.obj"
    patch = "cstype bezier\ndeg 3 3\nsurf 0 1 0 1 1 2 3 4 \\\n5 6 7 8\nend\ncurv 0 1 1 2\n"
    path.write_text(BOX + "l 1 2\nl 2 3\np 1\nf 1 2\n" + patch + "strange words\n")
    mesh = read_mesh(path)
    assert mesh.volume == 1.0
    assert mesh.notes == (
        "Left out of the file: 2 line(s), 1 point(s), 1 free-form curve(s), 1 free-form "
        "surface(s).",
        "1 line(s) of unknown kind were left out, such as 'strange words' in line 25.",
        "1 face(s) of fewer than three corners were left out.",
    )


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (BOX + "f 0 1 2\n", "index must not be 0, got 'f 0 1 2' in line 15"),
        (BOX + "\r\n# more\rf 1 2 9\n", "has 8, got 'f 1 2 9' in line 17"),
        (BOX + "f 1 2 -9\n", "has 8, got 'f 1 2 -9' in line 15"),
        ("f -1 -2 -3\n" + BOX, "has 8, got 'f -1 -2 -3' in line 1"),
        (BOX + "f 1 2 99999999999999999999999\n", "has 8, got 'f 1 2 9+' in line 15"),
        (BOX + "f 1 2 3.0\n", "whole numbers.*'f 1 2 3.0' in line 15"),
        (BOX + "f 1 2 three\n", "whole numbers.*in line 15"),
        (BOX + "f 1 2 3/x\n", "whole numbers.*in line 15"),
        (BOX + "v 1 2\n", "three coordinates, got 'v 1 2' in line 15"),
        (BOX + "v 1 2 \\\n", "three coordinates, got 'v 1 2"),
        ("v\\\\\\\n" * 2000, "must be a number"),
        ("v 1\\1\n" * 2000, "must be a number, got .* in line 1;"),
        (BOX + "v 1 2 0x3\n", "must be a number, got 'v 1 2 0x3' in line 15"),
        (BOX + "v 1 2 1_000\n", "must be a number"),
        (BOX + "v 1,5 2 3\n", "must be a number, got 'v 1,5 2 3' in line 15"),
        (BOX + "v 0 0 nan\nf 1 2 9\n", "NaN"),
        (BOX[: BOX.index("f")], "no faces"),
        ("surf 0 1 0 1 1 2 3 4\n", "no faces.*1 free-form surface"),
    ],
)
def test_damage_is_one_sentence_with_the_line(tmp_path: Path, content: str, pattern: str) -> None:
    path = tmp_path / "bad.obj"
    path.write_text(content, newline="")
    with pytest.raises(MeshError, match=pattern) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_vertex_that_is_not_finite_and_unused_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "box.obj"
    path.write_text("v nan 0 inf\nv -nan(ind) 1.#QNAN -1.#IND\n" + relative())
    mesh = read_mesh(path)
    assert (mesh.volume, len(mesh.vertices)) == (1.0, 8)
    assert mesh.notes == ("2 vertices with NaN or infinity, which no face uses, were left out.",)


def test_equals_the_mesh_that_was_written(tmp_path: Path) -> None:
    mesh = torus(major_segments=200, minor_segments=100)
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in mesh.vertices.tolist()]
    lines += [f"f {a}/1 {b}/2 {c}/3" for a, b, c in (mesh.faces + 1).tolist()]
    path = tmp_path / "torus.obj"
    path.write_text("\n".join(lines))
    again = read_mesh(path)
    np.testing.assert_array_equal(again.vertices, mesh.vertices)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    assert again.faces.dtype == np.int32
