"""The command line with models of cosine blocks: fit by a goal, extract, decode, query, info."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geom_miner.mesh.files import read_mesh
from geom_miner.storage.reader import describe_model
from tests.cli.conftest import Run

COMPACT = ["--preset", "compact", "--resolution", "32", "--scales", "2", "--device", "cpu"]
RADIUS, CENTER = 2.0, (10.0, -3.0, 5.0)


@pytest.fixture(scope="module")
def model(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.cli.conftest import run_main

    path = tmp_path_factory.mktemp("cosine") / "sphere.miner"
    outcome = run_main("fit", made / "sphere.ply", "-o", path, *COMPACT)
    assert outcome.status == 0, outcome.err
    return path


def distances(path: Path) -> np.ndarray:
    """Of a mesh's vertices to the sphere, in voxels of the model."""
    radii = np.linalg.norm(read_mesh(path).vertices - np.array(CENTER), axis=1)
    return np.abs(radii - RADIUS) / (2 * RADIUS / 0.98 / 32)


def test_meshes_between_the_samples_are_closed_and_nearer(
    model: Path, tmp_path: Path, run: Run
) -> None:
    found = {}
    for factor in (1, 2, 4):
        folder = tmp_path / str(factor)
        outcome = run(
            "extract", model, "-o", folder, "--lod", "0", "--supersample", factor, "--json"
        )
        assert outcome.status == 0, outcome.err
        mesh = read_mesh(folder / "lod_0.ply")
        edges = np.sort(mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
        found[factor] = (len(mesh.faces), distances(folder / "lod_0.ply").mean())
    faces = [entry[0] for entry in found.values()]
    assert faces[1] == pytest.approx(4 * faces[0], rel=0.1)
    assert faces[2] == pytest.approx(16 * faces[0], rel=0.1)
    assert found[2][1] < 0.08


def test_the_model_is_small_and_told_of(model: Path, run: Run) -> None:
    facts = describe_model(model)
    assert facts["file_bytes"] < 4000
    outcome = run("info", model)
    assert outcome.status == 0
    assert "settings of its own" in outcome.out  # two scales instead of four
    assert "mixing" in outcome.out


def test_queries_are_cubic_and_near_the_distance(model: Path, tmp_path: Path, run: Run) -> None:
    directions = np.random.default_rng(1).normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    voxel = 2 * RADIUS / 0.98 / 32
    inside = np.linspace(-0.4, 0.4, 50)
    points = np.array(CENTER) + directions * (RADIUS - inside * voxel)[:, None]
    np.save(tmp_path / "points.npy", points)
    outcome = run("query", model, tmp_path / "points.npy", "-o", tmp_path / "values.npy")
    assert outcome.status == 0, outcome.err
    values = np.load(tmp_path / "values.npy")[:, 0]
    assert np.abs(2 * (values - 0.5) - inside).max() < 0.25
    assert np.abs(2 * (values - 0.5) - inside).mean() < 0.08


@pytest.mark.parametrize("goal", [["--error", "0.08"], ["--bytes", "2KB"]])
def test_a_goal_is_met_and_said(made: Path, tmp_path: Path, run: Run, goal: list[str]) -> None:
    path = tmp_path / "s.miner"
    outcome = run("fit", made / "sphere.ply", "-o", path, *COMPACT, *goal, "--json")
    assert outcome.status == 0, outcome.err
    assert "trials" in outcome.err
    if goal[0] == "--bytes":
        assert path.stat().st_size == pytest.approx(2000, rel=0.05)
        assert json.loads(outcome.out)["file_bytes"] == path.stat().st_size


def test_a_picture_reaches_its_psnr(made: Path, tmp_path: Path, run: Run) -> None:
    path, decoded = tmp_path / "p.miner", tmp_path / "p.png"
    words = ["--preset", "image-compact", "--scales", "2", "--psnr", "38"]
    outcome = run("fit", made / "photo.png", "-o", path, *words)
    assert outcome.status == 0, outcome.err
    assert run("decode", path, "-o", decoded).status == 0
    pixels = [np.asarray(Image.open(file), float) for file in (made / "photo.png", decoded)]
    psnr = 10 * np.log10(255**2 / np.square(pixels[0] - pixels[1]).mean())
    assert psnr == pytest.approx(38, abs=0.6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--error", "0.1"], "only cosine blocks can aim at"),
        ([*COMPACT, "--error", "0.1", "--bytes", "3KB"], "only one of --error, --bytes and --psnr"),
        ([*COMPACT, "--error", "nan"], "error must be a finite number"),
        ([*COMPACT, "--bytes", "many"], "bytes must be an amount"),
        ([*COMPACT, "--psnr", "40"], "psnr is for images"),
        ([*COMPACT, "--step", "-1"], "step must"),
        ([*COMPACT, "--block-size", "7"], "block_size must be even"),
    ],
)
def test_goals_of_nonsense_are_one_sentence(
    made: Path, tmp_path: Path, run: Run, options: list[str], message: str
) -> None:
    outcome = run(
        "fit", made / "sphere.ply", "-o", tmp_path / "n.miner", "--resolution", "24", *options
    )
    assert outcome.status == 1
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "n.miner").exists()
