"""The table of all runs of a batch, one row each, for the CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from eval.benchmark.cell import Cell
from eval.benchmark.run import BatchResult
from eval.report.quantities import Quantity
from eval.report.table import Column, Table
from eval.runs.records import Record


def runs_table(result: BatchResult, quantities: Sequence[Quantity]) -> Table[Record]:
    """One row for every run, failures among them; a quantity that it does not have is empty."""
    pairs = zip(result.cells, result.records, strict=True)
    rows = [_row(cell, record, quantities) for cell, record in pairs]
    columns: list[Column[Record]] = [Column(name, itemgetter(name)) for name in rows[0]]
    return Table(columns, rows)


def _row(cell: Cell, record: Record, quantities: Sequence[Quantity]) -> dict[str, Any]:
    key, made = record["cell"], record["failure"] is None
    names = ("method", "preset", "input", "ignore_normals", "resolution", "seed")
    return {
        "shape": cell.subject.name,
        "stand_in_for": " and ".join(cell.subject.stands_in_for),
        "entry": cell.entry.label,
        **{name: key[name] for name in names},
        **{f"budget_{name}": limit for name, limit in key["budget"].items()},
        "points": (key["points"] or {}).get("count"),
        "failure": record["failure"],
        **{q.name: q.value(record, cell.subject) if made else None for q in quantities},
        "jobs": record["jobs"],
        "mesh": record.get("mesh"),
    }
