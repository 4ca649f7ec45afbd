"""The user's own folders of meshes and images."""

from __future__ import annotations

import os
from pathlib import Path

from geom_miner import MediaError

DATA_VARIABLE = "GEOM_MINER_DATA"


def data_folders() -> list[Path]:
    """The folders that GEOM_MINER_DATA names, in its order; they need not exist."""
    entries = os.environ.get(DATA_VARIABLE, "").split(os.pathsep)
    return [Path(entry).expanduser() for entry in entries if entry]


def find_data_file(name: str) -> Path:
    """A file by its path, or by its name in the data folders.

    Raises
    ------
    MediaError
        There is none.
    """
    for path in (Path(name).expanduser(), *(folder / name for folder in data_folders())):
        if path.is_file():
            return path
    raise MediaError(
        f"there is no file {name}; give its path, or name its folder in {DATA_VARIABLE}"
    )
