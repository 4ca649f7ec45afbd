"""``geom-miner extract``: PLY files are written while the mesh is made, others after decimation."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geom_miner import diagnose, extract_level, load_model, read_mesh, save_model, write_mesh
from geom_miner.extract.isosurface import Isosurface
from tests.cli.conftest import Run
from tests.shapes import box


@pytest.mark.parametrize("lod", [0, 1])
def test_the_file_is_the_librarys_mesh(made: Path, tmp_path: Path, run: Run, lod: int) -> None:
    outcome = run("extract", made / "sphere.miner", "-o", tmp_path, "--lod", lod)
    assert outcome.status == 0
    written = (tmp_path / f"lod_{lod}.ply").read_bytes()
    header = written.split(b"end_header")[0].decode().splitlines()
    comments = [line.removeprefix("comment ") for line in header if line.startswith("comment ")]
    assert len(comments) == 1
    mesh = extract_level(load_model(made / "sphere.miner"), lod)
    write_mesh(tmp_path / "held.ply", mesh, comments=comments)
    assert written == (tmp_path / "held.ply").read_bytes()


def test_an_interrupt_leaves_the_earlier_file(
    made: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Isosurface.face_slabs

    def interrupted(surface: Isosurface) -> Iterator[np.ndarray]:
        yield next(whole(surface))
        raise KeyboardInterrupt

    (tmp_path / "lod_0.ply").write_bytes(b"earlier")
    monkeypatch.setattr(Isosurface, "face_slabs", interrupted)
    outcome = run("extract", made / "sphere.miner", "-o", tmp_path, "--lod", 0, "--force")
    assert outcome.status == 130
    assert os.listdir(tmp_path) == ["lod_0.ply"]
    assert (tmp_path / "lod_0.ply").read_bytes() == b"earlier"


@pytest.mark.parametrize("form", ["ply", "obj"])
def test_progress_is_shown_on_a_terminal(
    made: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    outcome = run("extract", made / "sphere.miner", "-o", tmp_path, "--lod", 1, "--format", form)
    assert outcome.status == 0
    assert "meshing level of detail 1" in outcome.err
    assert "100 %" in outcome.err


@pytest.mark.parametrize("form", ["ply", "obj", "stl", "glb"])
def test_a_budget_of_triangles_is_for_each_mesh(
    made: Path, tmp_path: Path, run: Run, form: str
) -> None:
    model = made / "sphere.miner"
    whole = json.loads(run("extract", model, "-o", tmp_path / "whole", "--json").out)
    coarse, fine = (row["faces"] for row in whole)
    budget = (coarse + fine) // 4 * 2
    assert coarse < budget < fine
    outcome = run(
        *("extract", model, "-o", tmp_path, "--format", form),
        *("--triangles", budget, "--json"),
    )
    assert outcome.status == 0, outcome.err
    rows = json.loads(outcome.out)
    assert [row["triangles_before"] for row in rows] == [coarse, fine]
    assert [row["faces"] for row in rows] == [coarse, budget]
    assert [row["triangles_requested"] for row in rows] == [budget] * 2
    for row in rows:
        mesh = read_mesh(row["file"])
        assert (len(mesh.vertices), len(mesh.faces)) == (row["vertices"], row["faces"])
        assert diagnose(mesh).watertight
        assert row["watertight"] is True
    assert f"the mesh is within the budget of {budget:,} as it is." in outcome.err
    assert f"{budget:,} triangles of {fine:,}, watertight" in outcome.err


def test_a_mesh_within_the_budget_has_the_same_bytes(made: Path, tmp_path: Path, run: Run) -> None:
    for folder, extra in (("whole", []), ("budget", ["--triangles", 10**6])):
        outcome = run("extract", made / "sphere.miner", "-o", tmp_path / folder, *extra)
        assert outcome.status == 0
    for name in ("lod_0.ply", "lod_1.ply"):
        written = [(tmp_path / folder / name).read_bytes() for folder in ("whole", "budget")]
        assert written[0] == written[1]


def test_a_surface_decimated_twice_is_the_same_file(made: Path, tmp_path: Path, run: Run) -> None:
    for folder in ("a", "b"):
        outcome = run(
            *("extract", made / "sphere.miner", "-o", tmp_path / folder),
            *("--lod", 0, "--triangles", 101),
        )
        assert outcome.status == 0
        assert "watertight" in outcome.out  # a column of the table
        assert " yes " in outcome.out
    one, other = ((tmp_path / folder / "lod_0.ply").read_bytes() for folder in ("a", "b"))
    assert one == other
    assert len(read_mesh(tmp_path / "a" / "lod_0.ply").faces) == 100


def test_an_empty_level_has_nothing_to_decimate(made: Path, tmp_path: Path, run: Run) -> None:
    outcome = run(
        *("extract", made / "sphere.miner", "-o", tmp_path, "--lod", 0, "--iso-level", 9),
        *("--triangles", 100, "--json"),
    )
    assert (outcome.status, outcome.out) == (1, "")
    assert "no sample reaches the iso level 9" in outcome.err


def test_a_bad_budget_is_said_before_any_work(
    made: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = run("extract", made / "sphere.miner", "-o", tmp_path / "out", "--triangles", 3)
    assert outcome.status == 1
    assert "triangles must be at least 4" in outcome.err
    monkeypatch.setitem(sys.modules, "igl", None)
    outcome = run("extract", made / "sphere.miner", "-o", tmp_path / "out", "--triangles", 100)
    assert outcome.status == 1
    assert 'pip install "geom_miner[decimate]"' in outcome.err
    assert not (tmp_path / "out").exists()


def test_sharp_edges_come_back_in_every_format(tmp_path: Path, run: Run) -> None:
    write_mesh(tmp_path / "box.stl", box((0, 0, 0), (3, 4, 5)))
    model = tmp_path / "box.miner"
    outcome = run("fit", tmp_path / "box.stl", "-o", model, "--resolution", 48, "--scales", 2)
    assert outcome.status == 0, outcome.err
    volumes = {}
    for folder, extra in (("cut", []), ("sharp", ["--sharp"])):
        for form in ("ply", "obj"):
            outcome = run(
                *("extract", model, "-o", tmp_path / folder, "--lod", 0, "--json"),
                *("--format", form, *extra),
            )
            assert outcome.status == 0, outcome.err
            (row,) = json.loads(outcome.out)
            mesh = read_mesh(row["file"])
            assert diagnose(mesh).watertight
            volumes[folder, form] = mesh.volume
            assert ("vertices_on_edges" in row) == (folder == "sharp")
    assert row["vertices_on_edges"] > 100
    assert volumes["sharp", "ply"] == pytest.approx(volumes["sharp", "obj"])
    assert abs(volumes["sharp", "ply"] - 60) < abs(volumes["cut", "ply"] - 60) / 4


def test_sharp_edges_are_kept_by_decimation(tmp_path: Path, run: Run) -> None:
    write_mesh(tmp_path / "box.stl", box((0, 0, 0), (3, 4, 5)))
    model = tmp_path / "box.miner"
    run("fit", tmp_path / "box.stl", "-o", model, "--resolution", 48, "--scales", 2)
    outcome = run(
        *("extract", model, "-o", tmp_path, "--lod", 0, "--sharp", "--triangles", 200, "--json")
    )
    assert outcome.status == 0, outcome.err
    (row,) = json.loads(outcome.out)
    assert (row["faces"], row["watertight"]) == (200, True)
    assert read_mesh(row["file"]).volume == pytest.approx(60, rel=2e-3)


def test_without_a_sharp_edge_the_mesh_is_the_same_file(
    made: Path, tmp_path: Path, run: Run
) -> None:
    for folder, extra in (("cut", []), ("sharp", ["--sharp"])):
        outcome = run("extract", made / "sphere.miner", "-o", tmp_path / folder, "--lod", 0, *extra)
        assert outcome.status == 0, outcome.err
    assert "no sharp edge found" in outcome.err
    cut, sharp = ((tmp_path / folder / "lod_0.ply").read_bytes() for folder in ("cut", "sharp"))
    assert cut == sharp


def test_only_a_distance_tells_sharp_edges(tmp_path: Path, run: Run) -> None:
    write_mesh(tmp_path / "box.stl", box())
    model = tmp_path / "box.miner"
    outcome = run(
        *("fit", tmp_path / "box.stl", "-o", model, "--resolution", 16, "--scales", 1),
        *("--preset", "fast"),
    )
    assert outcome.status == 0, outcome.err
    outcome = run("extract", model, "-o", tmp_path / "out", "--sharp")
    assert outcome.status == 1
    assert "--target distance" in outcome.err
    assert not (tmp_path / "out").exists()


def test_far_from_the_origin_no_vertices_collapse(made: Path, tmp_path: Path, run: Run) -> None:
    near, place = load_model(made / "sphere.miner"), np.array([448262.0, 5412345.0, 312.0])
    origin = tuple((near.grid.origin + place).tolist())
    save_model(tmp_path / "far.miner", replace(near, grid=replace(near.grid, origin=origin)))
    whole = extract_level(near, 0)
    for form in ("ply", "glb", "obj", "off"):
        outcome = run("extract", tmp_path / "far.miner", "-o", tmp_path, "--format", form)
        assert outcome.status == 0
        mesh = read_mesh(tmp_path / f"lod_0.{form}")
        assert len(mesh.vertices) == len(whole.vertices)
        assert np.abs(mesh.vertices - place - whole.vertices).max() < 1e-6
    outcome = run("extract", tmp_path / "far.miner", "-o", tmp_path / "stl", "--format", "stl")
    assert outcome.status == 1
    assert "STL stores float32, with steps of 0.5 there; write one of" in outcome.err
    assert not (tmp_path / "stl").exists()
