"""The table of settings, on a sphere at toy size."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import pipelines.studies.ablation
from eval.runs import load_config
from geom_miner import write_mesh
from geom_miner.errors import SettingsError
from pipelines.studies.ablation import ABLATION, AblationConfig, entries_of, report
from tests.shapes import sphere

FIT = {"scales": 2, "block_size": 8, "width": 8, "depth": 2, "steps": 30, "coarse_steps": 30}
CONFIGS = Path(__file__).parents[3] / "configs"


def tiny_run(folder: Path, **changes: Any) -> AblationConfig:
    source = folder / "ball.ply"
    write_mesh(source, sphere(3.0, (1.0, 2.0, 3.0)))
    values: dict[str, Any] = {"entries": {"10 steps": {"steps": 10}}, **changes}
    return AblationConfig(
        shapes=[str(source)],
        resolution=32,
        fit=FIT,
        samples=500,
        output=str(folder / "runs"),
        **values,
    )


def test_records_and_table(tmp_path: Path, console: Console) -> None:
    default, short = ABLATION.run(tiny_run(tmp_path), fresh=False, console=console)
    assert (default["cell"], short["cell"]) == ("preset volume", "10 steps")
    assert default["block_steps"] > short["block_steps"] > 0
    assert 0.75 < default["iou_0.5"] < 1
    assert default["parameters"] == short["parameters"]
    # 8 wide, 2 deep, 512 samples: products 3*8 + 8*8 + 8, sines 2*8.
    per_step = 512 * (6 * 96 - 2 * 24 + 22 * 16) / 1e6
    assert default["mflop"] == pytest.approx(default["block_steps"] * per_step)
    text = (tmp_path / "runs" / "report.md").read_text()
    rows = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    assert [row[1].strip() for row in rows] == ["setting", "---", "preset volume", "10 steps"]
    assert len({len(row) for row in rows}) == 1
    assert float(rows[2][6]) == 1.0
    assert float(rows[3][6]) == pytest.approx(short["mflop"] / default["mflop"], abs=0.01)
    assert not re.search(r"/(home|tmp|work)/", text)
    assert str(tmp_path) not in (tmp_path / "runs" / "records.jsonl").read_text()


def test_a_rerun_measures_only_what_is_missing(
    tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny_run(tmp_path)
    first = ABLATION.run(run, fresh=False, console=console)
    book = tmp_path / "runs" / "records.jsonl"
    lines = book.read_text().splitlines()
    book.write_text(lines[0] + "\n" + lines[1][:50])
    measured: list[int] = []
    real = pipelines.studies.ablation.measure_fit

    def counted(shape: Any, settings: Any, config: Any) -> Any:
        measured.append(settings.steps)
        return real(shape, settings, config)

    monkeypatch.setattr(pipelines.studies.ablation, "measure_fit", counted)
    again = ABLATION.run(run, fresh=False, console=console)
    assert measured == [10]
    assert again[0] == first[0]
    assert again[1]["iou_0.5"] == first[1]["iou_0.5"]
    assert [json.loads(line)["settings"]["steps"] for line in book.read_text().splitlines()] == [
        *(30, 10)
    ]
    ABLATION.run(replace(run, entries={}), fresh=True, console=console)
    assert measured == [10, 30]


def test_an_entry_may_be_a_preset(tmp_path: Path, console: Console) -> None:
    run = tiny_run(tmp_path, entries={"bad": {"preset": "huge"}})
    with pytest.raises(SettingsError, match="preset must be one of"):
        ABLATION.run(run, fresh=False, console=console)


@pytest.mark.parametrize(
    "entries", [{"preset volume": {}}, {"x": 3}, {"x": {"widht": 3}}, {"x": {"width": "wide"}}]
)
def test_bad_entries_are_refused_before_anything_is_fitted(
    entries: dict[str, Any], tmp_path: Path, console: Console
) -> None:
    with pytest.raises(SettingsError):
        ABLATION.run(tiny_run(tmp_path, entries=entries), fresh=False, console=console)
    assert not (tmp_path / "runs" / "records.jsonl").exists()


def test_spread_is_over_the_shapes() -> None:
    record = {
        "cell": "preset volume",
        "resolution": 8,
        "iou_0.5": 0.5,
        "iou_0.4": 0.5,
        "seconds": 1.0,
        "normal_consistency": 0.9,
        "chamfer_l1_voxels": 0.2,
        "block_steps": 10,
        "mflop": 5.0,
        "finest_blocks": 2,
        "finest_converged": 1,
        "parameters": 7,
        "hardware": "one core",
    }
    records = [{**record, "shape": "a"}, {**record, "shape": "b", "iou_0.5": 1.0}]
    assert "| preset volume | 0.75000 (0.50000-1.00000) | 0.50000 |" in report(
        AblationConfig(["a", "b"], {}), records
    )


def test_config_loads() -> None:
    ablation = load_config(CONFIGS / "ablation.yaml", AblationConfig)
    assert len(ablation.shapes) >= 5
    entries = entries_of(ablation)
    assert set(entries) == {"preset volume", *ablation.entries}
    assert {settings.start for settings in entries.values()} == {"siren", "parent"}
