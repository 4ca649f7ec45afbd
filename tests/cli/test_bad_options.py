"""Options beyond every use: one sentence that names the option's remedy, before any work."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geom_miner.mesh.files import write_mesh
from geom_miner.storage.writer import save_model
from tests.cli.conftest import TINY, Run
from tests.model.test_decode import random_representation
from tests.shapes import sphere

INF = ("inf", "must be a finite number, got inf")
CASES: list[tuple[str, list[object], str]] = [
    ("fit mesh", ["--scales", 16, "--resolution", 32], "needs at least 1.83 PB of memory"),
    ("fit mesh", ["--block-size", 4096], "lower --scales, --block-size, --memory"),
    ("fit mesh", ["--resolution", 32768], "lower --scales, --block-size, --memory"),
    ("fit mesh", ["--resolution", 100000], "resolution must lie in [2, 32768], got 100000"),
    ("fit mesh", ["--fill", "1e-9"], "fill must be at least 1 / resolution"),
    ("fit image", ["--scales", 16, "--block-size", 256], "needs at least"),
    ("fit image", ["--memory", "9e99"], "memory must be an amount such as 4GB"),
    ("fit image", ["--memory", "9" * 400 + "GB"], "memory must be at most 1.15 EB"),
    ("fit image", ["--omega", INF[0]], f"omega {INF[1]}"),
    ("fit image", ["--init-gain", INF[0]], f"init_gain {INF[1]}"),
    ("fit image", ["--learning-rate", "1e400"], f"learning_rate {INF[1]}"),
    ("fit image", [*TINY, "--learning-rate", "1e6"], "diverged (its loss is no longer finite)"),
    ("fit image", ["--seed", 1 << 63], "seed must lie in [0, 2^63)"),
    ("voxelize", ["--resolution", 32768], "needs at least 42.9 GB of memory"),
    ("voxelize", ["--fill", "nan"], "fill must be a finite number, got nan"),
    ("extract", ["--iso-level", "nan"], "iso_level must be a finite number, got nan"),
    ("extract", ["--iso-level=-inf"], "iso_level must be a finite number, got -inf"),
    ("compare", ["--samples", 0], "samples must lie in [1, 1000000000], got 0"),
    ("compare", ["--fscore-threshold", "nan"], "threshold must be a finite number, got nan"),
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_mesh(folder / "sphere.ply", sphere(2.0, (10.0, -3.0, 5.0)))
    pixels = (np.arange(720).reshape(20, 36) % 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    save_model(folder / "m.miner", random_representation((9, 22, 10), channels=1))
    return folder


@pytest.mark.parametrize(("command", "options", "words"), CASES)
def test_options_beyond_every_use_are_one_sentence(
    inputs: Path,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    options: list[object],
    words: str,
) -> None:
    monkeypatch.setattr("geom_miner.memory.free_memory", lambda: 16 * 10**9)
    mesh, output = inputs / "sphere.ply", tmp_path / "out"
    arguments: dict[str, list[object]] = {
        "fit mesh": ["fit", mesh, "-o", output],
        "fit image": ["fit", inputs / "photo.png", "-o", output],
        "voxelize": ["voxelize", mesh],
        "extract": ["extract", inputs / "m.miner", "-o", output],
        "compare": ["compare", mesh, mesh],
    }
    outcome = run(*arguments[command], *options)
    assert (outcome.status, outcome.out) == (1, "")
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, outcome.err
    assert words in errors[0]
    assert outcome.err.splitlines()[-1] == errors[0]
    assert not output.exists()


def test_memory_that_runs_out_names_a_remedy_that_the_command_has(
    inputs: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geom_miner.memory.free_memory", lambda: 100)
    np.save(tmp_path / "points.npy", np.zeros((1, 3)))
    model, output = inputs / "m.miner", tmp_path / "out.npy"
    decode = run("decode", model, "-o", output)
    assert "decoding scale 0 needs at least" in decode.err
    assert "take a smaller region (--region) or a coarser level (--lod)" in decode.err
    query = run("query", model, tmp_path / "points.npy", "-o", output)
    assert "take a coarser level (--lod)" in query.err
    extract = run("extract", model, "-o", tmp_path / "meshes")
    assert "take a coarser level (--lod)" in extract.err
    assert {decode.status, query.status, extract.status} == {1}


def test_an_allocation_that_fails_all_the_same_is_one_sentence(
    inputs: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("geom_miner.model.representation.Representation.decode_boxes", fail)
    outcome = run("decode", inputs / "m.miner", "-o", tmp_path / "out.npy")
    assert outcome.status == 1
    sentence = "out of memory; take a smaller --region, or a coarser level with --lod"
    assert outcome.err.splitlines()[-1] == f"error: {sentence}"
