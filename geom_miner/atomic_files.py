"""Files and folders that appear complete or not at all, and folders for them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from geom_miner.errors import GeomMinerError, SettingsError


@contextlib.contextmanager
def new_file(path: str | os.PathLike[str], error: type[GeomMinerError]) -> Iterator[IO[bytes]]:
    """A stream into a file beside ``path`` that takes its place once all is written.

    Raises
    ------
    error
        The file cannot be written. Whatever ends the writing early, an earlier file of this name
        is left as it was and nothing else is.
    """
    path = Path(path)
    with _unfinished(path, error) as scratch:
        with scratch.open("wb") as stream:
            yield stream
        scratch.replace(path)


@contextlib.contextmanager
def new_folder(
    path: str | os.PathLike[str], error: type[GeomMinerError], *, sign: str
) -> Iterator[Path]:
    """An empty folder beside ``path`` that takes its place once all is in it.

    Parameters
    ----------
    sign : name of a file that tells a folder of this kind; nothing else is ever replaced.

    Raises
    ------
    error
        The folder cannot be written, or ``path`` is something else.
    """
    path = Path(path)
    if path.exists() and not (path / sign).is_file():
        raise error(
            f"cannot write {path}: it is there and no {path.suffix} folder; choose another name"
        )
    with _unfinished(path, error) as scratch:
        scratch.mkdir()
        yield scratch
        earlier = path.with_name(f"{path.name}.{os.getpid()}.old")
        try:
            # A folder cannot be renamed onto a full one: the earlier result steps aside first.
            if path.exists():
                path.rename(earlier)
            scratch.rename(path)
        finally:
            if earlier.exists() and not path.exists():
                earlier.rename(path)
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
def _unfinished(path: Path, error: type[GeomMinerError]) -> Iterator[Path]:
    """A free name beside ``path``; what is left there goes, an OSError within becomes ``error``."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield scratch
    except OSError as reason:
        raise error(
            f"cannot write {path}: {reason.strerror or reason}; choose a folder that exists, is "
            "writable and has space"
        ) from reason
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
