"""YAML files of runs, read strictly into frozen dataclasses and the dataclasses inside of them.

A dataclass with a class variable ``SHORTHAND`` may be written as a text, which then is the setting
of that name: ``lucy`` instead of ``{shape: lucy}``. A field with the metadata ``INHERITS`` names
settings of its own dataclass that its entries take over where they do not have them.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from eval.runs.yaml_text import MAX_BYTES, parse_yaml
from geom_miner import GeomMinerError
from geom_miner.constraints import check_fields
from geom_miner.errors import SettingsError

Run = TypeVar("Run")

INHERITS = "inherits"
_RUN = "the run"


def load_config(
    path: Path | str, settings_type: type[Run], overrides: Mapping[str, Any] | None = None
) -> Run:
    """Read a YAML file into ``settings_type``; overrides that are not None win.

    Raises
    ------
    SettingsError
        The file is missing or no YAML mapping, or has an unknown key, a missing one, or a value
        that the setting does not take; the message names the file.
    """
    try:
        with Path(path).open("rb") as stream:
            values = parse_yaml(stream.read(MAX_BYTES + 1))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}; check the path") from error
    except SettingsError as error:
        raise SettingsError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold settings as `name: value` lines")
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    try:
        return parse_settings(settings_type, {**values, **given})
    except GeomMinerError as error:
        raise SettingsError(f"{path}: {error}") from error


def parse_settings(settings_type: type[Run], values: Any, name: str = _RUN) -> Run:
    """Make a dataclass of its settings, names and types checked.

    Parameters
    ----------
    name : what the settings are, for messages.

    Raises
    ------
    SettingsError
        A setting is unknown, missing or of the wrong type.
    """
    return typing.cast(Run, _parse_dataclass(settings_type, values, name, {}))


def parse_values(settings_type: type, values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Some settings of a dataclass, names and types checked, nested ones made dataclasses.

    Raises
    ------
    SettingsError
        A setting is unknown or of the wrong type.
    """
    entries = {entry.name: entry for entry in dataclasses.fields(settings_type)}
    unknown = sorted(set(map(str, values)) - entries.keys())
    if unknown:
        raise SettingsError(
            f"{name} has no setting {unknown[0]!r}; there are {', '.join(sorted(entries))}"
        )
    hints = typing.get_type_hints(settings_type)
    parsed: dict[str, Any] = {}
    # What is inherited is parsed before what inherits it.
    for key in sorted(values, key=lambda key: INHERITS in entries[key].metadata):
        inheritable = entries[key].metadata.get(INHERITS, ())
        inherited = {other: parsed[other] for other in inheritable if other in parsed}
        parsed[key] = _parse(hints[key], values[key], _setting(name, key), inherited)
    return parsed


def _parse_dataclass(
    settings_type: type, value: Any, name: str, inherited: Mapping[str, Any]
) -> Any:
    if isinstance(value, settings_type):
        return value
    shorthand = getattr(settings_type, "SHORTHAND", None)
    if shorthand is not None and isinstance(value, str):
        value = {shorthand: value}
    if not isinstance(value, Mapping):
        expected = "a mapping" if shorthand is None else "a name or a mapping"
        raise SettingsError(f"{name} must be {expected}, got {value!r}")
    parsed = parse_values(settings_type, {**inherited, **value}, name)
    for entry in dataclasses.fields(settings_type):
        required = entry.default is entry.default_factory is dataclasses.MISSING
        if required and entry.name not in parsed:
            place = "" if name == _RUN else f" in {name}"
            raise SettingsError(
                f"the setting {entry.name} is missing{place}; add `{entry.name}: ...`"
            )
    try:
        made = settings_type(**parsed)
        check_fields(made)
        return made
    except GeomMinerError as error:
        if name == _RUN:
            raise
        raise type(error)(f"{name}: {error}") from error


def _parse(hint: Any, value: Any, name: str, inherited: Mapping[str, Any]) -> Any:
    arguments = typing.get_args(hint)
    nested: Any = next(filter(dataclasses.is_dataclass, (hint, *arguments)), None)
    origin = typing.get_origin(hint)
    if origin is list or (origin is tuple and arguments[1:] == (...,)):
        if nested is not None and isinstance(value, Mapping):
            value = [value]  # one entry needs no list around it
        if not isinstance(value, (list, tuple)):
            raise SettingsError(f"{name} must be a list, got {value!r}")
        return origin(
            _parse(arguments[0], element, f"entry {number} of {name}", inherited)
            for number, element in enumerate(value, 1)
        )
    if nested is not None and not _fits(value, hint):
        return _parse_dataclass(nested, value, name, inherited)
    if not _fits(value, hint):
        expected = getattr(hint, "__name__", str(hint).replace("typing.", ""))
        raise SettingsError(f"{name} must be {expected}, got {value!r}")
    return value


def _fits(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
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


def _setting(name: str, key: str) -> str:
    """What messages call a setting: its key, after what it belongs to."""
    if name == _RUN:
        return key
    return f"{name}' {key}" if name.endswith("s") else f"{name}'s {key}"
