"""Tables of the page: best in bold among those given as much, protocols on hover and below."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from html import escape

from eval.batch_report.columns import Column, best
from eval.batch_report.published import DIFFERENCE, Published
from eval.batch_report.rows import Row, by_field
from eval.batch_report.standing import OVERVIEW, OVERVIEW_NOTE, best_standing
from eval.batch_report.tables import seeds_words
from eval.batch_report.verdict import Standing


def shape_table(
    rows: Sequence[Row],
    columns: Sequence[Column],
    notes: Mapping[str, int],
    colors: Mapping[str, str],
) -> str:
    """The results of a shape, one line for each row, failures too.

    Parameters
    ----------
    notes : numbers of the columns' protocols in the list at the end of the page.
    colors : CSS colors of the contenders by their labels.
    """
    groups = [(name, len(list(own))) for name, own in itertools.groupby(c.group for c in columns)]
    starts = set(itertools.accumulate((count for _, count in groups), initial=0))
    edges = ["edge" if at in starts else "" for at in range(len(columns))]
    kinds = "".join(
        f'<th colspan="{count}" class="edge">{escape(name)}</th>' for name, count in groups
    )
    heads = "".join(
        _head(column, notes[column.name], edge) for column, edge in zip(columns, edges, strict=True)
    )
    body = []
    fields = by_field(rows)
    for field, rivals in fields.items():
        if len(fields) > 1:
            words = f"Given {field}" + (": no rival" if len(rivals) == 1 else "")
            body.append(
                f'<tr class="field"><td>{escape(words)}</td><td colspan="{len(columns)}"></td></tr>'
            )
        marks = [best(column, rivals) for column in columns]
        body += [_line(row, columns, marks, edges, colors) for row in rivals]
    return (
        f'<div class="scroll"><table><thead><tr class="kind"><th></th>{kinds}</tr>'
        f"<tr><th>contender</th>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def overview_table(standings: Sequence[Standing], colors: Mapping[str, str]) -> str:
    """Every contender over all shapes."""
    heads = "".join(f"<th>{escape(column.title)} {column.arrow}</th>" for column in OVERVIEW)
    lines = []
    for standing in standings:
        rivals = [other for other in standings if other.given == standing.given]
        cells = "".join(
            _cell(column.text(standing), best_standing(column, rivals)) for column in OVERVIEW
        )
        label = standing.contender.label
        lines.append(
            f"<tr><td>{dot(colors[label])}{escape(label)}</td>"
            f'<td class="words">{escape(standing.given)}</td>'
            f"{cells}</tr>"
        )
    return (
        '<div class="scroll"><table><thead><tr><th>contender</th><th class="words">given</th>'
        f"{heads}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
        f'<p class="soft small measure">{escape(OVERVIEW_NOTE)}</p>'
    )


def published_table(figures: Sequence[Published]) -> str:
    """What papers state for a scan, and why it can't simply be set beside the above."""
    lines = []
    for figure in figures:
        scan = [f"{value:.2f}" for value in figure.scan] if figure.scan else ["-", "-"]
        truth = [f"{value:.2f}" for value in figure.truth]
        cells = "".join(f"<td>{text}</td>" for text in (*scan, *truth))
        given = "points" if figure.normals else "points without normals"
        lines.append(
            f'<tr><td>{escape(figure.system)}</td><td class="words">{given}</td>{cells}</tr>'
        )
    heads = ("scan, mean ↓", "scan, max ↓", "truth, Chamfer-L1 ↓", "truth, Hausdorff ↓")
    return (
        "<h3>As published</h3>"
        '<div class="scroll"><table><thead><tr><th>system</th><th class="words">given</th>'
        f"{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
        f'<p class="soft small measure">{escape(DIFFERENCE)}</p>'
    )


def dot(color: str) -> str:
    """The mark of a contender."""
    return f'<span class="dot" style="background:{color}"></span>'


def _head(column: Column, note: int, edge: str) -> str:
    return (
        f'<th class="{edge}"><abbr title="{escape(column.protocol)}">{escape(column.title)}</abbr>'
        f' {column.arrow}<sup><a href="#note-{note}">{note}</a></sup></th>'
    )


def _line(
    row: Row,
    columns: Sequence[Column],
    marks: Sequence[str | None],
    edges: Sequence[str],
    colors: Mapping[str, str],
) -> str:
    name = f"{dot(colors[row.contender.label])}{escape(row.label)}"
    remark = seeds_words(row)
    if remark:
        kind = "remark bad" if row.failed else "remark"
        name += f'<span class="{kind}">{escape(remark)}</span>'
    hint = escape("; ".join(filter(None, (f"given {row.given}", *_notes(row)))))
    first = f'<td title="{hint}">{name}</td>'
    if not row.made:
        reasons = escape(" ".join(row.failures))
        return f'<tr>{first}<td class="fail" colspan="{len(columns)}">{reasons}</td></tr>'
    cells = []
    for column, mark, edge in zip(columns, marks, edges, strict=True):
        text = column.text(row.median(column.value))
        values = [column.text(value) for value in sorted(row.values(column.value))]
        spread = (
            f"median of {len(values)} seeds, {values[0]} to {values[-1]}" if len(values) > 1 else ""
        )
        cells.append(_cell(text, mark, edge, spread))
    return f"<tr>{first}{''.join(cells)}</tr>"


def _notes(row: Row) -> list[str]:
    return list(dict.fromkeys(note for record in row.made for note in record["notes"]))


def _cell(text: str, mark: str | None, edge: str = "", hint: str = "") -> str:
    kind = "best" if text == mark else "none" if text == "-" else ""
    names = " ".join(filter(None, (kind, edge)))
    title = f' title="{escape(hint)}"' if hint else ""
    return f'<td class="{names}"{title}>{escape(text)}</td>'
