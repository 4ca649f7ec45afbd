"""YAML as plain values: one reader that is safe, bounded, and names the line of every fault.

It takes mappings, lists, texts, numbers, truth values and null. The text is read event by event,
so that a document is refused before it takes memory: one that is nested too deeply, refers to
itself, or grows beyond a stated size where aliases are written out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml
from yaml.constructor import SafeConstructor
from yaml.reader import Reader
from yaml.resolver import Resolver

from geom_miner.errors import SettingsError

# Bounds of a document. The largest configuration of this project has 31 lines, nested 4 deep.
MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 20_000

# libyaml where PyYAML was built with it: it needs no time that grows with the square of the depth.
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_PLAIN = {f"tag:yaml.org,2002:{name}": name for name in ("null", "bool", "int", "float")}


def parse_yaml(text: bytes) -> Any:
    """The value of a YAML document.

    Keys are texts, as they are written. A date is the text that it is written as. ``<<`` merges a
    mapping, or a list of them, whose entries do not replace those that are there.

    Raises
    ------
    SettingsError
        The text is no YAML, too large, or holds something else; the message names the line.
    """
    if len(text) > MAX_BYTES:
        raise SettingsError(f"it is larger than a configuration's {MAX_BYTES:,} bytes")
    reader = _Reader()
    with _syntax_errors():
        for event in yaml.parse(_decoded(text), Loader=_PARSER):
            reader.take(event)
    return reader.result


@dataclass
class _Open:
    """A list or mapping whose end has not been read."""

    values: list[Any] | dict[str, Any]
    anchor: str | None
    line: int
    count: int = 1
    key: str | None = None
    keys: set[str] = field(default_factory=set)
    merged: list[Any] = field(default_factory=list)
    in_merge: bool = False


class _Reader:
    """Builds the value from events, and counts what it would be with aliases written out."""

    def __init__(self) -> None:
        self.result: Any = None
        self._open: list[_Open] = []
        # What an anchor stands for, with the number of values in it; None while it is read.
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Go on with the next event."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                _refuse(line, "a second document begins; keep one")
        elif isinstance(event, yaml.AliasEvent):
            self._add(*self._anchored(str(event.anchor), line), line)
        elif isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, line)
            self._add(value, 1, line, is_merge=value is _MERGE)
            if event.anchor:
                self._anchors[event.anchor] = (value, 1)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._begin(event, line)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self._end(line)

    def _anchored(self, name: str, line: int) -> tuple[Any, int]:
        if name not in self._anchors:
            _refuse(line, f"there is no anchor &{name} before *{name}")
        known = self._anchors[name]
        if known is None:
            _refuse(line, f"*{name} stands within what it refers to")
        return known

    def _begin(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if event.tag not in (None, "!"):
            _refuse(line, f"{event.tag} is no plain value; leave the tag out")
        if len(self._open) >= MAX_DEPTH:
            _refuse(line, f"values are nested more than {MAX_DEPTH} deep")
        mapping = isinstance(event, yaml.MappingStartEvent)
        if self._open and self._expects_key(self._open[-1]):
            _refuse(line, "a name must be a text, not a list or mapping")
        if event.anchor:
            self._anchors[event.anchor] = None
        self._open.append(_Open({} if mapping else [], event.anchor, line))

    def _end(self, line: int) -> None:
        done = self._open.pop()
        if isinstance(done.values, dict):
            for part in done.merged:
                for entry in part if isinstance(part, list) else [part]:
                    if not isinstance(entry, dict):
                        _refuse(done.line, "<< takes a mapping, or a list of mappings")
                    for key, value in entry.items():
                        done.values.setdefault(key, value)
        if done.anchor:
            self._anchors[done.anchor] = (done.values, done.count)
        self._add(done.values, done.count, line)

    def _add(self, value: Any, count: int, line: int, *, is_merge: bool = False) -> None:
        """Put a finished value where it belongs."""
        if not self._open:
            self.result = value
            return
        holder = self._open[-1]
        holder.count += count
        if sum(each.count for each in self._open) > MAX_VALUES:
            _refuse(line, f"there are more than {MAX_VALUES:,} values, aliases written out")
        if isinstance(holder.values, list):
            holder.values.append(value)
        elif self._expects_key(holder):
            holder.in_merge = is_merge
            holder.key = "<<" if is_merge else _key(value, line)
            if holder.key in holder.keys:
                _refuse(line, f"{holder.key!r} is there twice; keep one")
            holder.keys.add(holder.key)
        else:
            if holder.in_merge:
                holder.merged.append(value)
            elif holder.key is not None:
                holder.values[holder.key] = value
            holder.key = None

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> Any:
        as_key = bool(self._open) and self._expects_key(self._open[-1])
        if event.tag not in (None, "!") and event.tag != "tag:yaml.org,2002:str":
            kind = _PLAIN.get(event.tag)
            if kind is None:
                _refuse(line, f"{event.tag} is no plain value; leave the tag out")
            tag = event.tag
        elif event.tag is None and event.implicit[0]:
            tag = Resolver().resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        else:
            return event.value
        if as_key:
            return _MERGE if tag == _MERGE else event.value
        if tag not in _PLAIN:
            return event.value
        node = yaml.ScalarNode(tag, event.value)
        try:
            return getattr(SafeConstructor(), f"construct_yaml_{_PLAIN[tag]}")(node)
        except (ValueError, OverflowError, KeyError, IndexError):
            shown = event.value if len(event.value) <= 40 else f"{event.value[:37]}..."
            _refuse(line, f"{shown!r} is no {_PLAIN[tag]}; quote it if it is a text")

    @staticmethod
    def _expects_key(holder: _Open) -> bool:
        return isinstance(holder.values, dict) and holder.key is None


def _key(value: Any, line: int) -> str:
    if not isinstance(value, str):
        _refuse(line, "a name must be a text, not a list or mapping")
    return value


def _refuse(line: int, problem: str) -> NoReturn:
    raise SettingsError(f"line {line}: {problem}")


def _decoded(text: bytes) -> str:
    """The text in UTF-8, without characters that YAML does not allow."""
    try:
        decoded = text.decode("utf-8-sig")
        at = Reader.NON_PRINTABLE.search(decoded)
    except UnicodeDecodeError as error:
        _refuse(text.count(b"\n", 0, error.start) + 1, "the text is not in UTF-8")
    if at:
        _refuse(decoded.count("\n", 0, at.start()) + 1, f"{at[0]!r} is not allowed")
    return decoded


@contextlib.contextmanager
def _syntax_errors() -> Iterator[None]:
    """Turn what the parser finds into one sentence with a line."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(mark.line + 1 if mark else 1, error.problem or "this is no YAML")
    except yaml.YAMLError:
        _refuse(1, "this is no YAML")
