"""The scripts and the notebook of examples/ run as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.files import read_mesh, write_mesh
from geom_miner.storage.reader import load_model
from tests.shapes import sphere

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(folder: Path, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent), **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    write_mesh(tmp_path / "ball.stl", sphere())
    return tmp_path / "ball.stl"


def test_mesh_levels(tmp_path: Path, ball: Path) -> None:
    out = run(tmp_path, str(EXAMPLES / "mesh_levels.py"), ball.name, "meshes", "32")
    assert out.count("faces") == 4
    mesh = read_mesh(tmp_path / "meshes/lod_0.ply")
    assert diagnose(mesh).watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi, rel=0.02)


def test_image_levels(tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :64] / 64
    pixels = np.stack([x, y, x * y], axis=-1)
    Image.fromarray(np.rint(255 * pixels).astype(np.uint8)).save(tmp_path / "photo.png")
    out = run(tmp_path, str(EXAMPLES / "image_levels.py"), "photo.png", "photo.miner")
    quality = [float(line.split()[2]) for line in out.splitlines()]
    assert len(quality) == 4
    assert quality[0] > 35
    assert quality == sorted(quality, reverse=True)


def test_any_dimension(tmp_path: Path) -> None:
    out = run(tmp_path, str(EXAMPLES / "any_dimension.py"), "video.miner")
    assert float(out.split()[0]) > 30
    assert load_model(tmp_path / "video.miner").grid.shape == (16, 64, 64)


def test_the_notebook_runs(tmp_path: Path, ball: Path) -> None:
    """Its code cells, one after the other, in one process."""
    cells = json.loads((EXAMPLES / "levels_of_detail.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == 4
    (tmp_path / "cells.py").write_text("\n".join([*code, "print(sheet.shape)"]))
    out = run(tmp_path, "cells.py", MESH=str(ball), RESOLUTION="32")
    assert out.startswith("(")
