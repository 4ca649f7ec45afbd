"""`python -m eval reconstruct`: what goes to a method, what comes out of the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eval.__main__ import main
from eval.clouds.files import write_cloud
from eval.clouds.point_cloud import PointCloud
from eval.isolation import thread_environment
from eval.methods import METHODS, Options, Source
from geom_miner import TriangleMesh, read_mesh, write_mesh
from geom_miner.mesh import WRITABLE_MESH_SUFFIXES
from tests.eval import fake_method
from tests.eval.fake_method import FAKE, FAKE_OF_MESHES, LINE
from tests.eval.methods.clouds import sphere_cloud
from tests.shapes import box


@pytest.fixture(autouse=True)
def fake_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FAKE", "FAKE_OF_MESHES"):
        monkeypatch.setitem(METHODS, name.lower(), f"{fake_method.__name__}:{name}")
    FAKE.calls.clear()
    FAKE_OF_MESHES.calls.clear()


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.ply"
    write_cloud(path, sphere_cloud(100))
    return path


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    path = tmp_path / "box.ply"
    write_mesh(path, box())
    return path


def only_call() -> tuple[Source, Options]:
    (call,) = FAKE.calls + FAKE_OF_MESHES.calls
    return call


def command(source: Path, output: Path, *more: str, method: str = "fake") -> list[str]:
    return ["reconstruct", "--method", method, str(source), "-o", str(output), *more]


def test_a_scan_becomes_a_mesh_and_a_table(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mesh.ply"
    assert main(command(scan, output)) == 0
    written = read_mesh(output)
    np.testing.assert_array_equal(written.faces, box().faces)
    assert b"scan.ply reconstructed by Fake (Nobody 1999)" in output.read_bytes()
    source, options = only_call()
    assert isinstance(source, PointCloud)
    np.testing.assert_array_equal(source.points, sphere_cloud(100).points)
    assert source.normals is not None
    assert (options.preset, options.seed, options.resolution) == ("plain", 0, 256)
    assert (options.budget.seconds, options.budget.steps) == (None, None)
    out = capsys.readouterr().out
    for text in ("vertices", "20.0 s", "21.5 s", "123 MB", "89,000", "none", "A box is all"):
        assert text in out
    assert {path.name for path in tmp_path.iterdir()} == {"scan.ply", "mesh.ply"}


def test_every_option_reaches_the_method(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, checkpoint = tmp_path / "mesh.ply", tmp_path / "kept"
    arguments = ["--seconds", "2.5", "--steps", "70", "--seed", "3", "--resolution", "64"]
    arguments += ["--ignore-normals", "--device", "cpu", "--checkpoint", str(checkpoint), "--json"]
    assert main(command(scan, output, *arguments)) == 0
    source, options = only_call()
    assert isinstance(source, PointCloud)
    assert source.normals is None
    assert (options.budget.seconds, options.budget.steps) == (2.5, 70)
    assert (options.seed, options.resolution, options.device) == (3, 64, "cpu")
    assert options.checkpoint == checkpoint
    # A checkpoint that was named stays.
    assert (tmp_path / "kept.part").exists()
    figures = json.loads(capsys.readouterr().out)
    # The box of side 1 has nothing to do with the sphere, which is said as well.
    own, *others = figures.pop("notes")
    assert own == "A box is all it knows."
    assert any("of the points are farther from the surface" in note for note in others)
    assert figures == {
        "source": str(scan),
        "output": str(output),
        "method": "fake",
        "preset": "plain",
        "seed": 3,
        "resolution": 64,
        "device": "cpu",
        "vertices": 8,
        "faces": 12,
        "seconds": {"prepare": 1.0, "fit": 20.0, "mesh": 0.5, "total": 21.5},
        "peak_rss_bytes": 123_000_000,
        "parameters": 4567,
        "bytes": 89_000,
        "steps": 70,
    }


def test_points_are_drawn_on_a_mesh(mesh: Path, tmp_path: Path) -> None:
    options = ["--as", "points", "--samples", "500", "--seed", "2"]
    assert main(command(mesh, tmp_path / "out.ply", *options)) == 0
    source, _ = only_call()
    assert isinstance(source, PointCloud)
    assert len(source) == 500
    assert source.normals is not None
    # Each lies on the face of the unit box that its normal belongs to.
    axis = np.abs(source.normals).argmax(axis=1)
    rows = np.arange(500)
    outward = (source.normals[rows, axis] + 1) / 2
    np.testing.assert_allclose(source.points[rows, axis], outward, atol=1e-6)


@pytest.mark.parametrize("suffix", WRITABLE_MESH_SUFFIXES)
def test_a_surface_is_written_in_every_mesh_format(scan: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"mesh{suffix}"
    assert main(command(scan, output)) == 0
    assert read_mesh(output).volume == 1.0


def test_a_method_is_named_by_its_address(scan: Path, tmp_path: Path) -> None:
    address = f"{fake_method.__name__}:FAKE"
    assert main(command(scan, tmp_path / "mesh.ply", method=address)) == 0
    assert len(FAKE.calls) == 1


def test_a_mesh_is_a_mesh_to_a_method_that_takes_one(mesh: Path, tmp_path: Path) -> None:
    assert main(command(mesh, tmp_path / "out.ply", method="fake_of_meshes")) == 0
    source, _ = only_call()
    assert isinstance(source, TriangleMesh)
    assert len(source.faces) == 12


def test_points_in_two_dimensions_become_lines(tmp_path: Path) -> None:
    scan, output = tmp_path / "scan.npy", tmp_path / "lines.npz"
    np.save(scan, LINE)
    assert main(command(scan, output)) == 0
    with np.load(output) as lines:
        assert sorted(lines.files) == ["line_0", "line_1"]
        np.testing.assert_array_equal(lines["line_0"], LINE)
        np.testing.assert_array_equal(lines["line_1"], 2 * LINE)


def test_an_interrupt_leaves_a_checkpoint_and_names_it(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mesh.ply"
    assert main(command(scan, output, "--preset", "interrupted", "--steps", "5")) == 130
    kept = tmp_path / "mesh.ply.fake.checkpoint.part"
    assert kept.exists()
    assert not output.exists()
    error_stream = capsys.readouterr().err
    assert f"interrupted; {kept} has what is done, run the same command again" in error_stream
    assert "Traceback" not in error_stream
    # It is gone once it has served.
    assert main(command(scan, output, "--steps", "5")) == 0
    assert not kept.exists()


def test_an_interrupt_before_any_step_is_reported(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(scan, tmp_path / "mesh.ply", "--preset", "interrupted")) == 130
    assert "interrupted before there was anything to keep" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "method", "message"),
    [
        (["--preset", "broken"], "fake", "error: no surface came out; try another day"),
        ([], "fakes", "error: method must be one of miner, poisson, igr"),
        (["--seconds", "-1"], "fake", "error: seconds must be > 0, got -1.0"),
        (
            ["-o", "mesh.npz"],
            "fake",
            f"error: output must end in one of {', '.join(WRITABLE_MESH_SUFFIXES)} for points",
        ),
        (
            ["-o", "no/such/mesh.ply"],
            "fake",
            "error: cannot write no/such/mesh.ply: its folder does not exist",
        ),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    more: list[str],
    method: str,
    message: str,
    scan: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(command(scan, tmp_path / "mesh.ply", *more, method=method)) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not (tmp_path / "mesh.ply").exists()


def test_files_of_the_wrong_kind_are_refused(
    mesh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(mesh, tmp_path / "out.ply")) == 1
    assert (
        "fake takes oriented points or points, got a mesh; draw points on it: add --as points"
        in capsys.readouterr().err
    )
    assert main(command(tmp_path / "no.ply", tmp_path / "out.ply")) == 1
    assert "no.ply does not exist" in capsys.readouterr().err
    (tmp_path / "no.txt").write_text("1 2 3")
    assert main(command(tmp_path / "no.txt", tmp_path / "out.ply")) == 1
    assert "no.txt is a text (TXT) and must be a point cloud" in capsys.readouterr().err
    flat = tmp_path / "flat.npy"
    np.save(flat, LINE)
    assert main(command(flat, tmp_path / "out.npz", method="poisson")) == 1
    assert (
        "poisson works in 3 dimensions, got a source of 2; use igr or phase"
        in capsys.readouterr().err
    )
    assert not FAKE.calls


def test_a_real_method_by_the_command_line(mesh: Path, tmp_path: Path) -> None:
    output = tmp_path / "ball.ply"
    arguments = command(mesh, output, "--resolution", "32", "--steps", "100", method="miner")
    done = subprocess.run(
        [sys.executable, "-m", "eval", *arguments, "--device", "cpu", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
        # For a fit this small, several threads cost more than they bring.
        env={**os.environ, **thread_environment(1)},
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["steps"] == 100
    assert read_mesh(output).volume == pytest.approx(1, rel=0.05)
