"""Ranges of numbers, declared where a field is declared and checked by one function."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from typing import Any, Literal, Union

from geom_miner.errors import GeomMinerError, SettingsError


@dataclass(frozen=True)
class Range:
    """The numbers that a field takes: ``width: Annotated[int, Range(at_least=1)]``.

    Parameters
    ----------
    at_least, at_most : ends that belong to the range.
    above, below : ends that do not.
    """

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None

    def holds(self, number: Any) -> bool:
        """Whether a finite number lies in the range."""
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.at_most is None or number <= self.at_most)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def rule(self) -> str:
        """What messages say after the field's name."""
        low = self.at_least if self.above is None else self.above
        high = self.at_most if self.below is None else self.below
        if high is None:
            return f"must be {'>=' if self.above is None else '>'} {_digits(low)}"
        if low is None:
            return f"must be {'<=' if self.below is None else '<'} {_digits(high)}"
        opening, closing = "[("[self.above is not None], "])"[self.below is not None]
        return f"must lie in {opening}{_digits(low)}, {_digits(high)}{closing}"


class CheckedSettings:
    """A base of settings whose numbers and names are checked as soon as they are made."""

    def __post_init__(self) -> None:
        check_fields(self)


def check_fields(values: Any, error: type[GeomMinerError] = SettingsError) -> None:
    """Check the numbers and the ``Literal`` names among the fields of a dataclass.

    A number must be of its field's type, finite, and within the ``Range`` that annotates it; a
    field may also be None where its type says so, or hold a tuple or list of numbers. Fields of
    other types are not looked at.

    Raises
    ------
    error
        A value does not fit: ``name must rule, got value``.
    """
    for name, hint in _hints(values.__class__):
        value = getattr(values, name)
        problem = next(_problems(value, hint), None)
        if problem is not None:
            raise error(f"{name} {problem}, got {_shown(value)}")


@cache
def _hints(dataclass_type: Any) -> list[tuple[str, Any]]:
    hints = typing.get_type_hints(dataclass_type, include_extras=True)
    return [(entry.name, hints[entry.name]) for entry in dataclasses.fields(dataclass_type)]


def _problems(value: Any, hint: Any) -> Iterator[str]:
    """What is wrong with a value, if anything."""
    ranges = [note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Range)]
    if hasattr(hint, "__metadata__"):
        hint = hint.__origin__
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return
        hint = next((part for part in arguments if part is not type(None)), hint)
        yield from _problems(value, typing.Annotated[hint, *ranges] if ranges else hint)
    elif origin is Literal:
        if value not in arguments:
            yield f"must be one of {', '.join(map(str, arguments))}"
    elif origin in (tuple, list) and isinstance(value, (tuple, list)):
        inner = arguments[0] if arguments[1:] in ((), (...,)) else None
        parts = [inner] * len(value) if inner is not None else arguments
        for element, part in zip(value, parts, strict=False):
            yield from _problems(element, part)
    elif hint in (int, float):
        yield from _number_problems(value, hint, ranges)


def _number_problems(value: Any, hint: type, ranges: list[Range]) -> Iterator[str]:
    kind = Integral if hint is int else Real
    if isinstance(value, bool) or not isinstance(value, kind):
        yield "must be a whole number" if hint is int else "must be a number"
    elif hint is float and not _is_finite(value):
        yield "must be a finite number"
    else:
        yield from (each.rule() for each in ranges if not each.holds(value))


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        # A whole number beyond the range of float.
        return False


def _digits(number: float | None) -> str:
    assert number is not None
    if isinstance(number, int):
        power_of_two = number >= 1 << 20 and number & (number - 1) == 0
        return f"2^{number.bit_length() - 1}" if power_of_two else str(number)
    return f"{number:g}"


def _shown(value: Any) -> str:
    """A value for a message; digits beyond 60 are left out."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}..."
