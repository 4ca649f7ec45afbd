"""Mesh files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from geom_miner.errors import MeshError


@contextlib.contextmanager
def new_mesh_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A stream into a file beside ``path`` that takes its place once all is written.

    Raises
    ------
    MeshError
        The file cannot be written. Whatever ends the writing early, an earlier file of this name
        is left as it was and nothing else is.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            yield stream
        os.replace(temporary, path)
    except OSError as error:
        raise MeshError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that exists, "
            "is writable and has space"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
