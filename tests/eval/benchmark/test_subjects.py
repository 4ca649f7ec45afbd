"""What a batch finds to reconstruct: files, folders, clouds, stand-ins, what runs beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from eval import View
from eval.benchmark import subjects
from eval.benchmark.settings import BatchRun
from eval.benchmark.subjects import gather
from eval.clouds.files import write_cloud
from eval.clouds.point_cloud import PointCloud
from eval.runs import parse_settings
from eval.shapes.data_folders import DATA_VARIABLE
from eval.shapes.find import Shape
from geom_miner import read_mesh, write_mesh
from geom_miner.errors import SettingsError
from tests.shapes import box, sphere

QUIET = Console(quiet=True)
BALL = sphere(2.0, (1, 2, 3))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Meshes and points side by side, as shared folders have them."""
    folder = tmp_path / "data" / "meshes"
    folder.mkdir(parents=True)
    (folder.parent / "points").mkdir()
    write_mesh(folder / "ball.ply", BALL)
    write_mesh(folder / "cube.ply", box())
    write_cloud(folder.parent / "points" / "scan.ply", PointCloud(BALL.vertices))
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    monkeypatch.setenv("GEOM_MINER_OFFLINE", "1")
    return folder


def run_of(shapes: list[Any]) -> BatchRun:
    return parse_settings(BatchRun, {"shapes": shapes, "methods": ["poisson"]})


def test_meshes_are_found_by_name_and_written_for_the_cells(data: Path, tmp_path: Path) -> None:
    found, missing = gather(
        run_of([{"shape": "ball", "character": "sharp", "view": {"up": "z", "azimuth": 5}}]),
        tmp_path / "run",
        QUIET,
    )
    (ball,) = found
    assert not missing
    assert (ball.name, ball.cloud, ball.stand_in, ball.character) == ("ball", False, False, "sharp")
    assert (ball.view.up, ball.view.azimuth) == ("z", 5)
    assert ball.file == tmp_path / "run" / "ball" / "source.ply"
    # As found_shape reads it: nothing is lost on the way to the cells.
    assert np.array_equal(read_mesh(ball.file).vertices, read_mesh(data / "ball.ply").vertices)
    assert ball.longest == pytest.approx(4, rel=0.01)
    assert ball.diagonal == pytest.approx(4 * 3**0.5, rel=0.01)
    assert ball.metadata["genus"] == 0


def test_folders_and_clouds(data: Path, tmp_path: Path) -> None:
    points = data.parent / "points"
    entries = [{"folder": ""}, {"cloud": "SCAN"}]
    found, _ = gather(run_of(entries), tmp_path / "run", QUIET)
    assert [s.name for s in found] == ["ball", "cube", "scan"]
    assert found[2].cloud
    assert found[2].metadata == {"points": len(BALL.vertices), "normals": False}
    again, _ = gather(run_of([{"clouds": str(points)}]), tmp_path / "run", QUIET)
    assert again[0].digest == found[2].digest
    assert again[0].digest not in (found[0].digest, found[1].digest)


def test_the_digest_follows_every_number(data: Path, tmp_path: Path) -> None:
    def digest() -> str:
        return gather(run_of(["ball"]), tmp_path / "run", QUIET)[0][0].digest

    first = digest()
    assert digest() == first
    vertices = BALL.vertices.copy()
    vertices[0, 0] += 1e-3
    write_mesh(data / "ball.ply", replace(BALL, vertices=vertices))
    assert digest() != first


def test_a_stand_in_says_so_and_the_first_real_mesh_runs_beside_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_ins_are_small(monkeypatch)
    found, _ = gather(
        run_of([{"shape": "engine", "instead": ["nothing", "cube", "ball"]}]), tmp_path, QUIET
    )
    assert [s.name for s in found] == ["procedural-engine", "cube"]
    assert found[0].stands_in_for == ("Engine",)
    assert not found[1].stand_in
    # Where the scan is there, nothing runs instead of it.
    write_mesh(data / "engine.ply", box())
    found, _ = gather(run_of([{"shape": "engine", "instead": ["cube"]}]), tmp_path, QUIET)
    assert [(s.name, s.stand_in) for s in found] == [("engine", False)]


def test_one_stand_in_for_two_scans_is_one_subject(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_ins_are_small(monkeypatch)
    (found,), _ = gather(run_of(["thai", "lucy"]), tmp_path, QUIET)
    assert found.stands_in_for == ("Thai statue", "Lucy")


def test_what_is_missing_is_said_and_left_out(data: Path, tmp_path: Path, console: Console) -> None:
    found, missing = gather(run_of(["nobody", "ball", {"cloud": "none"}]), tmp_path, console)
    assert [s.name for s in found] == ["ball"]
    assert len(missing) == 2
    assert "'nobody'" in missing[0]
    assert "no point cloud none" in missing[1]
    assert console.file.getvalue().count("left out") == 2  # type: ignore[attr-defined]
    with pytest.raises(SettingsError, match="nothing to reconstruct"):
        gather(run_of(["nobody"]), tmp_path, QUIET)


def test_two_shapes_of_one_name_are_refused(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "ball.ply"
    write_mesh(other, box())
    found, missing = gather(run_of(["ball", str(other)]), tmp_path / "run", QUIET)
    assert len(found) == 1
    assert "two different shapes are called ball" in missing[0]


def _stand_ins_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subjects.find_shape

    def find(name: str, *, console: Console) -> Shape:
        if name in ("engine", "thai", "lucy") and not _there(name):
            stem = "procedural-engine" if name == "engine" else "procedural-statue"
            return Shape(stem, stem, BALL, "made by code", True, "MIT", "", View())
        return real(name, console=console)

    def _there(name: str) -> bool:
        import os

        return (Path(os.environ[DATA_VARIABLE]) / f"{name}.ply").is_file()

    monkeypatch.setattr(subjects, "find_shape", find)
