import json
import shutil
import struct
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from geom_miner.cli.fit import fit_with_preset
from geom_miner.fit.presets import preset
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.packing import Packing
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.files import WRITABLE_MESH_SUFFIXES, read_mesh
from geom_miner.storage import sections
from geom_miner.storage.header import Header
from geom_miner.storage.reader import load_model
from geom_miner.storage.writer import ModelWriter
from tests.cli.conftest import SMALL_CUBE, TINY, Run


def test_voxelize_reports_and_writes(made: Path, tmp_path: Path, run: Run) -> None:
    target = tmp_path / "sphere.npz"
    outcome = run("voxelize", made / "sphere.ply", "-o", target, "--json", *SMALL_CUBE)
    assert outcome.status == 0
    report = json.loads(outcome.out)
    assert report["source"] == "sphere.ply"
    assert report["resolution"] == 24
    assert report["method"] == "parity"
    assert report["odd_columns"] == 0
    assert report["diagnosis"]["watertight"] is True
    ball = np.pi / 6 * 0.98**3
    assert report["inside_fraction"] == pytest.approx(ball, rel=0.02)
    with np.load(target) as archive:
        ids, packed, constants = archive["ids"], archive["packed"], archive["constants"]
        samples = int(archive["block_shape"].prod())
        assert tuple(archive["shape"]) == (24, 24, 24)
    bits = torch.from_numpy(np.unpackbits(packed, axis=1)[:, :samples])[..., None]
    layout = BlockGrid.covering((24, 24, 24), (16, 16, 16))
    blocks = SparseBlocks(
        layout, torch.from_numpy(ids), bits, torch.from_numpy(constants)[..., None]
    )
    inside = int(blocks.to_dense((24, 24, 24)).sum())
    assert inside == round(report["inside_fraction"] * 24**3)


def test_voxelize_writes_coverage_in_levels(made: Path, tmp_path: Path, run: Run) -> None:
    target = tmp_path / "c.npz"
    extra = [*SMALL_CUBE, "--coverage", "--json"]
    outcome = run("voxelize", made / "sphere.ply", "-o", target, *extra)
    assert outcome.status == 0, outcome.err
    volume = json.loads(outcome.out)["diagnosis"]["volume"]
    with np.load(target) as archive:
        layout = BlockGrid(archive["constants"].shape, tuple(archive["block_shape"].tolist()))
        names = ("ids", "packed", "constants")
        ids, packed, constants = (torch.from_numpy(archive[name]) for name in names)
        blocks = SparseBlocks(layout, ids, packed, constants[..., None], Packing(240))
        covered = float(blocks.to_dense((24, 24, 24)).sum(dtype=torch.float64))
        assert covered * archive["spacing"].prod() == pytest.approx(volume, rel=1e-3)
        assert archive["levels"] == 240
        assert archive["packed"].shape[1] == archive["block_shape"].prod()
        assert {0, 240} < set(np.unique(archive["packed"]).tolist())


def test_voxelize_in_words(made: Path, run: Run) -> None:
    outcome = run("voxelize", made / "sphere.ply", *SMALL_CUBE)
    assert outcome.status == 0
    assert "Voxelized at 24^3" in outcome.out
    assert "watertight" in outcome.out


@pytest.mark.parametrize(("source", "axes"), [("sphere.ply", 3), ("photo.png", 2)])
def test_fit_summary(made: Path, tmp_path: Path, run: Run, source: str, axes: int) -> None:
    model = tmp_path / "m.miner"
    extra = SMALL_CUBE if axes == 3 else []
    outcome = run("fit", made / source, "-o", model, "--json", *TINY, *extra)
    assert outcome.status == 0, outcome.err
    summary = json.loads(outcome.out)
    of_all = {"model", "file_bytes", "parameters", "resumed_scales", "scales"}
    assert summary.keys() == (of_all if axes == 3 else of_all | {"psnr", "psnr_goal"})
    assert summary["file_bytes"] == model.stat().st_size
    assert summary["resumed_scales"] == 0
    assert [entry["scale"] for entry in summary["scales"]] == [1, 0]
    keys = {"scale", "shape", "active_blocks", "parameters", "seconds", "loss"}
    assert all(entry.keys() == keys and len(entry["shape"]) == axes for entry in summary["scales"])
    assert summary["parameters"] == sum(entry["parameters"] for entry in summary["scales"])
    again = run("fit", made / source, "-o", model, "--json", *TINY, *extra)
    assert json.loads(again.out) == {**summary, "resumed_scales": 2}
    assert "2 scales were there" in again.err


def test_fit_options_are_those_of_the_settings(made: Path, tmp_path: Path, run: Run) -> None:
    model = tmp_path / "m.miner"
    outcome = run(
        *("fit", made / "sphere.ply", "-o", model, "--scales", 3, "--width", 5, "--seed", 7),
        *("--resolution", 20, "--steps", 2, "--coarse-steps", 3, "--backend", "reference"),
    )
    assert outcome.status == 0
    stored = load_model(model)
    expected = replace(
        preset("surface").settings, scales=3, width=5, seed=7, steps=2, coarse_steps=3
    )
    assert stored.metadata["settings"] == asdict(expected)
    assert stored.metadata["backend"] == "reference"
    assert stored.grid.shape == (20, 20, 20)
    assert {blocks.architecture.width for blocks in stored.scales} == {5}


@pytest.mark.parametrize(
    ("source", "arguments", "name"),
    [
        ("sphere.ply", [], "surface"),
        ("sphere.ply", ["--target", "occupancy"], "volume"),
        ("sphere.ply", ["--target=coverage"], "volume"),
        ("photo.png", [], "image"),
        ("sphere.ply", ["--preset", "auto"], "surface"),
        ("sphere.ply", ["--preset", "miner-paper-volume"], "miner-paper-volume"),
        ("photo.png", ["--preset=miner-release-image"], "miner-release-image"),
    ],
)
def test_preset(
    made: Path, tmp_path: Path, run: Run, source: str, arguments: list[str], name: str
) -> None:
    model = tmp_path / "m.miner"
    few = ["--scales", "1", "--steps", "1", "--coarse-steps", "1", "--width", "2"]
    few += ["--coarsest-width-factor", "1", "--resolution", "16", "--backend", "reference"]
    outcome = run("fit", made / source, "-o", model, *few, *arguments)
    assert outcome.status == 0, outcome.err
    expected = preset(name).settings
    changed = {"scales": 1, "steps": 1, "coarse_steps": 1, "width": 2}
    released = replace(expected.released, coarsest_width_factor=1)
    assert load_model(model).metadata["settings"] == asdict(
        replace(expected, released=released, **changed)
    )


def test_a_meshes_preset_ignores_an_image_like_output() -> None:
    for arguments in (["a.ply", "-o", "b.png"], ["-o", "b.png", "a.ply"]):
        (settings,) = (f for f in fields(fit_with_preset(arguments)) if f.name == "settings")
        assert settings.default == preset("surface").settings


@pytest.mark.parametrize("form", ["ply", "obj", "stl", "glb"])
def test_extract_writes_closed_meshes(made: Path, tmp_path: Path, run: Run, form: str) -> None:
    folder = tmp_path / "new" / "meshes"
    outcome = run(
        "extract", made / "sphere.miner", "-o", folder, "--lod", "0,1", "--format", form, "--json"
    )
    assert outcome.status == 0
    rows = json.loads(outcome.out)
    assert [Path(row["file"]).name for row in rows] == [f"lod_1.{form}", f"lod_0.{form}"]
    assert {entry.name for entry in folder.iterdir()} == {f"lod_{n}.{form}" for n in (0, 1)}
    for row in rows:
        mesh = read_mesh(row["file"])
        assert (len(mesh.vertices), len(mesh.faces)) == (row["vertices"], row["faces"])
        assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).is_watertight


def test_levels_without_a_surface_are_not_written(made: Path, tmp_path: Path, run: Run) -> None:
    outcome = run("extract", made / "sphere.miner", "-o", tmp_path, "--iso-level", 9, "--json")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.count("no sample reaches the iso level 9; it is not written") == 2
    assert "has no surface at the iso level 9, so no mesh was written" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_cut_file_gives_its_whole_scales(made: Path, tmp_path: Path, run: Run) -> None:
    model = made / "sphere.miner"
    header_end, coarse_end, *_ = (section.end for section in sections.walk(model))
    cut = tmp_path / "cut.miner"
    cut.write_bytes(model.read_bytes()[: coarse_end + 10])
    assert run("extract", cut, "-o", tmp_path / "cut", "--lod", 1).status == 0
    assert run("extract", model, "-o", tmp_path / "whole", "--lod", 1).status == 0
    name = "lod_1.ply"
    assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    facts = json.loads(run("info", cut, "--json").out)
    assert facts["complete"] is False
    assert [entry["scale"] for entry in facts["scales"]] == [1]
    assert "CUT SHORT" in " ".join(run("info", cut).out.split())  # a long path wraps the title
    failed = run("extract", cut, "-o", tmp_path / "cut", "--lod", 0)
    assert failed.status == 1
    assert "coarser level of detail" in failed.err
    cut.write_bytes(model.read_bytes()[:header_end])
    assert json.loads(run("info", cut, "--json").out)["scales"] == []


@pytest.mark.parametrize("lod", [0, 1])
def test_decode_equals_the_library(made: Path, tmp_path: Path, run: Run, lod: int) -> None:
    target = tmp_path / "samples.npy"
    outcome = run("decode", made / "sphere.miner", "-o", target, "--lod", lod, "--json")
    assert outcome.status == 0
    model = load_model(made / "sphere.miner")
    shape = model.shape_at(lod)
    expected = model.decode(lod).to_dense(shape).numpy()
    assert json.loads(outcome.out) == {"file": str(target), "lod": lod, "shape": [*shape, 1]}
    assert np.array_equal(np.load(target), expected)
    box = run(
        *("decode", made / "sphere.miner", "-o", target, "--lod", lod),
        *("--region", "1:12,0:5,3:4", "--force"),
    )
    assert box.status == 0
    assert np.array_equal(np.load(target), expected[1:12, 0:5, 3:4])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_decode_an_image(made: Path, tmp_path: Path, run: Run, suffix: str) -> None:
    target = tmp_path / f"photo{suffix}"
    assert run("decode", made / "photo.miner", "-o", target).status == 0
    expected = load_model(made / "photo.miner").decode(0).to_dense((20, 36)).numpy()
    if suffix == ".npy":
        assert np.array_equal(np.load(target), expected)
        return
    with Image.open(target) as picture:
        assert np.array_equal(np.asarray(picture), np.rint(np.clip(expected, 0, 1) * 255))
    assert run("decode", made / "photo.miner", "-o", target, "--region", "2:9,5:36").status == 0
    with Image.open(target) as picture:
        assert picture.size == (31, 7)


@pytest.mark.parametrize("lod", [0, 1])
def test_query_equals_decode_at_sample_centers(
    made: Path, tmp_path: Path, run: Run, lod: int
) -> None:
    model = load_model(made / "sphere.miner")
    grid = model.grid.at_scale(lod)
    index = np.argwhere(np.ones(grid.shape))
    np.save(tmp_path / "points.npy", grid.index_to_world(index))
    outcome = run(
        *("query", made / "sphere.miner", tmp_path / "points.npy"),
        *("-o", tmp_path / "values.npy", "--lod", lod),
    )
    assert outcome.status == 0
    values = np.load(tmp_path / "values.npy")
    assert values.dtype == np.float32
    assert values.shape == (len(index), 1)
    expected = model.decode(lod).to_dense(grid.shape).numpy()[tuple(index.T)]
    # A center comes back from world units within a few ulps, times the field's slope.
    assert np.abs(values - expected).max() < 1e-5


def test_a_notice_is_repeated_everywhere(made: Path, tmp_path: Path, run: Run) -> None:
    real = load_model(made / "sphere.miner")
    info = replace(real.info, notice="STAND-IN: not the real one")
    header = Header(real.grid, real.num_scales, info, real.metadata)
    writer = ModelWriter(tmp_path / "m.miner", header)
    for blocks in real.scales:
        writer.write_scale(blocks)
    writer.finish()
    assert "STAND-IN" in run("info", tmp_path / "m.miner").out
    assert run("extract", tmp_path / "m.miner", "-o", tmp_path, "--lod", 1).status == 0
    text = (tmp_path / "lod_1.ply").read_bytes().split(b"end_header")[0].decode()
    assert "comment STAND-IN" in text
    assert run("extract", made / "sphere.miner", "-o", tmp_path, "--lod", 1).status == 0
    text = (tmp_path / "lod_1.ply").read_bytes().split(b"end_header")[0].decode()
    assert "level of detail 1 of sphere" in text
    assert "STAND-IN" not in text


def test_unknown_words_are_usage_errors(made: Path, tmp_path: Path, run: Run) -> None:
    for arguments in (["nonsense"], [], ["Fit"]):
        outcome = run(*arguments)
        assert outcome.status == 2
        assert outcome.out == ""
        assert "usage: geom-miner" in outcome.err
    model = tmp_path / "m.miner"
    for extra in (["--no-such-option", "1"], ["--width", "wide"]):
        outcome = run("fit", made / "sphere.ply", "-o", model, *extra)
        assert outcome.status == 2
        assert "Traceback" not in outcome.err
        assert not model.exists()


def test_version_and_help(run: Run) -> None:
    assert run("--version").out.startswith("geom-miner 0.")
    assert "voxelize" in run("--help").out
    for name in ("voxelize", "fit", "extract", "decode", "info", "query"):
        outcome = run(name, "--help")
        assert outcome.status == 0
        assert f"geom-miner {name}" in outcome.out


def test_fresh_refits_from_nothing(
    made: Path, tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    model = tmp_path / "m.miner"
    shutil.copy(made / "sphere.miner", model)
    arguments = ("fit", made / "sphere.ply", "-o", model, "--json", *TINY, *SMALL_CUBE)
    assert json.loads(run(*arguments).out)["resumed_scales"] == 2
    assert json.loads(run(*arguments, "--fresh").out)["resumed_scales"] == 0
    assert model.read_bytes() == (made / "sphere.miner").read_bytes()
    other = run(*arguments, "--coarse-steps", 20)
    assert json.loads(other.out)["resumed_scales"] == 0
    sentence = "m.miner was fitted otherwise (coarse_steps 60 instead of 20); fitting anew"
    assert caplog.messages[-1:] == [sentence]


def test_the_files_signature_is_what_the_format_says(made: Path) -> None:
    start = (made / "sphere.miner").read_bytes()[:12]
    assert start == b"\x89MINER\r\n" + struct.pack("<I", 1)


def test_the_preset_surface_fits_a_distance_and_meshes_it_truer(
    made: Path, tmp_path: Path, run: Run
) -> None:
    """The same steps for the occupancy and for the distance, whichever way it is asked for."""
    from eval import source_errors
    from geom_miner import read_mesh

    source = read_mesh(made / "sphere.ply")
    few = ["--resolution", "24", "--scales", "1", "--steps", "60"]
    errors = {}
    for name, asked in {
        "preset": ["--preset", "surface"],
        "target": ["--target", "distance"],
        "occupancy": ["--preset", "surface", "--target", "occupancy"],
    }.items():
        model = tmp_path / f"{name}.miner"
        assert run("fit", made / "sphere.ply", "-o", model, *few, *asked).status == 0
        assert run("extract", model, "-o", tmp_path / name).status == 0
        mesh = read_mesh(tmp_path / name / "lod_0.ply")
        errors[name] = float(source_errors(mesh, source, samples=2000).distances.mean())
        assert load_model(model).info.target == ("occupancy" if name == "occupancy" else "distance")
    assert errors["preset"] == errors["target"] < 0.9 * errors["occupancy"]


def test_an_unknown_format_or_target_is_refused(made: Path, tmp_path: Path, run: Run) -> None:
    outcome = run("extract", made / "sphere.miner", "-o", tmp_path / "m", "--format", "npz")
    assert outcome.status != 0
    names = ", ".join(suffix[1:] for suffix in WRITABLE_MESH_SUFFIXES)
    assert outcome.err == f"error: format must be one of {names}, got 'npz'\n"
    assert not (tmp_path / "m").exists()
    outcome = run("fit", made / "sphere.ply", "-o", tmp_path / "f.miner", "--target", "density")
    assert outcome.status != 0
    assert "'density'" in outcome.err
    assert "Traceback" not in outcome.err
