"""Bytes beside errors, on a ball and a small picture: what coders decode to, the page, a rerun."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from eval.runs import load_config
from geom_miner import TriangleMesh, VoxelizeSettings, voxelize_mesh, write_image, write_mesh
from geom_miner.errors import SettingsError
from geom_miner.extract import extract_mesh
from geom_miner.media import ImageSignal
from pipelines.studies.size import SIZE, SizeConfig
from pipelines.studies.size_coders import CODERS, decimated
from pipelines.studies.size_images import CODECS, ImageCodec, pixels_of, quality_of
from pipelines.studies.size_methods import SizeModel, shape_methods
from pipelines.studies.size_report import page, voxels_per_side
from pipelines.studies.size_volumes import band_by_zstd, occupancy_by_lzma
from tests.shapes import box, joined, sphere

QUIET = Console(quiet=True)
TINY = {"scales": 2, "block_size": 8, "width": 8, "depth": 2, "steps": 20, "coarse_steps": 20}


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What would be drawn, by the names of files: drawing is tested in tests/eval/pictures."""
    panels = {}

    def draw(given: Any, path: Path, **_: Any) -> None:
        panels[path.name] = given
        path.write_text("drawn")

    monkeypatch.setattr("pipelines.studies.size_report.curve_panels", draw)
    return panels


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rows, columns = np.mgrid[0:32, 0:48] / 16
    waves = np.stack([np.sin(5 * rows), np.cos(7 * columns), np.sin(rows * columns)], axis=-1)
    return np.rint(127.5 + 90 * waves).astype(np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, picture: np.ndarray) -> SizeConfig:
    folder = tmp_path_factory.mktemp("size")
    write_mesh(folder / "ball.ply", sphere(3.0, (100.0, 0.0, 0.0), subdivisions=3))
    write_image(folder / "waves.png", picture / np.float32(255), bits=8)
    return SizeConfig(
        shapes=[str(folder / "ball.ply")],
        images=[str(folder / "waves.png")],
        resolutions=[32],
        models=[SizeModel("ours", "surface", [TINY])],
        image_models=[SizeModel("ours", "image", [TINY])],
        bits=[8, 10],
        faces=[100, 400],
        decimators=["fast-simplification"],
        band_steps=[0.5, 0.1],
        psnrs=[30.0, 36.0],
        points=1000,
        page=str(folder / "page.md"),
        output=str(folder / "run"),
    )


def test_the_study_of_a_ball_and_a_picture(
    run: SizeConfig, drawn: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = SIZE.run(run, console=QUIET)
    assert [r for r in records if "failed" in r] == []
    ours = [r for r in records if "shape" in r and r["curve"] == "ours"]
    assert [r["label"].rpartition(" ")[2] for r in ours] == ["0", "1"]
    assert ours[0]["bytes"] > ours[1]["bytes"]
    assert ours[0]["to_source"]["mean"] < ours[1]["to_source"]["mean"]
    whole = {r["label"]: r for r in records if r["method"] == "Draco"}
    assert whole["8 bits"]["bytes"] < whole["10 bits"]["bytes"]
    # Coordinates are rounded to a step of 1/255 of the side, by at most half of it each.
    assert whole["8 bits"]["to_source"]["mean"] < 0.5 * np.sqrt(3) / 255
    assert whole["10 bits"]["to_source"]["mean"] < 0.3 * whole["8 bits"]["to_source"]["mean"]
    assert {r["curve"] for r in records if "image" in r} == {*CODECS, "ours"}
    (fitted,) = (r for r in records if "image" in r and r["curve"] == "ours")
    assert fitted["psnr"] > 15
    assert fitted["bits_per_pixel"] > 1

    text = Path(run.page).read_text(encoding="utf-8")
    figures = {line.rpartition("(")[2][:-1] for line in text.splitlines() if line.startswith("![")}
    assert figures == {*(f"size_32_{q}.png" for q in ("mean", "p99", "normals")), "size_images.png"}
    for folder in (Path(run.page).parent, Path(run.output)):
        assert all((folder / figure).read_text() == "drawn" for figure in figures)
    assert drawn.keys() == figures
    assert list(drawn["size_32_mean.png"]) == ["ball"]
    assert next(iter(drawn["size_32_mean.png"]["ball"])) == "ours"
    assert (Path(run.output) / "report.md").read_text(encoding="utf-8") == page(run, records)
    assert str(Path(run.output).parent) not in text

    def never(*_: Any) -> None:
        raise AssertionError("a kept record was measured again")

    monkeypatch.setattr("pipelines.studies.size._measure_shape", never)
    monkeypatch.setattr("pipelines.studies.size._measure_image", never)
    assert SIZE.run(run, console=QUIET) == records


def test_a_missing_package_is_named_and_the_rest_is_measured(
    run: SizeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "DracoPy", None)
    small = SizeConfig(
        run.shapes, resolutions=[32], faces=[400], decimators=["libigl"], output=str(tmp_path)
    )
    records = SIZE.run(small, console=QUIET)
    failed = [r["method"] for r in records if "failed" in r]
    assert failed == ["Draco", "Draco after libigl"]
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert '| Draco | Draco needs the package DracoPy; install it with: pip install "geom' in text
    assert "| meshoptimizer |" in text


def test_a_page_of_somebody_else_is_kept(run: SizeConfig, tmp_path: Path) -> None:
    foreign = tmp_path / "thesis.md"
    foreign.write_text("years of work")
    config = SizeConfig(run.shapes, page=str(foreign), output=str(tmp_path / "run"))
    with pytest.raises(SettingsError, match=r"thesis\.md: it exists and nothing in it says"):
        SIZE.run(config, console=QUIET)


@pytest.mark.parametrize("coder", CODERS)
def test_a_coder_keeps_the_triangles(coder: str) -> None:
    ball = sphere(1.0, subdivisions=3)
    size, decoded = CODERS[coder](ball, 16)
    assert 0 < size < ball.vertices.astype(np.float32).nbytes
    assert len(decoded.faces) == len(ball.faces)
    step = 2 / 65535

    def centers(mesh: TriangleMesh) -> np.ndarray:
        found = mesh.triangles.mean(axis=1)
        return found[np.lexsort(np.rint(found.T * 1000))]

    assert np.abs(centers(decoded) - centers(ball)).max() < step


@pytest.mark.parametrize("decimator", ["fast-simplification", "libigl"])
def test_a_decimator_comes_to_the_numbers_of_faces(decimator: str) -> None:
    meshes = list(decimated(sphere(0.5, subdivisions=4), [800, 200], decimator))
    assert [len(mesh.faces) for mesh in meshes] == [800, 200]
    # The corners of 200 faces of a sphere lie within a thirtieth of its radius, outside of it too.
    assert abs(np.linalg.norm(meshes[1].vertices, axis=1) - 0.5).max() < 0.5 / 30


def test_a_decimator_that_cannot_go_on_ends() -> None:
    separate = joined(box((0, 0, 0), (1, 1, 1)), box((2, 2, 2), (3, 3, 3)))
    assert [len(mesh.faces) for mesh in decimated(separate, [12, 8, 4], "libigl")] == [12, 8]


def test_the_occupancy_is_stored_without_loss() -> None:
    ball = sphere(0.5, subdivisions=4)
    _, decoded = occupancy_by_lzma(ball, 32)
    voxels = voxelize_mesh(ball, VoxelizeSettings(32))
    blocks = voxels.blocks.map_values(lambda v: v.float()) if not voxels.blocks.packing else None
    expected = extract_mesh(blocks or voxels.blocks, voxels.grid, iso_level=0.5)
    assert np.array_equal(decoded.vertices, expected.vertices)
    assert np.array_equal(decoded.faces, expected.faces)


def test_a_finer_step_of_the_distance_is_nearer() -> None:
    found = list(band_by_zstd(sphere(0.5, subdivisions=5), 32, [0.5, 0.02]))
    off = [abs(np.linalg.norm(mesh.vertices, axis=1) - 0.5).max() for _, _, mesh in found]
    voxel = 1 / voxels_per_side(32)
    # Half a step at either end of an edge; the chord of a ball of 16 voxels adds 1 / 128 voxel.
    assert off[1] < 0.03 * voxel < off[0] < 0.5 * voxel
    assert found[0][1] < found[1][1]


def test_a_codec_is_tried_on_both_sides_of_each_goal(picture: np.ndarray) -> None:
    def encode(pixels: np.ndarray, quality: float, variant: str) -> bytes:
        return (pixels + np.uint8(32 - quality / 2)).tobytes()

    codec = ImageCodec(
        encode, lambda d: np.frombuffer(d, np.uint8).reshape(picture.shape), tuple(range(1, 65))
    )
    psnrs = {
        int(coded.label.split()[1]): quality_of(coded.pixels, picture)
        for coded in codec.around(picture, [25.0, 40.0, 200.0])
    }
    for goal in (25.0, 40.0):
        first = min(quality for quality, psnr in psnrs.items() if psnr >= goal)
        assert psnrs[first - 1] < goal
    assert {62, 63} <= psnrs.keys()
    assert len(psnrs) < 20


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_decodes_color_and_gray(name: str, picture: np.ndarray) -> None:
    for pixels in (picture, picture[..., 0].copy()):
        coded = list(CODECS[name].around(pixels, [34.0]))
        best = max(quality_of(each.pixels, pixels) for each in coded)
        assert best >= 34.0
        assert all(each.pixels.shape == pixels.shape for each in coded)


def test_pixels_are_those_of_the_file(picture: np.ndarray) -> None:
    signal = ImageSignal((picture / np.float32(255)).astype(np.float32), 8)
    assert np.array_equal(pixels_of(signal), picture)


def test_each_setting_of_a_model_is_a_method_of_its_own() -> None:
    model = SizeModel("ours", "surface", [{"steps": 10}, {"steps": 20}], [64])
    config = SizeConfig(["lucy"], resolutions=[256], models=[model])
    named = {name: m for name, m in shape_methods(config).items() if m.curve == "ours"}
    assert list(named) == ["ours, steps 10, 64^3", "ours, steps 20, 64^3"]
    assert [m.settings["settings"]["steps"] for m in named.values()] == [10, 20]


def test_wrong_settings_are_refused_before_anything_is_measured() -> None:
    with pytest.raises(SettingsError, match="stepz"):
        SizeModel("ours", "surface", [{"stepz": 3}])
    with pytest.raises(SettingsError, match="decimators must be among Open3D"):
        SizeConfig(["lucy"], decimators=["scissors"])


def test_the_shipped_configuration_is_sound() -> None:
    config = load_config(Path(__file__).parents[3] / "configs" / "size.yaml", SizeConfig)
    assert len(config.shapes) == 8
    assert config.resolutions == [256]
    assert len(config.images) == 22
