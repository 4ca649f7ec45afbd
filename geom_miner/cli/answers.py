"""What the command line reads from words and prints as answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from geom_miner.errors import SettingsError
from geom_miner.terminal import Terminal

_PIPE_WIDTH = 160


def parse_levels(text: str) -> list[int]:
    """Numbers of ``--lod``; none for all."""
    if text == "all":
        return []
    try:
        return sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise SettingsError(f"lod must be all or numbers such as 0,2, got {text!r}") from None


def print_json(value: Any) -> None:
    """Print JSON to standard output."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_rows(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print a title and a table of equal-keyed rows to standard output."""
    table = Table()
    for name in rows[0] if rows else ():
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*[_cell(value) for value in row.values()])
    # A pipe has no width of its own; rich would squeeze the table into 80 columns.
    terminal = Terminal(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    terminal.print(title, soft_wrap=True)
    terminal.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (tuple, list)):
        return " x ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
