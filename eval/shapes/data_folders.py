"""The user's own folders of meshes and images."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from geom_miner.errors import MediaError, SettingsError
from geom_miner.mesh import WRITABLE_MESH_SUFFIXES

DATA_VARIABLE = "GEOM_MINER_DATA"


def data_folders() -> list[Path]:
    """The folders that GEOM_MINER_DATA lists, in its order; they need not exist."""
    entries = os.environ.get(DATA_VARIABLE, "").split(os.pathsep)
    return [Path(entry).expanduser() for entry in entries if entry]


def find_data_file(name: str) -> Path:
    """A file by its path, or by its name in the data folders.

    Raises
    ------
    MediaError
        There is no such file.
    """
    for path in (Path(name).expanduser(), *(folder / name for folder in data_folders())):
        if path.is_file():
            return path
    raise MediaError(
        f"there is no file {name}; give its path, or name its folder in {DATA_VARIABLE}"
    )


def mesh_files(folder: str) -> dict[str, Path]:
    """Mesh files of a folder, or of the folders that GEOM_MINER_DATA lists, by their stems.

    If a stem is taken, the key is the file's whole name, and then the stem with a number.

    Raises
    ------
    SettingsError
        There is no such folder, or it has no mesh.
    """
    files: dict[str, Path] = {}
    for path in _mesh_paths(folder):
        numbered = (f"{path.stem}_{number}" for number in itertools.count(2))
        candidates = itertools.chain([path.stem, path.name], numbered)
        files[next(name for name in candidates if name not in files)] = path
    return files


def _mesh_paths(folder: str) -> Iterator[Path]:
    folders = [Path(folder).expanduser()] if folder else data_folders()
    if not folders:
        raise SettingsError(f"give a folder of meshes, or name one in {DATA_VARIABLE}")
    is_empty = True
    for directory in folders:
        if not directory.is_dir():
            raise SettingsError(f"{directory} is no folder; give one that holds meshes")
        for path in sorted(directory.iterdir()):
            if path.suffix.lower() in WRITABLE_MESH_SUFFIXES:
                is_empty = False
                yield path
    if is_empty:
        raise SettingsError(f"no mesh files in {', '.join(map(str, folders))}")
