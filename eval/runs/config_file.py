"""YAML files of runs, read strictly into frozen dataclasses."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from geom_miner.errors import SettingsError

Run = TypeVar("Run")


def load_config(
    path: Path | str, kind: type[Run], overrides: Mapping[str, Any] | None = None
) -> Run:
    """Read a YAML file into ``kind``; overrides that are not None win.

    Raises
    ------
    SettingsError
        The file is missing or no YAML mapping, or has an unknown key, a missing one, or a value
        of the wrong type; the message names the file.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}; check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error).replace("\n", " ")
        raise SettingsError(f"{path} is not valid YAML: {reason}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold settings as `name: value` lines")
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    try:
        check_keys(kind, values, "the run")
        merged = {**values, **given}
        check_types(kind, merged, "the run")
        _check_missing(kind, merged)
        return kind(**merged)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def check_keys(kind: type, values: Mapping[str, Any], name: str) -> None:
    """Raise SettingsError for a value that ``kind`` has no field for."""
    known = {entry.name for entry in dataclasses.fields(kind)}
    unknown = sorted(set(map(str, values)) - known)
    if unknown:
        raise SettingsError(
            f"{name} has no setting {unknown[0]!r}; there are {', '.join(sorted(known))}"
        )


def _check_missing(kind: type, values: Mapping[str, Any]) -> None:
    for entry in dataclasses.fields(kind):
        optional = (entry.default, entry.default_factory) != (dataclasses.MISSING,) * 2
        if not optional and entry.name not in values:
            raise SettingsError(f"the setting {entry.name} is missing; add `{entry.name}: ...`")


def check_types(kind: type, values: Mapping[str, Any], name: str) -> None:
    """Raise SettingsError for a value of a type that the field is not meant for."""
    hints = typing.get_type_hints(kind)
    for key, value in values.items():
        if not _fits(value, hints[key]):
            wanted = str(hints[key]).replace("typing.", "")
            wanted = getattr(hints[key], "__name__", wanted)
            raise SettingsError(f"{name}'s {key} must be {wanted}, got {value!r}")


def _fits(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in typing.get_args(hint))
    if origin is Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)
