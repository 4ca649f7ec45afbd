"""The table of growth at toy size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from geom_miner import write_mesh
from geom_miner.errors import SettingsError
from pipelines.benchmarks.scaling import ScalingConfig, factors, growth_report, run_scaling
from tests.shapes import sphere


def test_rows_report_and_plot(tmp_path: Path, console: Console) -> None:
    source = tmp_path / "ball.ply"
    write_mesh(source, sphere(3.0, (1.0, 2.0, 3.0)))
    run = ScalingConfig(
        shape=str(source),
        sections=["growth", "triangles"],
        fitted=[32],
        voxelized=[64, 128],
        subdivisions=1,
        subdivided_resolution=32,
        whole_resolution=16,
        open3d_samples=0,
        preset="fast",
        output=str(tmp_path / "out"),
    )
    out = run_scaling(run, console=console)
    small, middle, large = out["rows"]
    assert small["iou"] > 0.99
    assert small["faces"] > 1000
    assert "fit_seconds" not in middle
    assert middle["surface_blocks"] < large["surface_blocks"] < 5 * middle["surface_blocks"]
    whole, cut = out["triangles"]["as it is"], out["triangles"]["subdivided"]
    assert cut["faces"] == 4 * whole["faces"]
    # Three float64 a vertex and three indices of 4 or 8 bytes a face.
    assert cut["array_bytes"] > 4 * (3 * cut["faces"])
    assert 0 < cut["base_rss_bytes"] <= cut["peak_rss_bytes"]
    assert json.loads((tmp_path / "out" / "scaling.json").read_text())["rows"] == out["rows"]
    report = (tmp_path / "out" / "report.md").read_text()
    assert report == growth_report(run, out)
    assert "| 64 |" in report
    assert f"| subdivided | {cut['faces']:,} | 32 |" in report
    picture = np.asarray(Image.open(tmp_path / "out" / "scaling.png").convert("L"))
    assert picture.std() > 5


def row(resolution: int, seconds: float) -> dict[str, float]:
    return {
        "resolution": resolution,
        "surface_blocks": 1,
        "base_rss_bytes": 2**28,
        "voxelize_seconds": seconds,
        "voxels_and_pyramid_seconds": seconds,
    }


def test_factors_are_over_half_the_resolution_only() -> None:
    found = factors([row(256, 1.0), row(512, 4.5), row(2048, 50.0), row(4096, 200.0)])
    assert found[512, "voxelize_seconds"] == 4.5
    assert found[4096, "voxelize_seconds"] == 4.0
    assert {resolution for resolution, _ in found} == {512, 4096}


@pytest.mark.parametrize(("seconds", "verdict"), [(4.6, "within"), (4.7, "BEYOND")])
def test_report_says_whether_the_limit_is_kept(seconds: float, verdict: str) -> None:
    rows = [row(256, 1.0), row(512, seconds)]
    out = {"rows": rows, "triangles": {}, "same_file": [], "resume": None}
    report = growth_report(ScalingConfig("lucy"), out)
    assert f"{seconds:.2f} (voxels_and_pyramid_seconds at 512), {verdict} 4.6" in report


def test_unknown_section_is_named() -> None:
    with pytest.raises(SettingsError, match=r"sections must be of growth, .* got 'growht'"):
        ScalingConfig("lucy", sections=["growht"])
