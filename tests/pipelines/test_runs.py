"""Whole runs at toy size: what they leave on disk is complete, honest and repeatable."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import pipelines.shape
from eval import View
from eval.shapes.find import Shape
from geom_miner import load_model, read_mesh, write_mesh
from pipelines import pictures
from pipelines.config import ImageRun, ShapeRun
from pipelines.image import run_image
from pipelines.shape import main as shape_main
from pipelines.shape import run_shape
from tests.pipelines.run_checks import (
    FIT,
    assert_manifest,
    assert_no_machine_paths,
    record_console,
    strict_json,
)
from tests.shapes import box, sphere

TINY: dict[str, Any] = {"fit": FIT, "device": "cpu", "backend": "reference"}
LEVEL = {"scale", "shape", "active_blocks", "parameters", "bytes", "seconds"}
SHAPE_LEVEL = LEVEL | {
    *("iou_voxel", "iou_voxel_own_grid", "iou_threshold", "chamfer_l1_voxels"),
    *("surface_error_voxels", "normal_error_degrees", "iou_offgrid_2x"),
    *("sampling_floor_voxels", "normal_consistency", "watertight", "vertices", "faces"),
}
RUN = {
    *("name", "source", "resolution", "wall_seconds", "fit_seconds", "resumed_scales"),
    *("peak_rss_bytes", "file_bytes", "parameters", "lods"),
}


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rays are what a toy run spends its time on; only ``ball_run`` draws at full size."""
    monkeypatch.setattr(pictures, "_WIDTH", 42)
    monkeypatch.setattr(pictures, "_HEIGHT", 56)


def sphere_run(folder: Path, **changes: Any) -> ShapeRun:
    source = folder / "data" / "ball.ply"
    source.parent.mkdir(exist_ok=True)
    write_mesh(source, sphere(3.0, (1.0, 2.0, 3.0)))
    values = {"shape": str(source), "resolution": 32, "samples": 2000, **TINY, **changes}
    return ShapeRun(**values, output=str(folder / "runs"))


def linked_pictures(report: Path) -> list[Path]:
    names = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", report.read_text())
    assert names
    return [report.parent / name for name in names]


@pytest.fixture(scope="module")
def ball_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run with pictures at their real size; tests read it only."""
    base = tmp_path_factory.mktemp("ball")
    return run_shape(sphere_run(base), fresh=False, console=Console(quiet=True))


def test_metrics_of_a_shape(ball_run: Path) -> None:
    metrics = strict_json(ball_run / "metrics.json")
    assert metrics.keys() == RUN | {"title", "samples", "voxelization"}
    assert metrics["name"] == "ball"
    assert metrics["source"].keys() == {
        *("name", "path", "faces", "stand_in", "license", "citation")
    }
    assert metrics["source"]["path"] == "ball.ply"
    assert metrics["source"]["faces"] == 1280
    assert metrics["source"]["stand_in"] is False
    assert metrics["resolution"] == 32
    assert metrics["wall_seconds"] > metrics["fit_seconds"] > 0
    assert metrics["peak_rss_bytes"] > 50 * 2**20
    model = ball_run / "model.miner"
    assert metrics["file_bytes"] == model.stat().st_size
    assert metrics["parameters"] == load_model(model).num_parameters
    assert [level["scale"] for level in metrics["lods"]] == [1, 0]
    for level in metrics["lods"]:
        assert level.keys() == SHAPE_LEVEL
        mesh = read_mesh(ball_run / f"lod_{level['scale']}.ply")
        assert (level["vertices"], level["faces"]) == (len(mesh.vertices), len(mesh.faces))
        assert level["watertight"] is True
        assert level["shape"] == [32 >> level["scale"]] * 3
    assert sum(level["parameters"] for level in metrics["lods"]) == metrics["parameters"]
    assert sum(level["bytes"] for level in metrics["lods"]) < metrics["file_bytes"]
    coarse, fine = metrics["lods"]
    assert fine["iou_voxel"] > 0.97
    assert fine["iou_voxel"] > coarse["iou_voxel"]
    # Half a voxel is what a binary surface wanders; the sampling's own distance comes on top.
    assert fine["chamfer_l1_voxels"] < fine["sampling_floor_voxels"] + 0.5
    assert 0 < fine["surface_error_voxels"]["mean"] < fine["surface_error_voxels"]["p95"] < 0.5
    assert fine["surface_error_voxels"]["mean"] < coarse["surface_error_voxels"]["mean"]
    assert 0 < fine["normal_error_degrees"]["median"] < 30
    assert 0.8 < coarse["iou_offgrid_2x"] < fine["iou_offgrid_2x"] < 1


def test_manifest_of_a_shape(ball_run: Path) -> None:
    assert_manifest(ball_run)
    config = strict_json(ball_run / "manifest.json")["config"]
    assert config["shape"] == "ball.ply"
    assert config["output"] == "runs"
    assert config["resolution"] == 32


def test_report_and_pictures_of_a_shape(ball_run: Path) -> None:
    sizes = {}
    for path in linked_pictures(ball_run / "report.md"):
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            sizes[path.name] = picture.size
            shades = np.asarray(picture.convert("L"))
        assert shades.std() > 3, f"{path.name} is blank"
    assert sizes.keys() == {"lods.png", "closeup.png", "active_blocks.png", "quality.png"}
    # Source and two levels side by side; two columns of blocks.
    assert sizes["lods.png"][0] >= 3 * 420
    assert sizes["active_blocks.png"][0] >= 2 * 420
    assert sizes["quality.png"][0] >= 400
    assert sizes["closeup.png"][0] >= 2 * 640
    text = (ball_run / "report.md").read_text()
    assert "STAND-IN" not in text
    assert len(re.findall(r"^\| \d ", text, re.MULTILINE)) == 2


def test_a_run_names_no_place_of_this_machine(ball_run: Path) -> None:
    assert_no_machine_paths(ball_run, ball_run.parents[1])


def test_a_rerun_fits_nothing_and_keeps_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ball_run: Path
) -> None:
    run = sphere_run(tmp_path)
    shutil.copytree(ball_run, tmp_path / "runs" / "ball")
    monkeypatch.setattr("geom_miner.fit.file_fit.fit_signal", None)  # calling it would fail
    folder = run_shape(run, fresh=False, console=Console(quiet=True))
    first, second = (strict_json(f / "metrics.json") for f in (ball_run, folder))
    assert second["resumed_scales"] == 2
    assert second["fit_seconds"] == first["fit_seconds"]
    assert second["lods"] == first["lods"]
    for name in ("model.miner", "lod_0.ply", "lod_1.ply"):
        assert (folder / name).read_bytes() == (ball_run / name).read_bytes()


def test_a_run_of_other_settings_is_fitted_anew_with_its_own_times(
    tmp_path: Path, ball_run: Path
) -> None:
    shutil.copytree(ball_run, tmp_path / "runs" / "ball")
    run = sphere_run(tmp_path, fit={**FIT, "width": 6})
    folder = run_shape(run, fresh=False, console=Console(quiet=True))
    second = strict_json(folder / "metrics.json")
    assert second["resumed_scales"] == 0
    # The notes of another fit are not taken for this one's.
    shutil.copy(ball_run / "model.miner.history.json", folder)
    run_shape(run, fresh=False, console=Console(quiet=True))
    third = strict_json(folder / "metrics.json")
    assert third["resumed_scales"] == 2
    assert third["fit_seconds"] == 0


def test_a_stand_in_says_so_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = Shape(
        name="procedural-statue",
        title="procedural statue",
        mesh=sphere(),
        source="made by code, in place of Lucy",
        stand_in=True,
        license="MIT",
        citation="",
        view=View(),
    )
    monkeypatch.setattr(pipelines.shape, "find_shape", lambda *_, **__: shape)
    config = tmp_path / "lucy.yaml"
    config.write_text(f"shape: lucy\ndevice: cpu\nsamples: 500\nfit: {json.dumps(FIT)}\n")
    monkeypatch.setattr(
        "sys.argv", ["shape", str(config), "--resolution", "16", "-o", str(tmp_path / "runs")]
    )
    said = record_console(monkeypatch)
    assert shape_main() == 0
    folder = tmp_path / "runs" / "procedural-statue"
    assert "STAND-IN" in said()
    assert "STAND-IN" in (folder / "report.md").read_text()
    assert strict_json(folder / "metrics.json")["source"]["stand_in"] is True
    assert load_model(folder / "model.miner").info.notice.startswith("STAND-IN")
    for scale in (0, 1):
        head = (folder / f"lod_{scale}.ply").read_bytes().split(b"end_header")[0]
        assert b"comment STAND-IN" in head
    assert not (tmp_path / "runs" / "lucy").exists()


def test_a_scale_too_coarse_for_a_thin_plate(tmp_path: Path) -> None:
    run = replace(sphere_run(tmp_path, fit={**FIT, "scales": 3}), preset="volume")
    write_mesh(Path(run.shape), box((0, 0, 0), (1, 1, 0.05)))
    folder = run_shape(run, fresh=False, console=Console(quiet=True))
    levels = {level["scale"]: level for level in strict_json(folder / "metrics.json")["lods"]}
    assert levels[2]["faces"] == 0
    assert levels[2]["chamfer_l1_voxels"] is None
    assert levels[0]["faces"] > 0
    assert "| - | - | 0 | no |" in (folder / "report.md").read_text()


def test_a_shape_between_the_samples_still_gets_a_report(tmp_path: Path) -> None:
    run = replace(sphere_run(tmp_path), preset="volume")
    write_mesh(Path(run.shape), box((0, 0, 0), (1, 1, 0.02)))
    folder = run_shape(run, fresh=False, console=Console(quiet=True))
    assert "No sample is inside" in (folder / "report.md").read_text()
    assert [level["faces"] for level in strict_json(folder / "metrics.json")["lods"]] == [0, 0]


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4), ("I;16", 1), ("constant", 3)]
)
def test_image_runs(tmp_path: Path, mode: str, channels: int) -> None:
    y, x = np.meshgrid(np.arange(20) / 20, np.arange(36) / 36, indexing="ij")
    samples = np.stack([x, y, x * y, 1 - x * y], axis=-1)[..., :channels]
    if mode == "constant":
        samples = np.full_like(samples, 0.2)
    top, kind = (65535, np.uint16) if mode == "I;16" else (255, np.uint8)
    pixels = np.rint(samples * top).astype(kind)
    source = tmp_path / "data" / "photo.png"
    source.parent.mkdir()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(source)
    run = ImageRun(image=str(source), output=str(tmp_path / "runs"), **TINY)
    folder = run_image(run, fresh=False, console=Console(quiet=True))
    assert folder == tmp_path / "runs" / "photo"
    metrics = strict_json(folder / "metrics.json")
    assert metrics.keys() == RUN | {"pixels", "psnr_goal", "notes"}
    assert metrics["pixels"] == 20 * 36
    assert metrics["resolution"] == "20 x 36"
    assert [level["scale"] for level in metrics["lods"]] == [1, 0]
    for level in metrics["lods"]:
        assert level.keys() == LEVEL | {"psnr", "psnr_own_grid"}
        with Image.open(folder / f"lod_{level['scale']}.png") as picture:
            assert picture.size == tuple(level["shape"][::-1])
            assert np.asarray(picture).dtype == kind
    psnr = metrics["lods"][-1]["psnr"]
    # A constant comes back exactly; infinite decibels are null in JSON.
    assert psnr is None if mode == "constant" else psnr > 25
    for path in linked_pictures(folder / "report.md"):
        with Image.open(path) as picture:
            assert picture.format == "PNG"
    assert_manifest(folder)
    assert_no_machine_paths(folder, tmp_path)
    again = run_image(run, fresh=False, console=Console(quiet=True))
    assert strict_json(again / "metrics.json")["resumed_scales"] == 2
