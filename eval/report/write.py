"""Write the report of a batch into its folder: pictures, CSV, Markdown and a page."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from eval.benchmark.run import BatchResult
from eval.report.build import build_report
from eval.report.html import render
from eval.report.markdown import markdown_report
from eval.report.model import BatchReport
from eval.report.published import DIFFERENCE
from eval.report.rows import Row, final_rows, of_subject, rows_of
from eval.report.shape_pictures import ShapePictures, draw_shape
from eval.runs.files import write_text
from geom_miner.errors import BackendUnavailable
from geom_miner.progress_bars import WorkBar


def write_report(
    result: BatchResult, *, command: str, console: Console
) -> tuple[BatchReport, list[str]]:
    """Draw the pictures and write index.html, report.md and results.csv.

    Without the packages for pictures or pages these are left out, and a line says so.

    Parameters
    ----------
    command : runs the batch again.

    Returns
    -------
    The report, and the names of its files in the folder of the batch.
    """
    rows = rows_of(result)
    report = build_report(result, rows, _draw(result, rows, console), command)
    views = {"report.md": markdown_report(report, result.folder), "results.csv": report.runs.csv()}
    try:
        views = {"index.html": html_page(report), **views}
    except BackendUnavailable as error:
        console.print(f"no page: {error}", style="yellow", markup=False)
    for name, text in views.items():
        write_text(result.folder / name, text)
    return report, list(views)


def html_page(report: BatchReport) -> str:
    """The report as one page that needs only a browser."""
    return render("page.html.j2", report=report, published_note=DIFFERENCE)


def _draw(result: BatchResult, rows: Sequence[Row], console: Console) -> dict[str, ShapePictures]:
    """The pictures of every shape by its name."""
    pictures: dict[str, ShapePictures] = {}
    subjects = [subject for subject in result.subjects if of_subject(rows, subject)]
    with WorkBar(console, "pictures") as bar:
        for number, subject in enumerate(subjects):
            bar(number, len(subjects))
            final = final_rows(of_subject(rows, subject))
            try:
                pictures[subject.name] = draw_shape(subject, final, result.folder)
            except BackendUnavailable as error:
                console.print(f"no pictures: {error}", style="yellow", markup=False)
                break
    return pictures
