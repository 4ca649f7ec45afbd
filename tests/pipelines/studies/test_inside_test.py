"""The table of inside tests, on a ball, two overlapping boxes and a file that is no mesh."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import pipelines.studies.inside_test
from geom_miner import TriangleMesh, write_mesh
from pipelines.studies.inside_test import INSIDE_TEST, InsideTestConfig
from tests.shapes import box, joined, sphere


@pytest.fixture
def run(tmp_path: Path) -> InsideTestConfig:
    folder = tmp_path / "meshes"
    folder.mkdir()
    write_mesh(folder / "ball.ply", sphere(3.0, (1.0, 2.0, 3.0)))
    write_mesh(folder / "crossed.ply", joined(box((0, 0, 0), (3, 3, 3)), box((1, 1, 1), (4, 4, 4))))
    (folder / "text.ply").write_text("no mesh")
    return InsideTestConfig(
        compared_samples=24**3, folder=str(folder), resolution=24, output=str(tmp_path / "runs")
    )


def rows(output: str) -> list[list[str]]:
    report = (Path(output) / "report.md").read_text()
    lines = [line for line in report.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_mesh_has_a_record_and_a_row(run: InsideTestConfig, console: Console) -> None:
    ball, crossed, text = INSIDE_TEST.run(run, fresh=False, console=console)
    assert (ball["method"], crossed["method"]) == ("parity", "direction")
    assert ball["stored"]["iou"] == ball["stored"]["iou_parity"] == crossed["stored"]["iou"] == 1.0
    assert ball["repaired"] is crossed["repaired"] is None
    # Of 27 + 27 - 8 cubed units, parity loses the 8 that both boxes hold.
    assert crossed["stored"]["iou_parity"] == pytest.approx(38 / 46, abs=0.06)
    assert crossed["overlap"] > 0
    assert ball["stored"]["samples"] == 24**3
    assert ball["stored"]["unclear"] == ball["disputed"] == 0
    assert ball["seconds"] > 0
    assert "failed" in text
    table = rows(run.output)
    assert [row[0] for row in table] == ["mesh", "---", "ball", "crossed", "text"]
    assert len({len(row) for row in table}) == 1
    assert table[3][3] == "direction"
    assert table[4][3] == "failed"
    assert run.folder not in (Path(run.output) / "records.jsonl").read_text()
    report = (Path(run.output) / "report.md").read_text()
    assert f"all {24**3:,} samples" in report
    assert "IoU below 0.995: as stored, none; repaired, none." in report


def test_a_choice_of_samples_is_said(run: InsideTestConfig, console: Console) -> None:
    ball, *_ = INSIDE_TEST.run(replace(run, compared_samples=2000), fresh=False, console=console)
    # Every block is at the surface, so only that half of the samples is there.
    assert 900 < ball["stored"]["samples"] < 1100
    assert ball["stored"]["iou"] == 1.0
    assert "seeded random choice" in (Path(run.output) / "report.md").read_text()


def test_a_rerun_measures_only_what_is_missing(
    run: InsideTestConfig, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = INSIDE_TEST.run(run, fresh=False, console=console)
    book = Path(run.output) / "records.jsonl"
    lines = book.read_text().splitlines()
    book.write_text("\n".join([lines[0], lines[1][:40], lines[2]]))
    measured: list[str] = []
    real = pipelines.studies.inside_test._measure

    def counted(path: Path, *arguments: Any) -> Any:
        measured.append(path.stem)
        return real(path, *arguments)

    monkeypatch.setattr(pipelines.studies.inside_test, "_measure", counted)
    again = INSIDE_TEST.run(run, fresh=False, console=console)
    # What was cut off is measured again, and what failed is tried again.
    assert measured == ["crossed", "text"]
    assert again[0] == first[0]
    assert [json.loads(line)["mesh"] for line in book.read_text().splitlines()] == [
        *("ball", "crossed", "text")
    ]
    INSIDE_TEST.run(run, fresh=True, console=console)
    assert measured[2:] == ["ball", "crossed", "text"]


def test_flipped_faces_are_compared_as_stored_and_as_repaired(
    run: InsideTestConfig, console: Console
) -> None:
    ball = sphere(3.0, (1.0, 2.0, 3.0), 4)
    faces = ball.faces.copy()
    faces[::5] = faces[::5, ::-1]
    write_mesh(Path(run.folder) / "ball.ply", TriangleMesh(ball.vertices, faces))
    record, *_ = INSIDE_TEST.run(run, fresh=False, console=console)
    stored, repaired = record["stored"], record["repaired"]
    assert repaired["iou"] == 1.0
    assert repaired["broken"] == 0 < 0.1 < stored["broken"]
    assert stored["iou"] < 0.99
    assert rows(run.output)[2][10:12] == [f"{stored['iou']:.4f}", "1.0000"]
    report = (Path(run.output) / "report.md").read_text()
    assert "IoU below 0.995: as stored, ball; repaired, none." in report
    (line,) = [line for line in report.splitlines() if line.startswith("- ")]
    flipped = len(faces[::5])
    assert line.startswith(f"- ball: {flipped:,} of {len(faces):,} faces were flipped to agree")
    assert f"the two faces of {record['misoriented_edges']:,} edges disagree" in line
    assert "no reference" in line


def test_nothing_inside_has_no_iou(run: InsideTestConfig, console: Console) -> None:
    thin = box((0, 0, 0.5), (1, 1, 0.5001))
    write_mesh(Path(run.folder) / "ball.ply", thin)
    record, *_ = INSIDE_TEST.run(run, fresh=False, console=console)
    assert record["inside"] == 0
    assert rows(run.output)[2][10:13] == ["-", "-", "-"]
