"""The folder of a run: one run at a time, no input in it, nothing of another program's replaced."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eval.runs.files import write_json
from eval.shapes.data_folders import data_folders
from geom_miner import __version__
from geom_miner.atomic_files import make_folder
from geom_miner.errors import SettingsError
from geom_miner.outputs import lies_in
from geom_miner.scratch_files import locked

_MANIFEST = "manifest.json"
# Settings that name folders of inputs. Any setting may name a file.
_INPUT_FOLDERS = ("folder", "clouds", "cloud_folder")
# No run writes files of these suffixes, so a configuration may lie in the run's own folder.
_CONFIG_SUFFIXES = (".yaml", ".yml")


@contextlib.contextmanager
def run_folder(path: Path, config: Any, *, force: bool = False) -> Iterator[Path]:
    """Make the folder of a run, or take over that of an earlier run, and hold its lock.

    A folder belongs to this program if it is empty or has a manifest; a new one gets a manifest of
    the version at once, so that a run that is killed can go on.

    Parameters
    ----------
    config : dataclass of the settings. Files and folders that it names are inputs.
    force : also take a folder with files of another program, which may be replaced.

    Raises
    ------
    SettingsError
        Another run is writing the folder, an input lies in it, or it belongs to another program.
    """
    for source in (*_named_inputs(dataclasses.asdict(config)), *data_folders()):
        if lies_in(source, path):
            raise SettingsError(
                f"cannot write into {path}: the input {source} lies there; choose another output"
            )
    folder = make_folder(path)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(folder))
        except BlockingIOError:
            raise SettingsError(
                f"another run is writing {folder}; wait for it, or choose another output"
            ) from None
        if not _has_manifest(folder):
            if not force and _holds_something(folder):
                raise SettingsError(
                    f"cannot write into {folder}: it holds files and no manifest of an earlier "
                    "run; choose another output, or let its files be replaced with --force"
                )
            write_json(folder / _MANIFEST, {"versions": {"geom_miner": __version__}})
        yield folder


def check_config_place(config: Path, output: Path) -> None:
    """Refuse a configuration that could be mistaken for a result.

    Raises
    ------
    SettingsError
        It lies in the output and is not called .yaml or .yml.
    """
    if lies_in(config, output) and config.suffix.lower() not in _CONFIG_SUFFIXES:
        raise SettingsError(
            f"cannot write into {output}: the configuration {config} lies there; call it .yaml, or "
            "choose another output"
        )


def _named_inputs(value: Any, key: str = "") -> Iterator[Path]:
    """The files and folders that settings name and that exist."""
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _named_inputs(entry, str(name))
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _named_inputs(entry, key)
    elif isinstance(value, str) and value and key != "output":
        path = os.path.expanduser(value)
        if os.path.isfile(path) or (key in _INPUT_FOLDERS and os.path.isdir(path)):
            yield Path(path)


def _has_manifest(folder: Path) -> bool:
    try:
        return "geom_miner" in json.loads((folder / _MANIFEST).read_bytes())["versions"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def _holds_something(folder: Path) -> bool:
    """Whether a folder holds more than hidden files, which no run replaces."""
    return any(not name.startswith(".") for name in os.listdir(folder))
