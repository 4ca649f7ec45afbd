"""Scratch files are nobody else's: made exclusively, never followed, removed once abandoned."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from geom_miner import scratch_files
from geom_miner.atomic_files import new_file, new_folder
from geom_miner.errors import MediaError, ModelFileError
from geom_miner.scratch_files import check_unfinished, locked, open_unfinished
from tests.snapshots import snapshot

# Writes half of a file or a folder and is killed.
KILLED = """
import os, signal, sys
from pathlib import Path
from geom_miner.atomic_files import new_file, new_folder
from geom_miner.errors import MediaError
path = Path(sys.argv[1])
with new_file(path, MediaError) as stream, new_folder(
    path.with_suffix(".zarr"), MediaError, marker="m"
) as folder:
    stream.write(b"half")
    stream.flush()
    (folder / "m").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
SIGNATURE = b"\x89MINE"


def write(path: Path, content: bytes = b"whole") -> None:
    with new_file(path, MediaError) as stream:
        stream.write(content)


def test_what_a_killed_run_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a.ply"], check=False)
    left = snapshot(tmp_path)
    assert [content for _, content in left.values() if content] == [b"half", b"half"]
    write(tmp_path / "b.ply")
    assert snapshot(tmp_path) == {"b.ply": ("-", b"whole")}


def test_what_a_living_run_is_writing_stays(tmp_path: Path) -> None:
    with (
        new_file(tmp_path / "a.ply", MediaError) as stream,
        new_folder(tmp_path / "a.zarr", MediaError, marker="m") as folder,
    ):
        write(tmp_path / "a.ply", b"of the other run")
        stream.write(b"of this run")
        (folder / "m").write_bytes(b"kept")
    assert snapshot(tmp_path) == {
        "a.ply": ("-", b"of this run"),
        "a.zarr": ("d", b""),
        "a.zarr/m": ("-", b"kept"),
    }


def test_a_folder_that_was_set_aside_comes_back(tmp_path: Path) -> None:
    aside = tmp_path / ".a.zarr.geom_miner-0123abcd.old"
    aside.mkdir()
    (aside / "m").write_bytes(b"earlier")
    write(tmp_path / "b")
    assert (tmp_path / "a.zarr" / "m").read_bytes() == b"earlier"
    (tmp_path / "a.zarr").rename(aside)
    (tmp_path / "a.zarr").mkdir()
    write(tmp_path / "b")
    assert sorted(snapshot(tmp_path)) == ["a.zarr", "b"]


@pytest.mark.parametrize(
    "name", [".a.ply.part", ".a.ply.17.part", ".a.ply.geom_miner.part", "a.ply.geom_miner-0.part"]
)
def test_a_file_of_a_similar_name_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"mine")
    write(tmp_path / "a.ply")
    assert (tmp_path / name).read_bytes() == b"mine"


def test_a_link_at_the_scratch_file_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "victim").write_bytes(b"mine")
    monkeypatch.setattr(scratch_files.secrets, "token_hex", lambda _: "01234567")
    scratch_files.scratch_name(tmp_path / "a").symlink_to("victim")
    with pytest.raises(MediaError, match="File exists"):
        write(tmp_path / "a")
    assert (tmp_path / "victim").read_bytes() == b"mine"


def _file(path: Path) -> None:
    path.write_bytes(b"mine")


def _hard_link(path: Path) -> None:
    path.with_name("victim").write_bytes(SIGNATURE + b"mine")
    path.hardlink_to(path.with_name("victim"))


def _link(path: Path) -> None:
    path.with_name("victim").write_bytes(SIGNATURE + b"mine")
    path.symlink_to("victim")


@pytest.mark.parametrize(
    "make", [_file, _hard_link, _link, lambda path: path.symlink_to("none"), os.mkfifo, Path.mkdir]
)
def test_an_unfinished_file_must_be_ones_own(tmp_path: Path, make: object) -> None:
    part = tmp_path / "m.part"
    make(part)  # type: ignore[operator]
    before = snapshot(tmp_path)
    for open_or_check in (open_unfinished, check_unfinished):
        with pytest.raises(ModelFileError, match="choose another output"):
            open_or_check(part, SIGNATURE, ModelFileError)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("left", [b"", SIGNATURE[:3], SIGNATURE + b"one scale"])
def test_what_a_kill_leaves_at_any_byte_is_ones_own(tmp_path: Path, left: bytes) -> None:
    part = tmp_path / "m.part"
    part.write_bytes(left)
    check_unfinished(part, SIGNATURE, ModelFileError)
    with open_unfinished(part, SIGNATURE, ModelFileError) as file:
        file.write(b"more")
    assert part.read_bytes() == left + b"more"


def test_a_second_run_finds_the_lock(tmp_path: Path) -> None:
    part = tmp_path / "m.part"
    with open_unfinished(part, SIGNATURE, ModelFileError) as file:
        file.write(SIGNATURE)
        file.flush()
        with pytest.raises(ModelFileError, match="another fit is writing"):
            open_unfinished(part, SIGNATURE, ModelFileError)
    with locked(tmp_path), pytest.raises(BlockingIOError), locked(tmp_path):
        pytest.fail("two hold the lock")


def test_a_file_that_just_got_its_final_name_is_not_taken_for_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, model = tmp_path / "m.part", tmp_path / "m"
    part.write_bytes(SIGNATURE + b"finished")
    lock = scratch_files._lock

    def rename_first(descriptor: int) -> None:
        if not model.exists():
            part.rename(model)
        lock(descriptor)

    monkeypatch.setattr(scratch_files, "_lock", rename_first)
    with open_unfinished(part, SIGNATURE, ModelFileError) as file:
        file.truncate(0)
    assert snapshot(tmp_path) == {"m": ("-", SIGNATURE + b"finished"), "m.part": ("-", b"")}
