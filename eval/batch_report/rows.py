"""Lines of a table: a contender with one budget on one shape, all its seeds together."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.experiment.cell import Cell, budget_words
from eval.experiment.run import Finished
from eval.experiment.settings import Contender
from eval.experiment.subjects import Subject
from eval.methods import Budget
from eval.runs import Record

# What of a record a column shows; None where it says nothing.
Value = Callable[[Record, Subject], float | None]


@dataclass(frozen=True)
class Row:
    """The records of a contender's seeds.

    Parameters
    ----------
    failed_above : share of the diagonal; a mesh farther from its source counts as failed.
    """

    subject: Subject
    contender: Contender
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
    def failed(self) -> int:
        """Runs without a mesh, or with one too far from the source."""
        limit = self.failed_above * self.subject.diagonal
        return sum(r["failure"] is not None or distance(r) > limit for r in self.records)

    @property
    def label(self) -> str:
        """The contender, and its budget if it has several."""
        words = budget_words(self.budget) if len(self.contender.budgets) > 1 else ""
        return ", ".join(filter(None, (self.contender.label, words)))

    @property
    def given(self) -> str:
        """What the method was given, in words."""
        if not self.subject.cloud and self.contender.input == "mesh":
            return "the mesh"
        drawing = self.contender.points
        count = self.subject.facts["points"] if self.subject.cloud else drawing.count
        words = f"{count:,} points"
        if self.contender.ignore_normals or not self.subject.facts.get("normals", True):
            words += " without normals"
        if drawing.noise and not self.subject.cloud:
            words += f", noise {100 * drawing.noise:g} %"
        return words

    def values(self, value: Value) -> list[float]:
        """Of every seed that has it."""
        found = (value(record, self.subject) for record in self.made)
        return [number for number in found if number is not None]

    def median(self, value: Value) -> float | None:
        values = self.values(value)
        return statistics.median(values) if values else None

    @property
    def shown(self) -> Record | None:
        """The record whose mesh is drawn: the one in the middle by distance."""
        made = sorted(self.made, key=distance)
        return made[(len(made) - 1) // 2] if made else None


def distance(record: Record) -> float:
    """What rows are ranked by, world units: between surfaces, or of a scan to the surface."""
    measures = record["measures"]
    if "chamfer_l1_triangles" in measures:
        return float(measures["chamfer_l1_triangles"])
    return float(measures["one_sided_scan_chamfer"])


def distance_error(row: Row) -> float:
    """Standard error of the row's distance: of the sampling, or over seeds if that is more."""
    name = "one_sided_scan_chamfer" if row.subject.cloud else "chamfer_l1_triangles"
    sampling = statistics.median(float(r["measures"][f"{name}_error"]) for r in row.made)
    if len(row.made) < 2:
        return sampling
    seeds = statistics.stdev(map(distance, row.made)) / len(row.made) ** 0.5
    return float(max(sampling, seeds))


def rows_of(finished: Finished) -> list[Row]:
    """The rows of a run in the order of its config, shape by shape."""
    together: dict[tuple[str, str, Budget], list[tuple[Cell, Record]]] = {}
    for cell, record in zip(finished.cells, finished.records, strict=True):
        key = (cell.subject.name, cell.contender.label, cell.budget)
        together.setdefault(key, []).append((cell, record))
    return [
        Row(
            pairs[0][0].subject,
            pairs[0][0].contender,
            pairs[0][0].budget,
            tuple(record for _, record in pairs),
            finished.run.failed_above / 100,
        )
        for pairs in together.values()
    ]


def of_subject(rows: Sequence[Row], subject: Subject) -> list[Row]:
    """The rows of one shape."""
    return [row for row in rows if row.subject.name == subject.name]


def field_of(contender: Contender) -> str:
    """What the contender is given; only contenders of one field compete."""
    if contender.input == "mesh":
        return "the mesh"
    return "points without normals" if contender.ignore_normals else "points"


def by_field(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by what they were given, in the order in which that comes up."""
    fields: dict[str, list[Row]] = {}
    for row in rows:
        fields.setdefault(field_of(row.contender), []).append(row)
    return fields
