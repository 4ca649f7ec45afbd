"""The table of growth at toy size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from geom_miner import read_mesh, write_mesh
from pipelines.growth import GrowthRun, growth_report, run_growth, write_subdivided
from tests.shapes import sphere


def test_rows_report_and_plot(tmp_path: Path, console: Console) -> None:
    source = tmp_path / "ball.ply"
    write_mesh(source, sphere(3.0, (1.0, 2.0, 3.0)))
    run = GrowthRun(
        grow=str(source), fitted=[32], voxelized=[64, 128], subdivisions=1,
        subdivided_resolution=32, preset="fast", output=str(tmp_path / "out"),
    )  # fmt: skip
    out = run_growth(run, console=console)
    small, middle, large = out["rows"]
    assert small["iou"] > 0.99
    assert small["faces"] > 1000
    assert "fit_seconds" not in middle
    assert middle["surface_blocks"] < large["surface_blocks"] < 5 * middle["surface_blocks"]
    assert out["many_triangles"]["faces"] == 4 * len(read_mesh(source).faces)
    assert json.loads((tmp_path / "out" / "growth.json").read_text())["rows"] == out["rows"]
    report = (tmp_path / "out" / "report.md").read_text()
    assert report == growth_report(out)
    assert "| 64 |" in report
    assert "triangles at 32^3" in report
    picture = np.asarray(Image.open(tmp_path / "out" / "growth.png").convert("L"))
    assert picture.std() > 5


@pytest.mark.parametrize("times", [1, 2])
def test_cutting_triangles_keeps_the_shape_and_its_closedness(tmp_path: Path, times: int) -> None:
    source, cut = tmp_path / "ball.ply", tmp_path / "cut.ply"
    write_mesh(source, sphere(3.0, (1.0, 2.0, 3.0)))
    write_subdivided(GrowthRun(grow=str(source), subdivisions=times), cut)
    before, after = read_mesh(source), read_mesh(cut)
    assert len(after.faces) == 4**times * len(before.faces)
    # Euler: a closed sphere has two more vertices than half its faces.
    assert len(after.vertices) == len(after.faces) // 2 + 2
    # PLY keeps float32.
    assert after.volume == pytest.approx(before.volume, rel=1e-5)
    assert after.area == pytest.approx(before.area, rel=1e-5)
