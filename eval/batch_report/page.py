"""One page about a batch: summary, pictures, tables, plots, protocols; needs only a browser."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from eval.batch_report.columns import Column, columns_for, distance_percent, seconds
from eval.batch_report.html_table import dot, overview_table, published_table, shape_table
from eval.batch_report.pictures import ZOOM, ShapePictures, Shown
from eval.batch_report.plots import Series, log_plot
from eval.batch_report.published import published_for
from eval.batch_report.rows import Row, of_subject
from eval.batch_report.style import COLORS, STYLE
from eval.batch_report.tables import provenance, source_words, stand_in_notices
from eval.batch_report.verdict import Claim, claims, final_rows, standings, summary
from eval.experiment.run import Finished
from eval.experiment.subjects import Subject


def html_page(
    finished: Finished, rows: Sequence[Row], pictures: Mapping[str, ShapePictures], command: str
) -> str:
    """The page as a text without any reference outside of itself.

    Parameters
    ----------
    pictures : by the names of the shapes.
    command : that makes the run again.
    """
    subjects = [s for s in finished.subjects if of_subject(rows, s)]
    labels = dict.fromkeys(row.contender.label for row in rows)
    colors = {label: f"var(--c{at % COLORS})" for at, label in enumerate(labels)}
    shown: dict[str, Column] = {}
    for subject in subjects:
        for column in columns_for(of_subject(rows, subject), finished):
            shown.setdefault(column.name, column)
    notes = {name: number for number, name in enumerate(shown, 1)}
    body = [
        f"<h1>{escape(finished.run.title)}</h1>",
        *(
            f'<p class="notice"><b>Note.</b> {escape(notice)}</p>'
            for notice in stand_in_notices(finished)
        ),
        f'<p class="lead">{escape(" ".join(summary(rows)))}</p>',
        overview_table(standings(rows), colors),
        _claims(claims(rows)),
        "<nav>",
        *(f'<a href="#{escape(s.name)}">{escape(s.title)}</a>' for s in subjects),
        '<a href="#protocol">How it was measured</a></nav>',
    ]
    for subject in subjects:
        body.append(
            _shape(
                subject,
                of_subject(rows, subject),
                finished,
                pictures.get(subject.name),
                notes,
                colors,
            )
        )
    body.append(_protocol(shown.values(), finished, command))  # type: ignore[arg-type]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(finished.run.title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{chr(10).join(body)}\n</main></body></html>\n"
    )


def _claims(found: Sequence[Claim]) -> str:
    if not found:
        return ""
    entries = "".join(
        f"<li><b>{escape(claim.statement)}.</b> {escape(claim.evidence)}</li>" for claim in found
    )
    return (
        "<h3>What the MINER paper claims of MINER and Poisson, held against this run</h3>"
        f'<ul class="claims">{entries}</ul>'
    )


def _shape(
    subject: Subject,
    rows: Sequence[Row],
    finished: Finished,
    pictures: ShapePictures | None,
    notes: Mapping[str, int],
    colors: Mapping[str, str],
) -> str:
    chip = (
        f' <span class="chip warn">stand-in for {escape(" and ".join(subject.wanted))}</span>'
        if subject.stand_in
        else ""
    )
    parts = [
        f'<section id="{escape(subject.name)}">',
        f'<div class="heading"><h2>{escape(subject.title)}</h2>{chip}</div>',
        f'<p class="soft small measure">{escape(source_words(subject))}</p>',
    ]
    if pictures is not None:
        parts.append(_strip(pictures, final_rows(rows), colors))
    parts.append(shape_table(rows, columns_for(rows, finished), notes, colors))
    if finished.run.published == "srb" and subject.cloud:
        figures = published_for(subject.name)
        parts.append(published_table(figures) if figures else "")
    parts.append(_plot(rows, colors))
    return "\n".join([*parts, "</section>"])


def _strip(pictures: ShapePictures, rows: Sequence[Row], colors: Mapping[str, str]) -> str:
    """The source and every contender side by side, each from the whole down to its errors."""
    scale = pictures.scale
    bar = ""
    if scale is not None:
        ticks = "".join(
            f'<span style="left:{100 * at:.1f}%">{escape(text)}</span>' for at, text in scale.ticks
        )
        bar = (
            f'<div class="bar" style="background:{scale.gradient}"></div>'
            f'<div class="ticks">{ticks}</div>'
            f"<figcaption>Below each contender: distance of its surface to the source, in "
            f"{escape(scale.unit)}, logarithmic; one scale for all.</figcaption>"
        )
    figures = [
        '<figure><div class="name"><span>Source</span></div>'
        f"{_picture(pictures.source.whole, 'The source')}<figcaption></figcaption>"
        f"{_picture(pictures.source.near, 'The source, closer')}"
        f"<figcaption>{ZOOM:g} times closer, where the contenders differ most.</figcaption>"
        f"{bar}</figure>"
    ]
    figures += [_figure(row, pictures.of(row), pictures.source, colors) for row in rows]
    return f'<div class="strip">{"".join(figures)}</div>'


def _figure(row: Row, shown: Shown | None, source: Shown, colors: Mapping[str, str]) -> str:
    label = f"{dot(colors[row.contender.label])}{escape(row.label)}"
    name = f'<div class="name"><span>{label}</span></div>'
    if shown is None:
        width, height = _size(source.whole)
        reason = escape(" ".join(row.failures) or "no mesh")
        return (
            f'<figure>{name}<div class="none" style="aspect-ratio:{width}/{height}">{reason}</div>'
            "</figure>"
        )
    away = row.median(distance_percent)
    time = row.median(seconds)
    what = escape(row.label)
    errors = _picture(shown.errors, f"{what}, distance to the source") if shown.errors else ""
    return (
        f"<figure>{name}{_picture(shown.whole, what)}"
        f"<figcaption>{away:.3g} % of the diagonal away, {time:.3g} s</figcaption>"
        f"{_picture(shown.near, f'{what}, closer')}<figcaption></figcaption>{errors}</figure>"
    )


def _picture(path: Path, words: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    width, height = _size(path)
    return (
        f'<img src="data:image/webp;base64,{data}" alt="{words}" width="{width}" '
        f'height="{height}" tabindex="0">'
    )


def _size(path: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(path) as picture:
        return picture.size


def _plot(rows: Sequence[Row], colors: Mapping[str, str]) -> str:
    """Distance over seconds; a contender with several budgets is a line."""
    series = []
    for label, color in colors.items():
        points = []
        for row in rows:
            time, away = row.median(seconds), row.median(distance_percent)
            if row.contender.label == label and time and away:
                points.append((time, away, f"{row.label}, {away:.4g} % in {time:.3g} s"))
        if points:
            series.append(Series(label, tuple(sorted(points)), color))
    if len([point for line in series for point in line.points]) < 2:
        return ""
    name = "scan distance (% diag)" if rows[0].subject.cloud else "exact Chamfer (% diag)"
    legend = "".join(f"<span>{dot(line.color)}{escape(line.label)}</span>" for line in series)
    return (
        f"<h3>Quality over time</h3>{log_plot(series, x='seconds in all', y=name)}"
        f'<div class="legend">{legend}</div>'
    )


def _protocol(columns: Sequence[Column], finished: Finished, command: str) -> str:
    notes = "".join(
        f'<li id="note-{number}"><b>{escape(column.title)}.</b> {escape(column.protocol)}</li>'
        for number, column in enumerate(columns, 1)
    )
    facts = "".join(f"<li>{escape(line)}</li>" for line in provenance(finished))
    return (
        '<section id="protocol"><h2>How it was measured</h2>'
        '<p class="soft measure">All of it on the mesh as read back from the file that was '
        "written, each reconstruction in a process of its own. Best in bold, among those given as "
        f'much; ↓ lower is better, ↑ higher.</p><ol class="protocol">{notes}</ol>'
        f'<h3>Where and with what</h3><ul class="facts">{facts}'
        f"<li>Again: <code>{escape(command)}</code></li></ul></section>"
    )
