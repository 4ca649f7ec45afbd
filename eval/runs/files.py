"""Files of a run: written completely or not at all."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from geom_miner.atomic_files import new_file
from geom_miner.errors import SettingsError


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; bytes of file names that are no UTF-8 appear escaped."""
    with new_file(path, SettingsError) as file:
        file.write(text.encode(errors="backslashreplace"))


def write_json(path: Path, values: Any) -> None:
    """Write JSON atomically; infinite values, which JSON lacks, become null."""
    write_text(path, json.dumps(_finite(values), indent=2, allow_nan=False) + "\n")


def _finite(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
