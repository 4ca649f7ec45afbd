"""Write files and folders that appear complete or not at all; make folders."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from geom_miner.errors import GeomMinerError, SettingsError
from geom_miner.outputs import refuse_irregular
from geom_miner.scratch_files import locked, scratch_file, scratch_folder, scratch_name


@contextlib.contextmanager
def new_file(path: str | os.PathLike[str], error: type[GeomMinerError]) -> Iterator[IO[bytes]]:
    """A stream into a temporary file beside ``path``, which replaces ``path`` when the block ends.

    If the block fails, an earlier file of this name is left as it was, and the temporary file is
    removed.

    Parameters
    ----------
    error : type of the exception that reports a file that cannot be written.

    Raises
    ------
    error
        The file cannot be written, or ``path`` exists and is no regular file.
    """
    path = Path(path)
    refuse_irregular(path, error)
    with _reported_as(error, path), scratch_file(path) as (scratch, stream):
        yield stream
        stream.close()
        refuse_irregular(path, error)
        scratch.replace(path)


@contextlib.contextmanager
def new_folder(
    path: str | os.PathLike[str], error: type[GeomMinerError], *, marker: str
) -> Iterator[Path]:
    """An empty temporary folder beside ``path``, which replaces ``path`` when the block ends.

    If the block fails, an earlier folder of this name is left as it was, and the temporary folder
    is removed.

    Parameters
    ----------
    error : type of the exception that reports a folder that cannot be written.
    marker : name of a file that every folder of this type contains. Only a folder with this file
        is ever replaced.

    Raises
    ------
    error
        The folder cannot be written, or ``path`` exists and is no folder of this type.
    """
    path = Path(path)
    if path.is_symlink() or (path.exists() and not (path / marker).is_file()):
        raise error(
            f"cannot write {path}: it exists and is no {path.suffix} folder; choose another name"
        )
    with _reported_as(error, path), scratch_folder(path) as scratch:
        yield scratch
        if not path.exists():
            scratch.rename(path)
            return
        # A folder cannot be renamed onto a full one, so the earlier one is renamed first. It is
        # locked, so that no other process takes it for abandoned.
        earlier = scratch_name(path, "old")
        with locked(path):
            path.rename(earlier)
            try:
                scratch.rename(path)
            except BaseException:
                earlier.rename(path)
                raise
            shutil.rmtree(earlier, ignore_errors=True)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, with those above it, unless it is there.

    Raises
    ------
    SettingsError
        The folder cannot be made.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"cannot make folder {path}: {error.strerror}; choose a writable place"
        ) from error
    return path


@contextlib.contextmanager
def _reported_as(error: type[GeomMinerError], path: Path) -> Iterator[None]:
    """Raise an ``OSError`` of the block as ``error``."""
    try:
        yield
    except OSError as reason:
        raise error(
            f"cannot write {path}: {reason.strerror or reason}; choose a folder that exists, is "
            "writable and has space"
        ) from reason
