"""OFF: a stream of words with comments, prefixes and colors; damage is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from geom_miner.errors import MeshError
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.files import read_mesh

POINTS = [f"{x} {y} {z}" for x in (0, 1) for y in (0, 1) for z in (0, 1)]
SIDES = ["4 0 1 3 2", "4 4 6 7 5", "4 0 4 5 1", "4 2 3 7 6", "4 0 2 6 4", "4 1 5 7 3"]


def off(
    keyword: str = "OFF\n", counts: str = "8 6 12\n", behind_point: str = "", behind_face: str = ""
) -> str:
    lines = [point + behind_point for point in POINTS] + [side + behind_face for side in SIDES]
    return keyword + counts + "\n".join(lines) + "\n"


BOXES: dict[str, str | bytes] = {
    "plain": off(),
    "no keyword": off(keyword=""),
    "lower case": off("off\n"),
    "one line": off("OFF ", "8 6 12\n"),
    "digits touch": off("OFF", "8 6 12\n"),
    "no edges": off(counts="8 6\n"),
    "comments": "# made by hand\n" + off("OFF # 1\n# 2\n", "8 6 0 # 3\n", " # 4", "# 5"),
    "all on one line": off().replace("\n", " "),
    "a word a line": off().replace(" ", "\n\n"),
    "cr": off().replace("\n", "\r").encode(),
    "crlf": off().replace("\n", "\r\n").encode(),
    "byte order mark": b"\xef\xbb\xbf" + off().encode(),
    "colored faces": off(behind_face=" 0.1 0.2 0.3"),
    "color index": off(behind_face=" 17"),
    "COFF": off("COFF\n", behind_point=" 255 0 0 255"),
    "NOFF": off("NOFF\n", behind_point=" 0 0 1"),
    "STOFF": off("STOFF\n", behind_point=" 0.5 0.5"),
    "STCNOFF": off("STCNOFF\n", behind_point=" 0 0 1 1 0 0 1 0.5 0.5"),
    "flat colors": off("COFF\n", behind_point=" 1 0 0 1").replace("\n", " "),
}


@pytest.mark.parametrize("name", BOXES)
def test_every_spelling_of_a_box_is_the_box(tmp_path: Path, name: str) -> None:
    content = BOXES[name]
    path = tmp_path / "box.off"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    mesh = read_mesh(path)
    assert (mesh.volume, len(mesh.faces)) == (1.0, 12)
    assert diagnose(mesh).watertight
    assert mesh.notes == ()


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (off("COFF\n", behind_point=" 1 0 0"), "Numbers after the position of each vertex were"),
        (off(behind_point=" 1 0 0"), "Numbers after the position of each vertex were left out."),
        (off() + "3 0 1 2\n", "4 word(s) after the last of 6 faces were left out."),
        (off(counts="8 8 0\n") + "2 0 1\n0\n", "2 face(s) of fewer than three corners were"),
    ],
)
def test_what_is_left_out_is_said(tmp_path: Path, content: str, note: str) -> None:
    path = tmp_path / "box.off"
    path.write_text(content)
    mesh = read_mesh(path)
    assert mesh.volume == 1.0
    assert len(mesh.notes) == 1
    assert mesh.notes[0].startswith(note)


def test_a_polygon_of_seven_corners(tmp_path: Path) -> None:
    path = tmp_path / "star.off"
    points = "0 0 0 4 0 0 4 4 0 2 1 0 0 4 0 0 3 0 0 2 0"
    path.write_text(f"OFF 7 1 0 {points} 7 0 1 2 3 4 5 6")
    assert read_mesh(path).area == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (off("4OFF\n"), "4OFF"),
        (off("nOFF\n3\n"), "nOFF"),
        (off("OFF BINARY\n"), "binary"),
        ("solid\n", "not an OFF"),
        ("OFF\n", "must begin with its numbers"),
        ("OFF\n8 nan 0\n", "must begin with its numbers"),
        ("OFF\n8.5 6 0\n", "must begin with its numbers"),
        (off()[:-2], "cut short"),
        (off(counts="8 7 0\n"), "cut short"),
        (off(counts="9 6 0\n"), "cut short"),
        (off(counts="8 999999999999999 0\n"), "cut short"),
        (off(counts="1e300 6 0\n"), "must begin with its numbers"),
        (off().replace("4 0 1 3 2", "4 0 1 3 8"), "cut short"),
        (off().replace("4 0 1 3 2", "4 0 1 3 -1"), "cut short"),
        (off().replace("4 0 1 3 2", "4 0 1 3 x"), "other than numbers.*'x' in line 11"),
        ("OFF 3 0 0 0 0 0 1 0 0 0 1 0", "no faces"),
        ("OFF " + "1\\" * 1000, "other than numbers"),
        ("OFF " + "\\" * 1000, "other than numbers"),
        ("OFF " + "1.#" * 1000, "other than numbers"),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, content: str, pattern: str) -> None:
    path = tmp_path / "bad.off"
    path.write_text(content)
    with pytest.raises(MeshError, match=pattern) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
