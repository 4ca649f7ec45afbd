"""The table of settings, on a sphere at toy size."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import pipelines.ablation
from eval.runs import load_config
from geom_miner import write_mesh
from geom_miner.errors import SettingsError
from pipelines.ablation import ablation_report, run_ablation
from pipelines.config import AblationRun, LearnStartRun
from pipelines.learn_start import run_learn_start
from tests.shapes import sphere, torus

FIT = {"scales": 2, "block_size": 8, "width": 8, "depth": 2, "steps": 30, "coarse_steps": 30}
CONFIGS = Path(__file__).parents[2] / "configs"


def tiny_run(folder: Path, **changes: Any) -> AblationRun:
    source = folder / "ball.ply"
    write_mesh(source, sphere(3.0, (1.0, 2.0, 3.0)))
    values: dict[str, Any] = {"cells": {"10 steps": {"steps": 10}}, **changes}
    return AblationRun(
        ablate=[str(source)], resolution=32, fit=FIT, samples=500, output=str(folder / "runs"),
        **values,
    )  # fmt: skip


def test_records_and_table(tmp_path: Path, console: Console) -> None:
    default, short = run_ablation(tiny_run(tmp_path), fresh=False, console=console)
    assert (default["cell"], short["cell"]) == ("default", "10 steps")
    assert default["block_steps"] > short["block_steps"] > 0
    assert 0.75 < default["iou_0.5"] < 1
    assert default["parameters"] == short["parameters"]
    # 8 wide, 2 deep, 512 samples: products 3*8 + 8*8 + 8, sines 2*8.
    per_step = 512 * (6 * 96 - 2 * 24 + 22 * 16) / 1e6
    assert default["mflop"] == pytest.approx(default["block_steps"] * per_step)
    report = (tmp_path / "runs" / "report.md").read_text()
    rows = [line.split("|") for line in report.splitlines() if line.startswith("|")]
    assert [row[1].strip() for row in rows] == ["setting", "---", "default", "10 steps"]
    assert len({len(row) for row in rows}) == 1
    assert float(rows[2][6]) == 1.0
    assert float(rows[3][6]) == pytest.approx(short["mflop"] / default["mflop"], abs=0.01)
    assert not re.search(r"/(home|tmp|work)/", report)
    assert str(tmp_path) not in (tmp_path / "runs" / "records.jsonl").read_text()


def test_a_rerun_measures_only_what_is_missing(
    tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny_run(tmp_path)
    first = run_ablation(run, fresh=False, console=console)
    book = tmp_path / "runs" / "records.jsonl"
    lines = book.read_text().splitlines()
    book.write_text(lines[0] + "\n" + lines[1][:50])
    measured: list[int] = []
    real = pipelines.ablation._measure

    def counted(shape: Any, occupancy: Any, settings: Any, samples: int) -> Any:
        measured.append(settings.steps)
        return real(shape, occupancy, settings, samples)

    monkeypatch.setattr(pipelines.ablation, "_measure", counted)
    again = run_ablation(run, fresh=False, console=console)
    assert measured == [10]
    assert again[0] == first[0]
    assert again[1]["iou_0.5"] == first[1]["iou_0.5"]
    assert [json.loads(line)["settings"]["steps"] for line in book.read_text().splitlines()] == [
        *(30, 10)
    ]
    run_ablation(replace(run, cells={}), fresh=True, console=console)
    assert measured == [10, 30]


def test_a_cell_may_be_a_preset(tmp_path: Path, console: Console) -> None:
    run = tiny_run(tmp_path, cells={"bad": {"preset": "huge"}})
    with pytest.raises(SettingsError, match="preset must be one of"):
        run_ablation(run, fresh=False, console=console)


@pytest.mark.parametrize(
    "cells", [{"default": {}}, {"x": 3}, {"x": {"widht": 3}}, {"x": {"width": "wide"}}]
)
def test_bad_cells_are_refused_before_anything_is_fitted(
    cells: dict[str, Any], tmp_path: Path, console: Console
) -> None:
    with pytest.raises(SettingsError):
        run_ablation(tiny_run(tmp_path, cells=cells), fresh=False, console=console)
    assert not (tmp_path / "runs" / "records.jsonl").exists()


def test_spread_is_over_the_shapes() -> None:
    record = {
        "cell": "default", "resolution": 8, "iou_0.5": 0.5, "iou_0.4": 0.5, "seconds": 1.0,
        "normal_consistency": 0.9, "chamfer_l1_voxels": 0.2, "block_steps": 10, "mflop": 5.0,
        "finest_blocks": 2, "finest_converged": 1, "parameters": 7, "hardware": "one core",
    }  # fmt: skip
    records = [{**record, "shape": "a"}, {**record, "shape": "b", "iou_0.5": 1.0}]
    assert "| default | 0.75000 (0.50000-1.00000) | 0.50000 |" in ablation_report(records)


def test_a_start_is_written_only_where_it_pays(tmp_path: Path, console: Console) -> None:
    seen, unseen = tmp_path / "ring.ply", tmp_path / "ball.ply"
    write_mesh(seen, torus())
    write_mesh(unseen, sphere())
    run = LearnStartRun(
        learn_from=[str(seen)], judge_on=[str(unseen)], sizes=[{"width": 6}, {"width": 7}],
        resolution=16, fit={**FIT, "dead_zone": 0.3}, outer_steps=3, batch=2, inner_steps=2,
        output=str(tmp_path / "starts"),
    )  # fmt: skip
    rows = run_learn_start(run, console=console)
    assert [row["file"] for row in rows] == ["3-6-6-1_omega30.npy", "3-7-7-1_omega30.npy"]
    for row in rows:
        assert row["kept"] == (row["block_steps"] <= 0.95 * row["siren_block_steps"])
        path = tmp_path / "starts" / row["file"]
        assert path.exists() == row["kept"]
        if row["kept"]:
            assert np.load(path, allow_pickle=False).dtype == np.float32
    with pytest.raises(SettingsError, match="other shapes"):
        run_learn_start(replace(run, judge_on=run.learn_from), console=console)


def test_configs_load() -> None:
    ablation = load_config(CONFIGS / "ablation.yaml", AblationRun)
    assert len(ablation.ablate) >= 5
    cells = pipelines.ablation._cells(ablation)
    assert set(cells) == {"default", *ablation.cells}
    assert {settings.start for settings in cells.values()} == {"siren", "parent", "learned"}
    start = load_config(CONFIGS / "learn_start.yaml", LearnStartRun)
    assert not set(start.learn_from) & set(start.judge_on)
