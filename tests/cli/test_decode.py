"""``decode``: boxes, slices, types and files; what it leaves when it breaks."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr
from PIL import Image
from rich.console import Console

from geom_miner.fit.coarse_to_fine import fit_signal
from geom_miner.fit.settings import FitSettings
from geom_miner.model.representation import Representation
from geom_miner.progress_bars import WorkBar
from geom_miner.storage.reader import load_model
from geom_miner.storage.writer import save_model
from tests.cli.conftest import Run
from tests.cli.test_bad_input import OLD, assert_one_sentence
from tests.cli.test_full_disk import largest_file
from tests.media.test_sample_files import contents, read_back, read_nrrd
from tests.signals import as_target, ball


def dense(model: Path, lod: int = 0) -> np.ndarray:
    representation = load_model(model, finest=lod)
    return representation.decode(lod).to_dense(representation.shape_at(lod)).numpy()


@pytest.mark.parametrize("name", ["a.npy", "a.nrrd", "a.zarr"])
@pytest.mark.parametrize("model", ["sphere", "photo"])
@pytest.mark.parametrize("lod", [0, 1])
def test_every_file_holds_the_full_decode(
    made: Path, tmp_path: Path, run: Run, name: str, model: str, lod: int
) -> None:
    path = made / f"{model}.miner"
    outcome = run("decode", path, "-o", tmp_path / name, "--lod", lod, "--json")
    assert outcome.status == 0, outcome.err
    expected = dense(path, lod)
    assert json.loads(outcome.out)["shape"] == list(expected.shape)
    assert np.array_equal(read_back(tmp_path / name, expected.shape[-1]), expected)


@pytest.mark.parametrize("name", ["a.npy", "a.nrrd", "a.zarr"])
@pytest.mark.parametrize(
    ("region", "index"),
    [
        ("10:20,:6,:", np.s_[10:20, :6, :]),
        ("3:,1:2,7:23", np.s_[3:, 1:2, 7:23]),
        ("10,:,:", np.s_[10]),
        (":,23,4:", np.s_[:, 23, 4:]),
        (":,0,5", np.s_[:, 0, 5]),
    ],
)
def test_regions_are_cut_from_the_full_decode(
    made: Path, tmp_path: Path, run: Run, name: str, region: str, index: tuple
) -> None:
    model = made / "sphere.miner"
    outcome = run("decode", model, "-o", tmp_path / name, "--region", region)
    assert outcome.status == 0, outcome.err
    assert np.array_equal(read_back(tmp_path / name, 1), dense(model)[index])


def test_files_say_what_they_hold(made: Path, tmp_path: Path, run: Run) -> None:
    model = made / "sphere.miner"
    grid = load_model(model).grid.at_scale(1)
    extra = ("--lod", 1, "--region", "2:,:,:")
    for name in ("a.nrrd", "a.zarr"):
        assert run("decode", model, "-o", tmp_path / name, *extra).status == 0
    fields, _ = read_nrrd(tmp_path / "a.nrrd")
    facts = dict(zarr.open_array(tmp_path / "a.zarr", mode="r").attrs)
    meaning = "occupancy: 0 outside, 1 inside, the surface where it crosses 0.5"
    assert facts["value"] == fields["value"] == meaning
    assert facts["scale"] == int(fields["scale"]) == 1
    assert facts["source"] == fields["source"] == "sphere"
    assert facts["spacing"] == list(grid.spacing)
    corner = np.add(grid.origin, [2 * grid.spacing[0], 0, 0])
    assert np.allclose(facts["origin"], corner, rtol=1e-15)
    center = np.array([float(x) for x in fields["space origin"].strip("()").split(",")])
    assert np.allclose(center, grid.index_to_world((2, 0, 0)), rtol=1e-15)


@pytest.mark.parametrize("name", ["a.npy", "a.nrrd", "a.zarr"])
def test_bytes_are_occupancy_cut_at_one_half(
    made: Path, tmp_path: Path, run: Run, name: str
) -> None:
    model = made / "sphere.miner"
    assert run("decode", model, "-o", tmp_path / name, "--dtype", "uint8").status == 0
    found = read_back(tmp_path / name, 1)
    assert found.dtype == np.uint8
    assert np.array_equal(found, (dense(model) >= 0.5).astype(np.uint8))
    assert 0 < found.mean() < 1


def test_a_slice_is_a_picture(made: Path, tmp_path: Path, run: Run) -> None:
    model, target = made / "sphere.miner", tmp_path / "slice.png"
    outcome = run("decode", model, "-o", target, "--region", ":,11,2:")
    assert outcome.status == 0, outcome.err
    with Image.open(target) as picture:
        expected = np.rint(np.clip(dense(model)[:, 11, 2:, 0], 0, 1) * 255)
        assert np.array_equal(np.asarray(picture), expected)
    outcome = run("decode", model, "-o", target, "--region", ":,11,2:", "--dtype", "uint8")
    assert outcome.status == 0, outcome.err
    with Image.open(target) as picture:
        assert np.array_equal(np.asarray(picture), 255 * (dense(model)[:, 11, 2:, 0] >= 0.5))


def test_packing_is_a_choice(made: Path, tmp_path: Path, run: Run) -> None:
    for packed, flag in ((True, "--compress"), (False, "--no-compress")):
        target = tmp_path / f"{packed}.nrrd"
        assert run("decode", made / "sphere.miner", "-o", target, flag).status == 0
        assert read_nrrd(target)[0]["encoding"] == ("gzip" if packed else "raw")


@pytest.mark.parametrize(
    ("model", "name", "arguments", "word"),
    [
        (
            "sphere",
            "a.png",
            [],
            "must have 2 axes, got a region of 3 axes; cut a slice with an index",
        ),
        (
            "sphere",
            "a.png",
            ["--region", "1,2,:"],
            "a region of 1 axis; give each of 2 axes a range in --region, such as 50:51 instead",
        ),
        ("sphere", "a.jpg", [], "must end in one of .png, .tif, .tiff, .npy, .nrrd, .zarr"),
        ("photo", "a.npy", ["--dtype", "uint8"], "leave --dtype out"),
        ("sphere", "a.npy", ["--region", "-4:,:,:"], "without negative numbers or steps"),
        ("sphere", "a.npy", ["--region", "::2,:,:"], "without negative numbers or steps"),
        ("sphere", "a.npy", ["--region", ":,:,20:30"], "on axis 2; there 0:24 is everything"),
    ],
)
def test_what_cannot_be_decoded_is_refused(
    made: Path, tmp_path: Path, run: Run, model: str, name: str, arguments: list[str], word: str
) -> None:
    (tmp_path / name).write_bytes(OLD)
    # An option's value that begins with a dash needs the equals sign.
    joined = ["=".join(arguments)] if arguments else []
    outcome = run("decode", made / f"{model}.miner", "-o", tmp_path / name, *joined)
    assert_one_sentence(outcome)
    assert word in outcome.err
    assert contents(tmp_path) == {name: OLD}


@pytest.mark.parametrize("name", ["a.npy", "a.nrrd", "a.zarr"])
def test_a_full_disk_leaves_the_earlier_result(
    made: Path, tmp_path: Path, run: Run, name: str
) -> None:
    model, target = made / "sphere.miner", tmp_path / name
    assert run("decode", model, "-o", target, "--lod", 1).status == 0
    before = contents(tmp_path)
    with largest_file(4000):
        outcome = run("decode", model, "-o", target, "--no-compress")
    assert_one_sentence(outcome)
    assert "cannot write" in outcome.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["a.npy", "a.nrrd", "a.zarr"])
def test_an_interrupt_leaves_the_earlier_result(
    made: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    model, target = made / "sphere.miner", tmp_path / name
    assert run("decode", model, "-o", target, "--lod", 1).status == 0
    before = contents(tmp_path)

    def interrupted(*_: object, **__: object) -> Iterator[None]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Representation, "decode_boxes", interrupted)
    outcome = run("decode", model, "-o", target)
    assert outcome.status == 130
    assert contents(tmp_path) == before


def test_the_bar_says_how_much_is_done() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with WorkBar(console, "decoding") as bar:
        bar(1, 4)
    assert isinstance(console.file, io.StringIO)
    assert "decoding" in console.file.getvalue()
    assert "25 %" in console.file.getvalue()


# Peak memory above what was there before: of an export to each file, and of the dense decode.
MEASURE = """
import json, sys
from pathlib import Path
from geom_miner.cli.decoding import sample_stream, write_samples
from geom_miner.cli.region import parse_region
from geom_miner.storage.reader import load_model

def resident(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024

def peak(work, *arguments):
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    work(*arguments)
    return resident("VmHWM") - before

model = load_model(sys.argv[1])
shape = model.shape_at(0)

def export(target, text):
    region = parse_region(text, shape)
    stream = sample_stream(model, 0, region, "float32", True, lambda *_: None)
    write_samples(Path(target), stream)

for target in sys.argv[2:]:
    export(target, "100:110,100:110,100:110")  # compiled, loaded, warm
peaks = [peak(export, target, None) for target in sys.argv[2:]]
print(json.dumps([*peaks, peak(lambda: model.decode(0).to_dense(shape))]))
"""


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc"
)
def test_exports_stay_well_below_the_dense_size(tmp_path: Path) -> None:
    few = FitSettings(scales=3, block_size=16, width=4, depth=2, steps=2, coarse_steps=2)
    model = tmp_path / "ball.miner"
    save_model(model, fit_signal(as_target(ball(256), 16, few.scales), few))
    targets = [tmp_path / name for name in ("a.npy", "a.nrrd", "a.zarr")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, model, *targets],
        capture_output=True,
        text=True,
        check=True,
    )
    *exports, whole = json.loads(done.stdout)
    size = 256**3 * 4
    assert whole > size
    assert max(exports) < size / 2
    expected = dense(model)
    assert all(np.array_equal(read_back(target, 1), expected) for target in targets)
