"""The results as CSV, one line a run, and as Markdown, one table a shape."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.batch_report.columns import Column, all_columns, best, columns_for
from eval.batch_report.pictures import ShapePictures
from eval.batch_report.published import DIFFERENCE, Published, published_for
from eval.batch_report.rows import Row, by_field, of_subject
from eval.batch_report.standing import OVERVIEW, OVERVIEW_NOTE, best_standing
from eval.batch_report.verdict import claims, standings, subject_words, summary
from eval.experiment.run import Finished
from eval.experiment.subjects import Subject


def csv_table(finished: Finished) -> str:
    """One line for every run, failures among them; a column that says nothing of it is empty."""
    columns = all_columns(finished)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    facts = ("method", "preset", "input", "ignore_normals", "resolution", "seed")
    head = ["shape", "stand_in_for", "contender", *facts, "budget_seconds", "budget_steps"]
    names = (column.name for column in columns)
    writer.writerow([*head, "points", "failure", *names, "jobs", "mesh"])
    for cell, record in zip(finished.cells, finished.records, strict=True):
        made = record["failure"] is None
        known = record["cell"]
        values = [column.value(record, cell.subject) if made else None for column in columns]
        writer.writerow(
            [cell.subject.name, " and ".join(cell.subject.wanted), cell.contender.label]
            + [known[name] for name in facts]
            + [known["budget"]["seconds"], known["budget"]["steps"]]
            + [(known["points"] or {}).get("count"), record["failure"]]
            + [*values, record["jobs"], record.get("mesh")]
        )
    return file.getvalue()


def markdown_report(
    finished: Finished, rows: Sequence[Row], pictures: Mapping[str, ShapePictures]
) -> str:
    """Summary, overview, a table for every shape, protocols, costs.

    Parameters
    ----------
    pictures : by the names of the shapes, in the folder of the report.
    """
    lines = [f"# {finished.run.title}", ""]
    notices = stand_in_notices(finished)
    lines += [f"**STAND-IN.** {notice}\n" for notice in notices]
    lines += [*summary(rows), "", *(f"- {claim}" for claim in claims(rows))]
    lines += ["", "## All shapes", "", *_overview(rows)]
    for subject in finished.subjects:
        own = of_subject(rows, subject)
        if own:
            lines += _shape(subject, own, finished, pictures.get(subject.name))
    lines += ["## How it was measured", ""]
    seen = {column.name: column for column in _all_shown(finished, rows)}
    lines += [f"- **{column.title}**: {column.protocol}" for column in seen.values()]
    lines += ["", "## Where", "", *(f"- {line}" for line in provenance(finished)), ""]
    return "\n".join(lines)


def stand_in_notices(finished: Finished) -> list[str]:
    """A sentence for every shape that is not the one that was asked for."""
    return [
        f"{' and '.join(subject.wanted)} could not be had; {subject.title}, a shape made by code, "
        "runs in its place. No figure of it says anything about the real one."
        for subject in finished.subjects
        if subject.stand_in
    ] + [f"Left out: {words}." for words in finished.missing]


def provenance(finished: Finished) -> list[str]:
    """Hardware, versions, commit and settings, a line each."""
    facts, run, records = finished.manifest, finished.run, finished.records
    commits = dict.fromkeys(r["commit"] or "none, run outside a checkout" for r in records)
    hardware = dict.fromkeys(r["hardware"] for r in records if r["failure"] is None)
    pace = (
        "one cell after another"
        if run.jobs == 1
        else f"{run.jobs} cells at a time: seconds can't be compared"
    )
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return [
        f"Hardware: {'; '.join(hardware) or facts['device']}; {pace}.",
        f"Settings: {run.samples:,} samples on each surface, seed 0; a cell is ended after "
        f"{run.timeout:g} s; a run that is more than {run.failed_above:g} % of the diagonal away "
        "counts as failed.",
        f"Versions: {versions}.",
        f"Commit: {', '.join(commits)}.",
    ]


def source_words(subject: Subject) -> str:
    """What the shape is, where it comes from, how it hangs together."""
    facts = subject.facts
    if subject.cloud:
        normals = "with normals" if facts["normals"] else "without normals"
        return f"{subject.source}: {facts['points']:,} points {normals}. {subject.terms}"
    closed = "watertight" if facts["watertight"] else "not watertight"
    genus = f", genus {facts['genus']}" if facts["genus"] is not None else ""
    parts = f"{facts['parts']} part{'' if facts['parts'] == 1 else 's'}"
    return f"{subject.source}: {facts['faces']:,} faces, {closed}, {parts}{genus}. {subject.terms}"


def seeds_words(row: Row) -> str:
    """How many of the seeds failed; "" if there is but one that didn't."""
    count = len(row.records)
    if count == 1:
        return "too far from the source" if row.failed and row.made else ""
    return f"{row.failed} of {count} seeds failed"


def _overview(rows: Sequence[Row]) -> list[str]:
    head = [f"{column.title} {column.arrow}" for column in OVERVIEW]
    lines = [f"| contender | given | {' | '.join(head)} |", "|---|---|" + "---:|" * len(head)]
    found = standings(rows)
    for standing in found:
        rivals = [other for other in found if other.given == standing.given]
        texts = [
            _marked(column.text(standing), best_standing(column, rivals)) for column in OVERVIEW
        ]
        cells = [_safe(standing.contender.label), standing.given, *texts]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", OVERVIEW_NOTE, ""]


def _shape(
    subject: Subject, rows: Sequence[Row], finished: Finished, pictures: ShapePictures | None
) -> list[str]:
    lines = [f"## {subject_words(subject)}", "", source_words(subject), ""]
    if pictures is not None:
        lines += _strip(pictures, finished.folder)
    columns = columns_for(rows, finished)
    head = [f"{column.title} {column.arrow}".strip() for column in columns]
    lines += [
        f"| contender | given | {' | '.join(head)} | remark |",
        "|---|---|" + "---:|" * len(columns) + "---|",
    ]
    for rivals in by_field(rows).values():
        marks = [best(column, rivals) for column in columns]
        for row in rivals:
            texts = [
                _marked(column.text(row.median(column.value)), mark)
                for column, mark in zip(columns, marks, strict=True)
            ]
            remark = _safe(" ".join(filter(None, (seeds_words(row), *row.failures))))
            lines.append(f"| {_safe(row.label)} | {row.given} | {' | '.join(texts)} | {remark} |")
    if finished.run.published == "srb" and subject.cloud:
        lines += _published(published_for(subject.name))
    return [*lines, ""]


def _strip(pictures: ShapePictures, folder: Path) -> list[str]:
    """A table of pictures: whole, closer, and colored by the distance to the source."""
    names = ["source", *(_safe(shown.row.label) for shown in pictures.shown if shown.row)]
    every = [pictures.source, *pictures.shown]
    lines = [f"| {' | '.join(names)} |", "|---|" + "---|" * len(pictures.shown)]
    for files in ([s.whole for s in every], [s.near for s in every], [s.errors for s in every]):
        cells = [f"![]({file.relative_to(folder).as_posix()})" if file else "" for file in files]
        lines.append(f"| {' | '.join(cells)} |")
    scale = pictures.scale
    if scale is None:
        return [*lines, ""]
    words = f"from {scale.low:g} or less (pale) to {scale.high:g} or more (dark) {scale.unit}"
    return [*lines, "", f"Below: distance to the source, {words}, logarithmic.", ""]


def _marked(text: str, mark: str | None) -> str:
    return f"**{text}**" if text == mark else text


def _published(figures: Sequence[Published]) -> list[str]:
    if not figures:
        return []
    lines = [
        "",
        "Published:",
        "",
        "| system | normals | scan, mean | scan, max | truth, Chamfer-L1 | truth, Hausdorff |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for figure in figures:
        scan = [f"{value:.2f}" for value in figure.scan] if figure.scan else ["-", "-"]
        truth = [f"{value:.2f}" for value in figure.truth]
        normals = "yes" if figure.normals else "no"
        lines.append(f"| {' | '.join([figure.system, normals, *scan, *truth])} |")
    return [*lines, "", DIFFERENCE]


def _all_shown(finished: Finished, rows: Sequence[Row]) -> list[Column]:
    shown: list[Column] = []
    for subject in finished.subjects:
        own = of_subject(rows, subject)
        shown += columns_for(own, finished) if own else []
    return shown


def _safe(text: str) -> str:
    return text.replace("|", "\\|")
