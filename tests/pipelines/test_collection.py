"""A folder of meshes as one run: a failure is a row, and nothing overwrites anything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from geom_miner import load_model, read_mesh, write_mesh
from pipelines.collection import main as collection_main
from pipelines.collection import run_collection
from pipelines.config import CollectionRun
from pipelines.image import main as image_main
from pipelines.shape import main as shape_main
from tests.pipelines.run_checks import (
    FIT,
    assert_manifest,
    assert_no_machine_paths,
    record_console,
    strict_json,
)
from tests.shapes import box, sphere


def collection_folder(tmp_path: Path, *, good: bool) -> Path:
    folder = tmp_path / "meshes"
    folder.mkdir()
    (folder / "broken.ply").write_bytes(b"ply\nformat ascii 1.0\nelement vertex 3\n")
    (folder / "notes.txt").write_text("no mesh, not asked for")
    if good:
        write_mesh(folder / "whole.stl", sphere())
    return folder


def test_a_collection_goes_on_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, output = collection_folder(tmp_path, good=True), tmp_path / "runs"
    config = tmp_path / "all.yaml"
    config.write_text(f"resolution: 16\nsamples: 500\nfit: {json.dumps(FIT)}\n")
    monkeypatch.setattr("sys.argv", ["c", str(config), "--folder", str(folder), "-o", str(output)])
    said = record_console(monkeypatch)
    assert collection_main() == 0  # one mesh was fitted; the table tells of the other
    broken, whole = strict_json(output / "metrics.json")
    assert broken["name"] == "broken"
    assert broken["remark"].startswith("failed: broken.ply ends inside its header")
    assert whole["name"] == "whole"
    assert whole["iou_voxel"] > 0.9
    assert whole["watertight"] is True
    table = (output / "report.md").read_text()
    assert re.search(r"^\| broken \| - .*\| failed: .* \|$", table, re.MULTILINE)
    assert table.strip() in said()  # the lines of the table are not wrapped
    assert "1 of 2 meshes fitted" in said()
    assert read_mesh(output / "whole" / "lod_0.ply").volume > 0
    assert_manifest(output)
    assert_no_machine_paths(output, tmp_path)


def test_a_collection_of_nothing_usable_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = collection_folder(tmp_path, good=False)
    config = tmp_path / "all.yaml"
    config.write_text("resolution: 16\n")
    output = tmp_path / "runs"
    monkeypatch.setattr("sys.argv", ["c", str(config), "--folder", str(folder), "-o", str(output)])
    said = record_console(monkeypatch)
    assert collection_main() == 1
    assert "error: none of 1 meshes could be fitted" in said()
    assert len(strict_json(output / "metrics.json")) == 1


def test_meshes_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    write_mesh(folder / "thing.ply", sphere())
    write_mesh(folder / "thing.stl", box())
    run = CollectionRun(
        folder=str(folder), resolution=16, samples=500, fit=FIT, output=str(tmp_path / "runs")
    )
    rows = run_collection(run, console=Console(quiet=True))
    assert len({row["name"] for row in rows}) == 2
    for row in rows:
        model = tmp_path / "runs" / row["name"] / "model.miner"
        assert model.stat().st_size == row["file_bytes"]
        assert load_model(model).info.source.name == row["name"]


@pytest.mark.parametrize(
    ("main", "content"),
    [
        (shape_main, "shape: no/such/mesh.ply\n"),
        (shape_main, "shape: lucy\nresolution: big\n"),
        (image_main, "image: absent.png\n"),
        (collection_main, "folder: no/such/folder\n"),
    ],
)
def test_problems_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Callable[[], int], content: str
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(content + f"output: {tmp_path / 'runs'}\n")
    monkeypatch.setattr("sys.argv", ["run", str(config)])
    said = record_console(monkeypatch)
    assert main() == 1
    assert said().startswith("error: ")
    assert said().count("\n") == 1


def test_an_output_below_a_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mesh(tmp_path / "ball.ply", sphere())
    config = tmp_path / "run.yaml"
    config.write_text(
        f"shape: {tmp_path / 'ball.ply'}\nresolution: 16\noutput: {config / 'below'}\n"
    )
    monkeypatch.setattr("sys.argv", ["run", str(config)])
    said = record_console(monkeypatch)
    assert shape_main() == 1
    assert said().splitlines()[-1].startswith("error: cannot make folder")


def test_a_collection_says_where_nothing_is_inside(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    write_mesh(folder / "foil.ply", box((0.0, 0.0, 0.0), (1.0, 1.0, 1e-4)))
    run = CollectionRun(
        folder=str(folder),
        resolution=16,
        samples=100,
        output=str(tmp_path / "out"),
        preset="volume",
        fit={"scales": 1, "steps": 1},
    )
    (row,) = run_collection(run, console=Console(quiet=True))
    assert row["active_blocks"] == 0
    assert "nothing is inside" in row["remark"]
