"""The overview over all shapes: how each method entry did, beside those with the same input."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from eval.benchmark.settings import Entry
from eval.benchmark.subjects import Subject
from eval.report.quantities import Better, distance_percent, measured, seconds
from eval.report.rows import Row, Value, by_input, distance_error, final_rows, of_subject
from eval.report.table import MISSING
from eval.runs.records import Record

# Distances that differ by less than this many standard errors of the sampling are equal.
_TIE = 2.0
OVERVIEW_NOTE = (
    "Medians over shapes, a shape without a mesh counting as the worst. Distance: the one that "
    "ranks rows, exact Chamfer of meshes and mean scan distance of clouds. Usable: shapes on which "
    "no seed failed. Nearest: shapes on which the method was nearest to the source among those "
    "with the same input; after the plus sign those on which others were as near within the "
    "sampling error. Bold: best among those with the same input; what mostly failed is never bold."
)


@dataclass(frozen=True)
class Standing:
    """How an entry did over all shapes, beside those with the same input.

    Parameters
    ----------
    competitors : number of entries with the same kind of input, itself included.
    shapes, usable : shapes it ran on; those on which every seed gave a usable mesh.
    wins, ties : shapes on which it was nearest alone; on which others were as near.
    rows : the last one of each shape.
    """

    entry: Entry
    competitors: int
    shapes: int
    usable: int
    wins: int
    ties: int
    rows: tuple[Row, ...]

    @property
    def input_kind(self) -> str:
        return self.entry.input_kind

    @property
    def competes(self) -> bool:
        """Whether the entry can be best at anything: it did not fail on most shapes."""
        return 2 * sum(row.competes for row in self.rows) >= len(self.rows)

    def median(self, value: Value) -> float | None:
        """Over shapes; a shape without a mesh counts as the worst, so None if most are such."""
        medians = [row.median(value) for row in self.rows]
        middle = statistics.median(math.inf if number is None else number for number in medians)
        return None if middle == math.inf else middle


def nearest(rows: Sequence[Row]) -> list[Row]:
    """The rows nearest to the source: the best, and those as near within the sampling error."""
    made = [row for row in rows if row.made and row.competes]
    if not made:
        return []

    def away(row: Row) -> float:
        percents = row.median(distance_percent)
        assert percents is not None
        return percents * row.subject.diagonal / 100

    first = min(made, key=away)
    return [
        row
        for row in made
        if away(row) - away(first) <= _TIE * math.hypot(distance_error(row), distance_error(first))
    ]


def standings(rows: Sequence[Row]) -> list[Standing]:
    """Every entry over all its shapes, in the order of the config."""
    final = final_rows(rows)
    entries = {row.entry.label: row.entry for row in final}
    subjects = {row.subject.name: row.subject for row in final}
    kinds = [entry.input_kind for entry in entries.values()]
    wins, ties = dict.fromkeys(entries, 0), dict.fromkeys(entries, 0)
    for subject in subjects.values():
        for competitors in by_input(of_subject(final, subject)).values():
            best = nearest(competitors) if len(competitors) > 1 else []
            for row in best:
                (wins if len(best) == 1 else ties)[row.entry.label] += 1
    result = []
    for label, entry in entries.items():
        of_entry = tuple(row for row in final if row.entry.label == label)
        usable = sum(not row.failed for row in of_entry)
        result.append(
            Standing(
                entry,
                kinds.count(entry.input_kind),
                len(of_entry),
                usable,
                wins[label],
                ties[label],
                of_entry,
            )
        )
    return result


# Titles of the columns of the overview, and which values are best.
COLUMNS: tuple[tuple[str, Better], ...] = (
    ("distance (% diag)", "lower"),
    ("normal error (°)", "lower"),
    ("watertight", "higher"),
    ("seconds", "lower"),
    ("usable", "higher"),
    ("nearest", "higher"),
)


def overview_values(standing: Standing) -> list[tuple[float | None, str]]:
    """For each column the number that ranks a standing, and its text."""
    s = standing
    made = [row.made for row in s.rows if row.made]
    closed = sum(all(record["measures"]["watertight"] for record in records) for records in made)
    nearest_text = f"{s.wins}" + (f" + {s.ties}" if s.ties else "")
    return [
        _with_text(s.median(distance_percent), ".4f"),
        _with_text(s.median(_normal_error), ".2f"),
        (closed / s.shapes, f"{closed} of {s.shapes}"),
        _with_text(s.median(seconds), ".1f"),
        (s.usable / s.shapes, f"{s.usable} of {s.shapes}"),
        (s.wins + s.ties / 2, nearest_text if s.competitors > 1 else "no other"),
    ]


def _with_text(number: float | None, form: str) -> tuple[float | None, str]:
    return number, MISSING if number is None else format(number, form)


def _normal_error(record: Record, subject: Subject) -> float | None:
    name = "scan_normal_error_degrees" if subject.cloud else "normal_error_degrees"
    return measured(name)(record, subject)
