"""A full disk, and a write that stops midway, lose nothing that was finished."""

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from geom_miner.storage import sections
from geom_miner.storage.reader import load_model
from geom_miner.storage.writer import part_path
from tests.cli.conftest import SMALL_CUBE, TINY, Run
from tests.cli.test_bad_input import OLD, assert_one_sentence, commands_that_write


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let writing fail beyond ``size`` bytes of any file, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fails_at(count: int) -> Callable[[int], None]:
    """A stand-in for os.fsync that reports a full disk at its ``count``-th call."""
    calls = iter(range(count))

    def fsync(_: int) -> None:
        if next(calls, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fsync


def assert_scale_1_is_kept(made: Path, model: Path, run: Run) -> None:
    """``.part`` is readable, the earlier model is whole, and a rerun ends with the same bytes."""
    assert model.read_bytes() == (made / "photo.miner").read_bytes()
    facts = load_model(part_path(model), finest=1)
    assert facts.finest_scale == 1
    again = run("fit", made / "sphere.ply", "-o", model, *TINY, *SMALL_CUBE)
    assert again.status == 0
    assert "1 scales were there" in again.err
    assert model.read_bytes() == (made / "sphere.miner").read_bytes()
    assert not part_path(model).exists()


def test_a_full_disk_keeps_finished_scales(
    made: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "m.miner"
    shutil.copy(made / "photo.miner", model)
    # The header and scale 1 reach the disk, scale 0 does not.
    with monkeypatch.context() as patch:
        patch.setattr(sections.os, "fsync", fails_at(2))
        outcome = run("fit", made / "sphere.ply", "-o", model, *TINY, *SMALL_CUBE)
    assert_one_sentence(outcome, notes=True)
    assert "No space left on device" in outcome.err
    whole = part_path(model).read_bytes()
    ends = [section.end for section in sections.walk(part_path(model))]
    part_path(model).write_bytes(whole[: ends[1] + 50])
    assert_scale_1_is_kept(made, model, run)


def test_a_write_that_stops_midway_keeps_finished_scales(
    made: Path, tmp_path: Path, run: Run
) -> None:
    model = tmp_path / "m.miner"
    shutil.copy(made / "photo.miner", model)
    scale_1_end = [section.end for section in sections.walk(made / "sphere.miner")][1]
    with largest_file(scale_1_end + 500):
        outcome = run("fit", made / "sphere.ply", "-o", model, *TINY, *SMALL_CUBE)
    assert_one_sentence(outcome, notes=True)
    assert part_path(model).stat().st_size <= scale_1_end + 500
    assert_scale_1_is_kept(made, model, run)


def test_a_full_disk_leaves_earlier_outputs(made: Path, tmp_path: Path, run: Run) -> None:
    outputs = commands_that_write(made, tmp_path / "out.npy")
    for name in ("out.npy", "out.png", "lod_1.ply"):
        (tmp_path / name).write_bytes(OLD)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with largest_file(64):
        for arguments in outputs:
            if arguments[0] != "fit":
                assert_one_sentence(run(*arguments), notes=True)
        assert_one_sentence(
            run("extract", made / "sphere.miner", "-o", tmp_path, "--lod", 1), notes=True
        )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
