"""Say how the fit that a file holds differs from the one that is about to replace it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from geom_miner.errors import ModelFileError
from geom_miner.storage import sections
from geom_miner.storage.header import Header, header_text

_LOG = logging.getLogger(__name__)


def announce_replacement(path: Path, header: Header) -> None:
    """Log a warning if a file holds another fit than the header's; the warning says which.

    A file that is missing or no model says nothing.
    """
    found = _read_header(path)
    if found is None:
        return
    differences = list(_differences(found, json.loads(header.to_json())))
    if differences:
        _LOG.warning(
            "%s was fitted otherwise (%s); fitting anew", path.name, ", ".join(differences)
        )


def _read_header(path: Path) -> dict[str, Any] | None:
    """The values of a model file's header; None if there is none."""
    try:
        first = next(sections.walk(path), None)
        values = _values(first) if first and first.tag == "HEADER" else None
    except (ModelFileError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _values(header: sections.Section) -> Any:
    return json.loads(header_text(header.payload, header.version))


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What differs, such as "resolution 256 instead of 128"; if nothing else, the samples."""
    was, now = _facts(old), _facts(new)
    names = [name for name in {**now, **was} if was.get(name) != now.get(name)]
    for name in names:
        yield f"{name} {_text(was.get(name))} instead of {_text(now.get(name))}"
    if not names and _digest(old, "code_sha256") != _digest(new, "code_sha256"):
        yield "another state of the program"
    if not names and _digest(old, "signal_sha256") != _digest(new, "signal_sha256"):
        yield "other contents of the source"


def _digest(header: Mapping[str, Any], name: str) -> Any:
    return _mapping(header.get("info")).get(name)


def _facts(header: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a fit, by the names that users know."""
    info = _mapping(header.get("info"))
    grid = _mapping(header.get("grid"))
    source = _mapping(info.get("source"))
    shape = grid.get("shape", [])
    facts = {"source": source.get("name"), "faces": source.get("faces")}
    if isinstance(shape, list):
        cube = len(shape) == 3 and len(set(shape)) == 1
        facts["resolution"] = shape[0] if cube else " x ".join(map(str, shape))
    facts |= {name: info.get(name) for name in ("target", "backend", "version", "notice")}
    settings = dict(_mapping(info.get("settings")))
    released = _mapping(settings.pop("released", None))
    return {**facts, **settings, **released}


def _mapping(value: Any) -> Mapping[str, Any]:
    """A value of a file that should be a mapping; an empty one if it is not."""
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return "unknown" if value is None else str(value)
