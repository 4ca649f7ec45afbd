"""The report of a batch as Markdown: summary, overview, a table for every shape, protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from eval.pictures.comparison import Shown
from eval.report.escape import markdown_text
from eval.report.model import BatchReport, Heading, Line, Results, Section, Strip, Value
from eval.report.published import DIFFERENCE
from eval.report.table import Column, Table


def markdown_report(report: BatchReport, folder: Path) -> str:
    """The report as text.

    Parameters
    ----------
    folder : of the text; pictures are linked relative to it.
    """
    blocks = [
        f"# {markdown_text(report.title)}",
        *(f"**STAND-IN.** {markdown_text(notice)}" for notice in report.notices),
        "\n".join(map(markdown_text, report.summary)),
        _listed(map(markdown_text, map(str, report.claims))),
        "## All shapes",
        _results(report.overview),
        markdown_text(report.overview_note),
        *(block for section in report.sections for block in _section(section, folder)),
        "## How it was measured",
        _listed(f"**{markdown_text(t)}**: {markdown_text(p)}" for t, p in report.protocols),
        "## Where",
        _listed(map(markdown_text, report.provenance)),
    ]
    return "\n\n".join(block.rstrip() for block in blocks if block) + "\n"


def _section(section: Section, folder: Path) -> list[str]:
    stand_in = f" (stand-in for {section.stands_in_for})" if section.stands_in_for else ""
    blocks = [f"## {markdown_text(section.title + stand_in)}", markdown_text(section.source)]
    if section.strip is not None:
        blocks += _strip(section.strip, folder)
    blocks.append(_results(section.results, Column("remark", _remark, left=True)))
    if section.published is not None:
        blocks += ["Published:", section.published.markdown(), DIFFERENCE]
    return blocks


def _results(results: Results, *more: Column[Line]) -> str:
    columns: list[Column[Line]] = [
        Column("method", lambda line: line.label, left=True),
        Column("given", lambda line: line.given, left=True),
        *(_value_column(heading, index) for index, heading in enumerate(results.headings)),
        *more,
    ]
    return Table(columns, results.lines, emphasized=_is_best).markdown()


def _value_column(heading: Heading, index: int) -> Column[Line]:
    return Column(str(heading), lambda line: line.values[index])


def _is_best(line: Line, column: Column[Line]) -> bool:
    value = column.value(line)
    return isinstance(value, Value) and value.best


def _remark(line: Line) -> str:
    return " ".join(filter(None, (line.remark, line.failure)))


def _strip(strip: Strip, folder: Path) -> list[str]:
    """A table of pictures: whole, closer, and colored by the distance to the source."""

    def links(pictures: Shown) -> Callable[[str], str]:
        def link(name: str) -> str:
            file: Path | None = getattr(pictures, name)
            return f"![]({quote(file.relative_to(folder).as_posix())})" if file else ""

        return link

    columns = [Column("source", links(strip.source), left=True, markup=True)]
    columns += [
        Column(entry.label, links(entry.pictures), left=True, markup=True)
        for entry in strip.entries
        if entry.pictures
    ]
    table = Table(columns, ("whole", "near", "errors")).markdown()
    scale = strip.scale
    if scale is None:
        return [table]
    ends = f"from {scale.low:g} or less (pale) to {scale.high:g} or more (dark) {scale.unit}"
    return [table, f"Below: distance to the source, {ends}, logarithmic."]


def _listed(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
