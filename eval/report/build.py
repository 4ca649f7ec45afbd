"""Build the report of a batch from its records: every table and sentence is made once, here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.benchmark.run import BatchResult
from eval.pictures.comparison import ZOOM
from eval.report.model import (
    BatchReport,
    Group,
    Heading,
    Line,
    Portrait,
    Results,
    Section,
    Strip,
    Value,
)
from eval.report.overview import COLUMNS, OVERVIEW_NOTE, Standing, overview_values, standings
from eval.report.plot import LogPlot, Point, Series, log_plot
from eval.report.provenance import notices, provenance, source_text
from eval.report.published import published_table
from eval.report.quantities import (
    ARROWS,
    Quantity,
    all_quantities,
    best_of_rows,
    best_text,
    distance_percent,
    seconds,
    with_values,
)
from eval.report.rows import Row, by_input, final_rows, of_subject
from eval.report.runs_table import runs_table
from eval.report.shape_pictures import ShapePictures
from eval.report.verdict import claims, summary


def build_report(
    result: BatchResult,
    rows: Sequence[Row],
    pictures: Mapping[str, ShapePictures],
    command: str,
) -> BatchReport:
    """The report of a batch.

    Parameters
    ----------
    rows : of the result.
    pictures : of the rows with meshes, by the names of the shapes.
    command : runs the batch again.
    """
    quantities = all_quantities(result)
    labels = dict.fromkeys(row.entry.label for row in rows)
    by_shape = {subject.name: of_subject(rows, subject) for subject in result.subjects}
    by_shape = {name: of_shape for name, of_shape in by_shape.items() if of_shape}
    shown = {name: with_values(quantities, of_shape) for name, of_shape in by_shape.items()}
    noted = list(dict.fromkeys(quantity for each in shown.values() for quantity in each))
    builder = _Builder(
        {label: color for color, label in enumerate(labels)},
        {quantity: number for number, quantity in enumerate(noted, 1)},
        srb=result.run.published == "srb",
    )
    sections = [
        builder.section(by_shape[name], shown[name], pictures.get(name)) for name in by_shape
    ]
    entries = standings(rows)
    return BatchReport(
        title=result.run.title,
        command=command,
        notices=tuple(notices(result)),
        summary=tuple(summary(rows, entries)),
        overview=builder.overview(entries),
        overview_note=OVERVIEW_NOTE,
        claims=tuple(claims(rows)),
        sections=tuple(sections),
        protocols=tuple((q.title, q.protocol) for q in noted),
        provenance=tuple(provenance(result)),
        runs=runs_table(result, quantities),
    )


@dataclass(frozen=True)
class _Builder:
    """Makes the parts of a report.

    Parameters
    ----------
    colors : numbers of the colors of the entries, by their labels.
    notes : numbers of the quantities in the list of protocols.
    srb : whether published figures stand beside scans of the Surface Reconstruction Benchmark.
    """

    colors: Mapping[str, int]
    notes: Mapping[Quantity, int]
    srb: bool

    def overview(self, entries: Sequence[Standing]) -> Results:
        """Every entry over all shapes."""
        values = {standing.entry.label: overview_values(standing) for standing in entries}
        lines = []
        for standing in entries:
            label, input_kind = standing.entry.label, standing.input_kind
            competitors = [
                [(number if s.competes else None, text) for number, text in values[s.entry.label]]
                for s in entries
                if s.input_kind == input_kind
            ]
            best = [
                best_text(better, each)
                for (_, better), each in zip(COLUMNS, zip(*competitors, strict=True), strict=True)
            ]
            cells = [
                Value(text, standing.competes and text == mark)
                for (_, text), mark in zip(values[label], best, strict=True)
            ]
            lines.append(Line(label, self.colors[label], input_kind, tuple(cells)))
        headings = tuple(Heading(title, ARROWS[better]) for title, better in COLUMNS)
        return Results(headings, (Group("", tuple(lines)),))

    def section(
        self, rows: Sequence[Row], quantities: Sequence[Quantity], pictures: ShapePictures | None
    ) -> Section:
        """The part on one shape."""
        subject, strip = rows[0].subject, None
        if pictures is not None:
            portraits = tuple(self._portrait(row, pictures) for row in final_rows(rows))
            strip = Strip(pictures.source, portraits, ZOOM, pictures.scale)
        return Section(
            name=subject.name,
            title=subject.title,
            stands_in_for=" and ".join(subject.stands_in_for),
            source=source_text(subject),
            strip=strip,
            results=self._results(rows, quantities),
            published=published_table(subject.name) if self.srb and subject.cloud else None,
            plot=self._plot(rows),
        )

    def _results(self, rows: Sequence[Row], quantities: Sequence[Quantity]) -> Results:
        headings = tuple(
            Heading(q.title, ARROWS[q.better], q.group, self.notes[q], q.protocol)
            for q in quantities
        )
        groups = []
        inputs = by_input(rows)
        for name, competitors in inputs.items():
            best = [best_of_rows(quantity, competitors) for quantity in quantities]
            title = f"Given {name}" + (": no other method" if len(competitors) == 1 else "")
            lines = tuple(self._line(row, quantities, best) for row in competitors)
            groups.append(Group(title if len(inputs) > 1 else "", lines))
        return Results(headings, tuple(groups))

    def _line(self, row: Row, quantities: Sequence[Quantity], best: Sequence[str | None]) -> Line:
        values = []
        for quantity, mark in zip(quantities, best, strict=True):
            text = quantity.median(row)
            each = [quantity.text(number) for number in sorted(row.values(quantity.value))]
            spread = f"median of {len(each)} seeds, {each[0]} to {each[-1]}" if each[1:] else ""
            values.append(Value(text, row.competes and text == mark, spread))
        notes = dict.fromkeys(note for record in row.made for note in record["notes"])
        return Line(
            row.label,
            self.colors[row.entry.label],
            row.given,
            tuple(values),
            remark=row.seeds_remark,
            failed=bool(row.failed),
            failure=" ".join(row.failures),
            made=bool(row.made),
            notes=tuple(notes),
        )

    def _portrait(self, row: Row, pictures: ShapePictures) -> Portrait:
        color, shown = self.colors[row.entry.label], pictures.of(row)
        if shown is None:
            return Portrait(row.label, color, None, failure=" ".join(row.failures) or "no mesh")
        away, time = row.median(distance_percent), row.median(seconds)
        caption = f"{away:.3g} % of the diagonal away, {time:.3g} s"
        return Portrait(row.label, color, shown, caption)

    def _plot(self, rows: Sequence[Row]) -> LogPlot | None:
        """Distance over seconds; an entry with several budgets is a line."""
        series = []
        for label, color in self.colors.items():
            points = []
            for row in rows:
                time, away = row.median(seconds), row.median(distance_percent)
                if row.entry.label == label and time and away:
                    text = f"{row.label}, {away:.4g} % in {time:.3g} s"
                    points.append(Point(time, away, text))
            if points:
                ordered = sorted(points, key=lambda point: (point.x, point.y))
                series.append(Series(label, tuple(ordered), color))
        if sum(len(line.points) for line in series) < 2:
            return None
        distance = "scan distance" if rows[0].subject.cloud else "exact Chamfer"
        return log_plot(series, x="seconds in all", y=f"{distance} (% diag)")
