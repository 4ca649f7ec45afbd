"""`python -m eval compare`: right numbers, clean exits, one sentence for each failure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eval import PointCloud, write_cloud
from eval.__main__ import main
from eval.metrics.nearest import find_nearest
from geom_miner import TriangleMesh, write_mesh
from tests.shapes import box, joined, sphere

SAMPLES = ("--samples", "20000")


@pytest.fixture
def meshes(tmp_path: Path) -> tuple[str, str]:
    paths = tmp_path / "large.ply", tmp_path / "small.ply"
    write_mesh(paths[0], box((-0.1, -0.1, -0.1), (1.1, 1.1, 1.1)))
    write_mesh(paths[1], box())
    return str(paths[0]), str(paths[1])


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "eval", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_json_of_two_meshes(meshes: tuple[str, str]) -> None:
    done = run("compare", *meshes, "--json", "--sampled", *SAMPLES)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    diagonal = 3**0.5
    assert result["reference_diagonal"] == pytest.approx(diagonal, rel=1e-6)
    # The small box is 0.1 inside the large one everywhere; float32 moves that a little.
    assert result["world"]["comp_triangles"] == pytest.approx(0.1, rel=1e-6)
    assert 0.1 < result["world"]["acc_triangles"] < 0.1 * diagonal
    assert 0.1 * 1.6 < result["world"]["hausdorff_triangles"] <= 0.1 * diagonal
    assert (result["fscore_triangles"], result["notes"]) == (0, [])
    # To samples it is farther, up to the sampling distance.
    assert 0.1 < result["world"]["comp"] < 0.1 + result["world"]["sampling_distance"] ** 2 * 10
    assert 0.1 <= result["world"]["hausdorff"] <= 0.1 * diagonal + 0.03
    for name in ("acc", "comp_triangles", "chamfer_l1", "hausdorff", "sampling_distance"):
        assert result["relative"][name] == pytest.approx(result["world"][name] / diagonal)
    assert result["relative"]["chamfer_l2"] == pytest.approx(result["world"]["chamfer_l2"] / 3)
    assert result["volume"] == pytest.approx({"reconstruction": 1.2**3, "reference": 1}, rel=1e-6)
    assert result["watertight"] == {"reconstruction": True, "reference": True}
    assert result["fscore"] == 0
    assert result["fscore_threshold"]["world"] == pytest.approx(0.005 * diagonal)
    # The cube is 1.224 wide, its cells 0.0096: a side of 1 holds 104 or 105, one of 1.2 holds 126.
    assert result["iou_mesh_resolution"] == 128
    assert (104 / 126) ** 3 <= result["iou_mesh"] <= (105 / 125) ** 3


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_equal_meshes_are_at_distance_zero(
    shift: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ball = sphere(1.0, (shift, 0, 0))
    write_mesh(tmp_path / "one.obj", ball)
    write_mesh(tmp_path / "other.obj", TriangleMesh(ball.vertices, np.roll(ball.faces[::-1], 1, 1)))
    paths = str(tmp_path / "one.obj"), str(tmp_path / "other.obj")
    assert main(["compare", *paths, "--json", *SAMPLES]) == 0
    result = json.loads(capsys.readouterr().out)
    for name in ("acc", "comp", "chamfer_l1", "hausdorff", "chamfer_l2"):
        assert result["relative"][f"{name}_triangles"] < 1e-15
    assert result["fscore_triangles"] == result["iou_mesh"] == 1
    assert result["normal_consistency_triangles"] == pytest.approx(1, abs=1e-12)
    assert "chamfer_l1" not in result["world"]
    assert "fscore" not in result


def test_meshes_in_different_units_take_bounded_time_and_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ball in the middle of one 1,000 times as large: every triangle is about equally far."""
    write_mesh(tmp_path / "m.ply", sphere(1.0, subdivisions=5))
    write_mesh(tmp_path / "mm.ply", sphere(1000.0, subdivisions=5))
    paths = str(tmp_path / "mm.ply"), str(tmp_path / "m.ply")
    assert main(["compare", *paths, "--json", "--iou-mesh", "8"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["samples"] == (1 << 26) // (20 * 4**5)
    assert "1,000 times as large" in result["notes"][0]
    assert "different units of length" in result["notes"][0]
    assert f"{result['samples']:,} points were drawn" in result["notes"][1]
    assert result["world"]["chamfer_l1_triangles"] == pytest.approx(999, rel=1e-3)


def test_volumes_of_overlapping_parts_are_those_of_their_union(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = box((0.5, 0, 0), (1.5, 1, 1))
    inverted = TriangleMesh(other.vertices, other.faces[:, ::-1])
    write_mesh(tmp_path / "union.ply", box((0, 0, 0), (1.5, 1, 1)))
    for part, volume in ((other, 2), (inverted, 0)):
        write_mesh(tmp_path / "parts.ply", joined(box(), part))
        paths = str(tmp_path / "parts.ply"), str(tmp_path / "union.ply")
        assert main(["compare", *paths, "--json", *SAMPLES]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["iou_mesh"] == 1
        assert result["volume"] == pytest.approx({"reconstruction": volume, "reference": 1.5})
        inside = result["volume_inside"]
        assert inside["reconstruction"] == inside["reference"] == pytest.approx(1.5, rel=0.03)
        assert "overlap or face different ways" in result["notes"][-1]


def test_a_table_names_both_spaces(
    meshes: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *meshes, *SAMPLES]) == 0
    out = capsys.readouterr().out
    for text in ("world units", "of reference diagonal", "chamfer_l1", "iou_mesh(128)", "20,000"):
        assert text in out


def test_iou_is_left_out_for_open_meshes_and_on_request(
    meshes: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *meshes, *SAMPLES, "--iou-mesh", "0"]) == 0
    assert "iou_mesh" not in capsys.readouterr().out
    assert main(["compare", *meshes, *SAMPLES, "--iou-mesh", "10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["iou_mesh"] == 512 / 1000
    # A box without its lid.
    write_mesh(meshes[0], TriangleMesh(box().vertices, box().faces[:-2]))
    assert main(["compare", *meshes, *SAMPLES]) == 0
    assert "a mesh is open" in capsys.readouterr().out
    assert main(["compare", *meshes, *SAMPLES, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["iou_mesh"] is None


@pytest.mark.parametrize("suffix", [".ply", ".xyz", ".npy", ".npz"])
def test_a_scan_as_reference(
    meshes: tuple[str, str], suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # Points of one face, 0.25 above the large box: the other faces do not count.
    x, y = np.random.default_rng(0).random((2, 500))
    scan = str(Path(meshes[0]).with_suffix(f".scan{suffix}"))
    write_cloud(scan, PointCloud(np.stack([x, y, np.full(500, 1.35)], axis=1)))
    assert main(["compare", meshes[0], scan, "--json", *SAMPLES]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["kind"], result["points"]) == ("scan", 500)
    names = ("one_sided_scan_chamfer", "one_sided_scan_hausdorff", "sampling_distance")
    assert tuple(result["world"]) == tuple(result["relative"]) == names
    excess = 6 * 1.44 / np.pi / 20_000 / (2 * 0.25)  # of the mean, for samples beside
    assert 0.25 < result["world"]["one_sided_scan_chamfer"] < 0.25 + 1.2 * excess
    assert 0.25 < result["world"]["one_sided_scan_hausdorff"] < 0.25 + 15 * excess
    diagonal = result["reference_diagonal"]
    assert diagonal == pytest.approx(2**0.5, rel=0.01)
    for name in names:
        assert result["relative"][name] == pytest.approx(result["world"][name] / diagonal)
    assert result["watertight"] == {"reconstruction": True}
    assert main(["compare", meshes[0], scan, *SAMPLES]) == 0
    out = capsys.readouterr().out
    for text in (*names, "world units", "500 points of the scan", "20,000 samples"):
        assert text in out


def test_a_scan_is_no_reconstruction_and_has_an_extent(
    meshes: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    point = str(tmp_path / "point.xyz")
    write_cloud(point, PointCloud(np.zeros((4, 3))))
    for pair, text in (
        ((point, meshes[0]), "got cloud"),
        ((meshes[0], point), "has no extent"),
        ((meshes[0], str(tmp_path / "none.npz")), "does not exist"),
    ):
        assert main(["compare", *pair]) == 1
        err = capsys.readouterr().err
        assert text in err
        assert err.count("\n") == 1


def test_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dark, light = (np.full((4, 6, 3), value, dtype=np.uint8) for value in (51, 102))
    for name, pixels in (("dark", dark), ("light", light), ("small", dark[:3])):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    paths = {name: str(tmp_path / f"{name}.png") for name in ("dark", "light", "small")}

    assert main(["compare", paths["dark"], paths["light"], "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["mse"] == pytest.approx(0.04, rel=1e-6)  # values differ by 51/255
    assert result["psnr"] == pytest.approx(13.9794, abs=1e-4)

    assert main(["compare", paths["dark"], paths["dark"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["psnr"] == "inf"

    assert main(["compare", paths["dark"], paths["small"]]) == 1
    assert "images must agree in size" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("missing.ply", "small.ply", "does not exist"),
        ("small.ply", "picture.png", "both files must be meshes or both images"),
        ("notes.txt", "small.ply", "notes.txt is a text (TXT) and must be a mesh"),
    ],
)
def test_failures_are_one_sentence(
    meshes: tuple[str, str], first: str, second: str, text: str
) -> None:
    folder = Path(meshes[0]).parent
    done = run("compare", str(folder / first), str(folder / second))
    assert done.returncode == 1
    assert done.stdout == ""
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_neighbors_are_searched_on_the_device(
    meshes: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = []

    def on_device(points: np.ndarray, cloud: np.ndarray, *, device: str) -> tuple[np.ndarray, ...]:
        devices.append(device)
        return find_nearest(points, cloud)

    for module in ("matches", "surface"):
        monkeypatch.setattr(f"eval.metrics.{module}.find_nearest", on_device)
    scan = tmp_path / "scan.xyz"
    write_cloud(scan, PointCloud(np.random.default_rng(0).random((50, 3))))
    for reference in (meshes[1], str(scan)):
        devices.clear()
        options = (
            "--device",
            "cuda",
            *SAMPLES,
            *(("--sampled",) if reference == meshes[1] else ()),
        )
        assert main(["compare", meshes[0], reference, *options]) == 0
        assert set(devices) == {"cuda"}


def test_settings_out_of_range_are_one_sentence(
    meshes: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for extra in (
        ("--samples", "0"),
        ("--fscore-threshold", "0"),
        ("--seed", "-1"),
        ("--iou-mesh", "1"),
    ):
        assert main(["compare", *meshes, *extra]) == 1
        assert capsys.readouterr().err.count("\n") == 1


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, eval.__main__; print([m for m in HEAVY if m in sys.modules])"
    heavy = ("numpy", "scipy", "torch", "trimesh", "embreex", "matplotlib", "PIL")
    command = [sys.executable, "-c", code.replace("HEAVY", repr(heavy))]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert modules.strip() == "[]"
