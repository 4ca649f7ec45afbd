"""What a resumable run has measured so far: a file with one JSON object per line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eval.runs.files import write_text

_LOG = logging.getLogger(__name__)

Record = dict[str, Any]


def read_records(path: Path) -> list[Record]:
    """Records of an earlier run; a line that is no JSON object is left out.

    A last line that was cut off is no news. Any other such line is named in a warning, since the
    run measures anew what it held.
    """
    lines = path.read_bytes().split(b"\n") if path.is_file() else []
    records = []
    for number, line in enumerate(lines, 1):
        record = _record_of(line)
        if record is not None:
            records.append(record)
        elif line.strip() and number < len(lines):
            _LOG.warning("%s: line %d is damaged; what it held is measured anew", path, number)
    return records


def _record_of(line: bytes) -> Record | None:
    """A line as a record; None if it is none. NaN and infinity are numbers here."""
    try:
        record = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records, one line of JSON each."""
    write_text(path, "".join(json.dumps(record, sort_keys=True) + "\n" for record in records))
