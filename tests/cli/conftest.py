"""Small files and a small fit for the command line, made once and copied to whoever needs them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geom_miner.cli.main import main
from geom_miner.mesh.files import write_mesh
from tests.shapes import sphere

# Two scales of a 24-sample cube in well under a second; enough steps for a surface everywhere.
TINY = [
    *("--scales", "2", "--block-size", "8", "--width", "8", "--depth", "2"),
    *("--steps", "60", "--coarse-steps", "60", "--device", "cpu", "--backend", "reference"),
]
SMALL_CUBE = ["--resolution", "24"]


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


Run = Callable[..., Outcome]


def run_main(*arguments: object) -> Outcome:
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = int(stop.code or 0)
    return Outcome(status, out.getvalue(), err.getvalue())


@pytest.fixture
def run() -> Run:
    return run_main


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with sphere.ply, photo.png and their models; tests read it only."""
    folder = tmp_path_factory.mktemp("made")
    write_mesh(folder / "sphere.ply", sphere(2.0, (10.0, -3.0, 5.0)), double=True)
    y, x = np.meshgrid(np.arange(20) / 20, np.arange(36) / 36, indexing="ij")
    pixels = np.stack([x, y, x * y], axis=-1) * 255
    Image.fromarray(pixels.astype(np.uint8)).save(folder / "photo.png")
    for source, model, extra in (
        ("sphere.ply", "sphere.miner", SMALL_CUBE),
        ("photo.png", "photo.miner", []),
    ):
        outcome = run_main("fit", folder / source, "-o", folder / model, *TINY, *extra)
        assert outcome.status == 0, outcome.err
    return folder
