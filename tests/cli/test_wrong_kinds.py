"""Every command answers a file of another kind in one sentence that names the kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("command", "name", "words"),
    [
        ("fit", "scan.las", "is a point cloud (LAS) and must be a mesh"),
        ("fit", "scan.xyz", "make a mesh of it with `geom-miner reconstruct`"),
        ("fit", "head.nii.gz", "is a volume (NII.GZ)"),
        ("fit", "photo.heic", "is an image (HEIC), a format that is not read"),
        ("fit", "part.step", "is a mesh (STEP), a format that is not read"),
        ("fit", "a.miner", "is a model (MINER)"),
        ("fit", "a.npy", "is an array (NPY)"),
        ("fit", "a.txt", "if it holds points, rename it to .xyz and make a mesh of it"),
        ("fit", "a.zip", "unpack it"),
        ("fit", "a.unheard", "has the unknown suffix .unheard"),
        ("fit", "a", "has no suffix"),
        ("voxelize", "photo.png", "give the image to `geom-miner fit`"),
        ("voxelize", "scan.pcd", "is a point cloud (PCD)"),
        ("extract", "mesh.ply", "is a mesh (PLY) and must be a model (.miner); fit a model to it"),
        ("decode", "photo.png", "is an image (PNG) and must be a model (.miner); fit a model"),
        ("info", "head.nrrd", "is a volume (NRRD) and must be a model"),
        ("compare", "scan.e57", "is a point cloud (E57), a format that is not read"),
        ("reconstruct", "scan.pcd", "is a point cloud (PCD), a format that is not read"),
        ("reconstruct", "photo.png", "is an image (PNG) and must be a point cloud"),
    ],
)
def test_a_file_of_another_kind(
    tmp_path: Path, run: Run, command: str, name: str, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"some content\n")
    output = {
        "compare": [path],
        "info": [],
        "voxelize": [],
        "decode": ["-o", tmp_path / "out.npy"],
        "reconstruct": ["-o", tmp_path / "out.ply", "--method", "miner"],
    }.get(command, ["-o", tmp_path / "out.miner"])
    outcome = run(command, path, *output)
    assert outcome.status == 1
    assert outcome.out == ""
    (sentence,) = outcome.err.strip().splitlines()
    assert sentence.startswith(f"error: {path} ")
    assert words in sentence
    assert {entry.name for entry in tmp_path.iterdir()} == {name}


def test_points_of_another_kind(made: Path, tmp_path: Path, run: Run) -> None:
    points = tmp_path / "points.csv"
    points.write_text("1,2,3\n")
    outcome = run("query", made / "sphere.miner", points, "-o", tmp_path / "out.npy")
    assert outcome.status == 1
    assert "is a text (CSV) and must be an array (.npy)" in outcome.err
