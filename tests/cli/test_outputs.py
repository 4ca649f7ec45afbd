"""No command destroys what it was given, nor what another program wrote."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from geom_miner.cli.fit import MODEL_SUFFIXES
from geom_miner.outputs import written_here
from geom_miner.storage.writer import part_path
from tests.cli.conftest import SMALL_CUBE, TINY, Outcome, Run
from tests.cli.test_bad_input import assert_one_sentence
from tests.snapshots import snapshot

MINE = b"mine"
FAKE = "--method=tests.eval.fake_method:FAKE_OF_MESHES"
# Commands by name: the file they write, and their arguments but the output.
COMMANDS: dict[str, tuple[str, list[str]]] = {
    "fit": ("out.miner", ["fit", "photo.png", *TINY]),
    "voxelize": ("out.npz", ["voxelize", "sphere.ply", "--json", *SMALL_CUBE]),
    "extract": ("out/lod_1.ply", ["extract", "sphere.miner", "--lod", "1", "--json"]),
    "extract to STL": (
        "out/lod_1.stl",
        ["extract", "sphere.miner", "--lod", "1", "--format", "stl", "--json"],
    ),
    **{
        f"decode to {suffix}": (f"out.{suffix}", ["decode", "photo.miner", "--json"])
        for suffix in ("png", "tif", "npy", "nrrd", "zarr")
    },
    "query": ("out.npy", ["query", "photo.miner", "points.npy"]),
    "reconstruct": (
        "out.ply",
        ["reconstruct", "sphere.ply", FAKE],
    ),
}


def _socket(path: Path) -> None:
    # Names of sockets must be short.
    here = os.getcwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "file").write_bytes(MINE)


def _link(path: Path) -> None:
    (path.parent / "victim").write_bytes(MINE)
    path.symlink_to("victim")


IRREGULAR: dict[str, Callable[[Path], None]] = {
    "link": _link,
    "dangling link": lambda path: path.symlink_to("none"),
    "pipe": os.mkfifo,
    "socket": _socket,
    "folder": _folder,
}


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with copies of the inputs."""
    for name in ("sphere.ply", "photo.png", "sphere.miner", "photo.miner"):
        shutil.copy(made / name, tmp_path)
    np.save(tmp_path / "points.npy", np.full((2, 2), 0.5))
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def execute(run: Run, command: str, *more: str, output: str = "") -> Outcome:
    written, arguments = COMMANDS[command]
    output = output or written
    target = str(Path(output).parent) if command.startswith("extract") else output
    return run(*arguments, "-o", target, *more)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_file_stays(here: Path, run: Run, command: str) -> None:
    path = here / COMMANDS[command][0]
    for make in IRREGULAR.values():
        make(path)
        before = snapshot(here)
        for force in ([], ["--force"]):
            outcome = execute(run, command, *force)
            assert_one_sentence(outcome)
            assert f"cannot write {COMMANDS[command][0]}: it " in outcome.err
            assert snapshot(here) == before
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_foreign_file_is_replaced_on_demand_and_ones_own_at_once(
    here: Path, run: Run, command: str
) -> None:
    written = here / COMMANDS[command][0]
    if written.suffix != ".zarr":
        written.write_bytes(MINE)
        before = snapshot(here)
        outcome = execute(run, command)
        assert_one_sentence(outcome)
        assert "replace it with --force" in outcome.err
        assert snapshot(here) == before
    assert execute(run, command, "--force").status == 0
    made = snapshot(here)
    if written.suffix == ".zarr":
        assert written_here(written / "zarr.json")
    else:
        assert written.read_bytes() != MINE
    assert execute(run, command).status == 0
    assert snapshot(here) == made


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *(("fit", name) for name in ("photo.png", "PHOTO.PNG", "photo.stl", "photo.npz")),
        *(("voxelize", name) for name in ("sphere.ply", "out.ply", "out.npy", "out")),
        *(("query", name) for name in ("points.npy", "Points.npy", "photo.miner", "out.npz")),
        *(("decode to png", name) for name in ("photo.miner", "out.ply", "out.jpg")),
        *(("reconstruct", name) for name in ("sphere.ply", "Sphere.ply", "out.npy", "out.npz")),
    ],
)
def test_neither_an_input_nor_a_name_of_another_kind(
    here: Path, run: Run, command: str, name: str
) -> None:
    before = snapshot(here)
    for force in ([], ["--force"]):
        outcome = execute(run, command, *force, output=name)
        assert_one_sentence(outcome)
        rules = ("it is the input", "output must end in")
        assert any(rule in outcome.err for rule in rules), outcome.err
        assert snapshot(here) == before


def test_a_model_is_not_replaced_by_what_is_made_of_it(here: Path, run: Run) -> None:
    shutil.copy("sphere.miner", "out/lod_1.ply")
    os.link("photo.miner", "photo.png.npy")
    (here / "a.zarr").mkdir()
    shutil.copy("photo.miner", "a.zarr/photo.miner")
    before = snapshot(here)
    for arguments in (
        ("extract", "out/lod_1.ply", "-o", "out", "--lod", "1"),
        ("decode", "photo.miner", "-o", "photo.png.npy"),
        ("decode", "a.zarr/photo.miner", "-o", "a.zarr"),
        ("reconstruct", "sphere.ply", "-o", "o.ply", "--method=miner", "--checkpoint=sphere.ply"),
        ("reconstruct", "sphere.ply", "-o", "o.ply", "--method=miner", "--checkpoint=o.ply"),
        ("reconstruct", "sphere.ply", "-o", "o.ply", FAKE, "--checkpoint=points.npy"),
    ):
        for force in ([], ["--force"]):
            outcome = run(*arguments, *force)
            assert_one_sentence(outcome)
            assert "cannot write" in outcome.err
            assert snapshot(here) == before


def test_a_foreign_unfinished_model_stays(here: Path, run: Run) -> None:
    part = part_path(here / "out.miner")
    for make in (lambda path: path.write_bytes(MINE), *IRREGULAR.values()):
        make(part)
        before = snapshot(here)
        for force in ([], ["--force"]):
            outcome = execute(run, "fit", *force)
            assert_one_sentence(outcome)
            assert "choose another output" in outcome.err
            assert snapshot(here) == before
        shutil.rmtree(part) if part.is_dir() and not part.is_symlink() else part.unlink()


def test_a_checkpoint_takes_nothing_with_it(here: Path, run: Run) -> None:
    name = "out.ply.fake.checkpoint"
    for ending in ("-notes.txt", ".part.old", ".part.history.json"):
        (here / f"{name}{ending}").write_bytes(MINE)
    before = snapshot(here)
    assert execute(run, "reconstruct", "--steps", "5").status == 0
    after = snapshot(here)
    assert after.pop("out.ply")[1].startswith(b"ply\n")
    assert after == before


def test_a_model_may_go_without_a_suffix() -> None:
    assert MODEL_SUFFIXES == (".miner", "")
