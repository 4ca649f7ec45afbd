"""Records read from JSON: one typed dataclass each, checked as a whole, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

Entry = TypeVar("Entry")


class RecordError(ValueError):
    """Bytes that are no record of the wanted type; the message says what is wrong and where."""


def decode_record(payload: bytes, record_type: type[Entry]) -> Entry:
    """Read JSON as a dataclass, or a list or dict of them; entries without a field are left out.

    Types are strict: 1.0 is no whole number, and true is no number. Ranges are checked by the
    dataclass itself. The memory taken is proportional to the payload's size.

    Raises
    ------
    RecordError
        The bytes are no JSON, are nested too deeply, or do not fit the type.
    """
    try:
        return msgspec.json.decode(payload, type=record_type)
    except (ValueError, OverflowError) as error:
        raise RecordError(_one_line(error)) from error
    except RecursionError as error:
        raise RecordError("it is nested too deeply") from error


def convert_record(values: Mapping[str, Any], record_type: type[Entry]) -> Entry:
    """The same from values that are read already.

    Raises
    ------
    RecordError
        The values do not fit the type.
    """
    try:
        return msgspec.convert(values, record_type)
    except (ValueError, OverflowError) as error:
        raise RecordError(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    """The error's text on one line, without control characters that came from the file."""
    text = " ".join(str(error).replace("`", "").split()).rstrip(".")
    return "".join(c if c.isprintable() else "?" for c in text)[:200]
