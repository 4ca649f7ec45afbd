"""What a resumable run has measured so far: a file with one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eval.runs.files import write_text

Record = dict[str, Any]


def read_records(path: Path) -> list[Record]:
    """Records of an earlier run; a line that was cut off is no record."""
    records = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return [record for record in records if isinstance(record, dict)]


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records, one line of JSON each."""
    write_text(path, "".join(json.dumps(record, sort_keys=True) + "\n" for record in records))
