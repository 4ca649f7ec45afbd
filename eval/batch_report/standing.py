"""The overview over all shapes: what it shows of each contender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.batch_report.columns import ARROWS, Better, distance_percent, measure, seconds
from eval.batch_report.rows import Row, Value
from eval.batch_report.verdict import Standing
from eval.experiment.subjects import Subject
from eval.runs import Record

OVERVIEW_NOTE = (
    "Medians over shapes, a shape without a mesh counting as the worst. Distance: the one that "
    "rows are ranked by, exact Chamfer of meshes and mean scan distance of clouds. Usable: shapes "
    "on which no seed failed. Nearest: shapes on which the contender was nearest to the source "
    "among those given as much; after the plus sign those on which others were as near within the "
    "sampling error. Bold: best among those given as much."
)


@dataclass(frozen=True)
class OverviewColumn:
    """One column of the overview."""

    title: str
    better: Better
    value: Callable[[Standing], float | None]
    text: Callable[[Standing], str]

    @property
    def arrow(self) -> str:
        return ARROWS[self.better]


def best_standing(column: OverviewColumn, rivals: Sequence[Standing]) -> str | None:
    """How the best value among rivals is printed; None where nothing can be best: all alike."""
    values = [(value, s) for s in rivals if (value := column.value(s)) is not None]
    if len({column.text(rival) for rival in rivals}) < 2:
        return None
    pick = min if column.better == "lower" else max
    return column.text(pick(values, key=lambda pair: pair[0])[1])


def _median(title: str, value: Value, form: str) -> OverviewColumn:
    def of(standing: Standing) -> float | None:
        return standing.median(lambda row: row.median(value))

    def text(standing: Standing) -> str:
        middle = of(standing)
        return "-" if middle is None else format(middle, form)

    return OverviewColumn(title, "lower", of, text)


def _normal(record: Record, subject: Subject) -> float | None:
    """Of a mesh or of a scan, whichever the shape is."""
    keys = ("scan_normal_error_degrees",) if subject.cloud else ("normal_error_degrees", "mean")
    return measure(*keys)(record, subject)


def _watertight(row: Row) -> bool:
    return bool(row.made) and all(record["measures"]["watertight"] for record in row.made)


def _nearest(standing: Standing) -> str:
    if standing.rivals < 2:
        return "no rival"
    return f"{standing.wins}" + (f" + {standing.ties}" if standing.ties else "")


OVERVIEW = (
    _median("distance (% diag)", distance_percent, ".4f"),
    _median("normal error (°)", _normal, ".2f"),
    OverviewColumn(
        "watertight",
        "higher",
        lambda s: sum(map(_watertight, s.rows)) / s.shapes,
        lambda s: f"{sum(map(_watertight, s.rows))} of {s.shapes}",
    ),
    _median("seconds", seconds, ".1f"),
    OverviewColumn(
        "usable", "higher", lambda s: s.made / s.shapes, lambda s: f"{s.made} of {s.shapes}"
    ),
    OverviewColumn("nearest", "higher", lambda s: s.wins + s.ties / 2, _nearest),
)
