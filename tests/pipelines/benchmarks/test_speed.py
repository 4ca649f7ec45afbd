"""The benchmark at toy size: what it measures, what it prints, what it leaves out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import pipelines.benchmarks.fit_times
from eval.shapes.data_folders import find_data_file
from geom_miner import preset, write_mesh
from geom_miner.errors import MediaError, SettingsError
from pipelines.benchmarks.fit_times import TimedFit, run_alone, time_to_quality
from pipelines.benchmarks.speed import SpeedConfig, run_speed
from tests.shapes import sphere

JOB = TimedFit("volume", "", 32, 1, "fast", "cpu", "cpu", (0.9, 0.99, 2.0), 1, 60.0)


@pytest.fixture
def ball(tmp_path: Path) -> str:
    source = tmp_path / "ball.ply"
    write_mesh(source, sphere(3.0, (1.0, 2.0, 3.0)))
    return str(source)


def test_steps_and_fits_side_by_side(tmp_path: Path, ball: str) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    run = SpeedConfig(
        networks=[[3, 4, 1, 1, 4, 3]],
        volumes=[[ball, 32, 1], ["no-such-shape", 32, 1]],
        volume_entries=[["slow", "fast", "reference"], ["quick", "fast", "cpu"]],
        images=[[str(tmp_path / "a.png"), 32, 1]],
        image_entries=[["image", "image", "cpu"]],
        iou_targets=[0.9],
        psnr_targets=[5.0, 200.0],
        output=str(tmp_path / "out"),
    )
    console = Console(record=True, width=250, quiet=False)
    run_speed(run, console=console)
    told = console.export_text()
    found = json.loads((tmp_path / "out" / "speed.json").read_text())
    assert set(found["steps"]["3-4-1 x 3"]) == {"autograd", "reference", "cpu"}
    for row in found["steps"]["3-4-1 x 3"].values():
        assert row["ms"] >= row["best_ms"] > 0
    shape, picture = found["fits"].values()
    assert set(shape) == {"slow", "quick"}
    for row in shape.values():
        assert set(row["seconds_to"]) == {"0.9 at 0.4", "0.9 at 0.5"}
        assert 0 < row["kernel_share"] <= 1
        assert row["peak_rss_bytes"] >= row["peak_rss_bytes_before_fit"] > 1 << 26
    assert set(picture["image"]["seconds_to"]) == {"5 dB"}
    assert "no-such-shape 32 left out" in told
    assert "cpu against autograd" in told
    assert "(x" in told
    assert str(tmp_path) not in json.dumps(found["config"].get("output", ""))


def test_time_stops_while_it_looks(ball: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    def slow(*arguments: Any, **options: Any) -> float:
        time.sleep(0.3)
        return 0.5

    monkeypatch.setattr(pipelines.benchmarks.fit_times, "iou_voxel_sparse", slow)
    began = time.perf_counter()
    row = time_to_quality(replace(JOB, signal=ball))
    looked = time.perf_counter() - began
    assert row["seconds"] < looked - 0.5
    assert row["best"] == {"at 0.4": 0.5, "at 0.5": 0.5}
    assert not row["seconds_to"]


def test_a_fit_ends_with_its_last_goal_or_with_patience(ball: str) -> None:
    all_steps = time_to_quality(replace(JOB, signal=ball))
    assert all_steps["seconds_to"].keys() == {
        f"{g} at {t}" for g in (0.9, 0.99) for t in (0.4, 0.5)
    }
    early = time_to_quality(replace(JOB, signal=ball, goals=(0.9,)))
    assert early["block_steps"] < all_steps["block_steps"]
    late = time_to_quality(replace(JOB, signal=ball, patience=0.0))
    assert late["given_up"]
    assert late["block_steps"] < preset("fast").settings.steps * 8 * 8


def test_each_fit_has_a_process_of_its_own(ball: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines.benchmarks.fit_times, "iou_voxel_sparse", None)
    assert run_alone(replace(JOB, signal=ball))["seconds_to"]


def test_data_files_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.png").touch()
    monkeypatch.setenv("GEOM_MINER_DATA", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert find_data_file("x.png") == tmp_path / "b" / "x.png"
    with pytest.raises(MediaError, match=r"no file y\.png; give its path, or name its folder in"):
        find_data_file("y.png")


def test_kernels_are_needed(tmp_path: Path) -> None:
    run = SpeedConfig(networks=[], kernels=[], output=str(tmp_path))
    with pytest.raises(SettingsError, match="kernels"):
        run_speed(run, console=Console(quiet=True))
