"""Lines of a table: a method entry with one budget on one shape, all its seeds together."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.benchmark.cell import Cell, budget_text
from eval.benchmark.run import BatchResult
from eval.benchmark.settings import Entry
from eval.benchmark.subjects import Subject
from eval.methods.protocol import Budget
from eval.runs.records import Record

# Reads a quantity from a record; None where the record does not have it.
Value = Callable[[Record, Subject], float | None]


@dataclass(frozen=True)
class Row:
    """The records of the seeds of an entry.

    Parameters
    ----------
    failed_above : share of the diagonal; a mesh farther from its source counts as failed.
    """

    subject: Subject
    entry: Entry
    budget: Budget
    records: tuple[Record, ...]
    failed_above: float

    @property
    def made(self) -> list[Record]:
        """The records with a mesh."""
        return [record for record in self.records if record["failure"] is None]

    @property
    def failures(self) -> list[str]:
        """Why there is no mesh, each reason once."""
        return list(dict.fromkeys(r["failure"] for r in self.records if r["failure"]))

    @property
    def lost(self) -> int:
        """Number of runs without a mesh."""
        return len(self.records) - len(self.made)

    @property
    def far(self) -> int:
        """Number of runs whose mesh is too far from the source."""
        return sum(distance(r) > self.failed_above * self.subject.diagonal for r in self.made)

    @property
    def failed(self) -> int:
        """Number of runs without a mesh, or with one too far from the source."""
        return self.lost + self.far

    @property
    def competes(self) -> bool:
        """Whether the row can be best at anything: its medians must not be those of failures."""
        return 2 * self.failed <= len(self.records)

    @property
    def label(self) -> str:
        """The entry, and its budget if it has several."""
        budget = budget_text(self.budget) if len(self.entry.budgets) > 1 else ""
        return ", ".join(filter(None, (self.entry.label, budget)))

    @property
    def given(self) -> str:
        """The input of the method."""
        if not self.subject.cloud and self.entry.input == "mesh":
            return "the mesh"
        sampling, metadata = self.entry.points, self.subject.metadata
        count = metadata["points"] if self.subject.cloud else sampling.count
        text = f"{count:,} points"
        if self.entry.ignore_normals or not metadata.get("normals", True):
            text += " without normals"
        if sampling.noise and not self.subject.cloud:
            text += f", noise {100 * sampling.noise:g} %"
        return text

    @property
    def seeds_remark(self) -> str:
        """How many of the seeds failed; "" if there is one seed and it did not."""
        count = len(self.records)
        if count == 1:
            return "too far from the source" if self.failed and self.made else ""
        return f"{self.failed} of {count} seeds failed"

    def values(self, value: Value) -> list[float]:
        """The values of all seeds that have one."""
        values = (value(record, self.subject) for record in self.made)
        return [number for number in values if number is not None]

    def median(self, value: Value) -> float | None:
        values = self.values(value)
        return statistics.median(values) if values else None

    @property
    def shown(self) -> Record | None:
        """The record whose mesh is drawn: that of the median distance."""
        made = sorted(self.made, key=distance)
        return made[(len(made) - 1) // 2] if made else None


def distance(record: Record) -> float:
    """The distance that ranks rows, world units: between surfaces, or of a scan to the surface."""
    measures = record["measures"]
    if "chamfer_l1_triangles" in measures:
        return float(measures["chamfer_l1_triangles"])
    return float(measures["one_sided_scan_chamfer"])


def distance_error(row: Row) -> float:
    """Standard error of the row's distance: of the sampling, or over seeds if that is larger."""
    name = "one_sided_scan_chamfer" if row.subject.cloud else "chamfer_l1_triangles"
    sampling = statistics.median(float(r["measures"][f"{name}_error"]) for r in row.made)
    if len(row.made) < 2:
        return sampling
    seeds = statistics.stdev(map(distance, row.made)) / len(row.made) ** 0.5
    return float(max(sampling, seeds))


def rows_of(result: BatchResult) -> list[Row]:
    """The rows of a batch in the order of its config, shape by shape."""
    together: dict[tuple[str, str, Budget], list[tuple[Cell, Record]]] = {}
    for cell, record in zip(result.cells, result.records, strict=True):
        key = (cell.subject.name, cell.entry.label, cell.budget)
        together.setdefault(key, []).append((cell, record))
    return [
        Row(
            pairs[0][0].subject,
            pairs[0][0].entry,
            pairs[0][0].budget,
            tuple(record for _, record in pairs),
            result.run.failed_above / 100,
        )
        for pairs in together.values()
    ]


def of_subject(rows: Sequence[Row], subject: Subject) -> list[Row]:
    """The rows of one shape."""
    return [row for row in rows if row.subject.name == subject.name]


def final_rows(rows: Sequence[Row]) -> list[Row]:
    """Of every entry on a shape the row with its last, largest budget."""
    last = {(row.subject.name, row.entry.label): row for row in rows}
    return [row for row in rows if last[row.subject.name, row.entry.label] is row]


def by_input(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows that compete, by the kind of their input, in the order in which that first occurs."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.entry.input_kind, []).append(row)
    return groups
