"""``geom-miner extract``: PLY files are written while the mesh is made."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from geom_miner import extract_level, load_model, write_mesh
from geom_miner.extract.isosurface import Isosurface
from tests.cli.conftest import Run


@pytest.mark.parametrize("lod", [0, 1])
def test_the_file_is_the_librarys_mesh(made: Path, tmp_path: Path, run: Run, lod: int) -> None:
    outcome = run("extract", made / "sphere.miner", "-o", tmp_path, "--lod", lod)
    assert outcome.status == 0
    written = (tmp_path / f"lod_{lod}.ply").read_bytes()
    header = written.split(b"end_header")[0].decode().splitlines()
    comments = [line.removeprefix("comment ") for line in header if line.startswith("comment ")]
    assert len(comments) == 1
    mesh = extract_level(load_model(made / "sphere.miner"), lod)
    write_mesh(tmp_path / "held.ply", mesh, comments=comments)
    assert written == (tmp_path / "held.ply").read_bytes()


def test_an_interrupt_leaves_the_earlier_file(
    made: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Isosurface.face_slabs

    def interrupted(surface: Isosurface) -> Iterator[np.ndarray]:
        yield next(whole(surface))
        raise KeyboardInterrupt

    (tmp_path / "lod_0.ply").write_bytes(b"earlier")
    monkeypatch.setattr(Isosurface, "face_slabs", interrupted)
    outcome = run("extract", made / "sphere.miner", "-o", tmp_path, "--lod", 0)
    assert outcome.status == 130
    assert os.listdir(tmp_path) == ["lod_0.ply"]
    assert (tmp_path / "lod_0.ply").read_bytes() == b"earlier"


@pytest.mark.parametrize("form", ["ply", "obj"])
def test_progress_is_shown_on_a_terminal(
    made: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    outcome = run("extract", made / "sphere.miner", "-o", tmp_path, "--lod", 1, "--format", form)
    assert outcome.status == 0
    assert "meshing level of detail 1" in outcome.err
    assert "100 %" in outcome.err
