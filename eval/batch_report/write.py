"""Write everything that is said about a run into its folder."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from eval.batch_report.page import html_page
from eval.batch_report.pictures import ShapePictures, draw_shape
from eval.batch_report.rows import of_subject, rows_of
from eval.batch_report.tables import csv_table, markdown_report
from eval.batch_report.verdict import final_rows
from eval.experiment.run import Finished
from eval.runs import write_text
from geom_miner.errors import BackendUnavailable
from geom_miner.progress_bars import WorkBar


def write_report(finished: Finished, *, command: str, console: Console) -> Path:
    """Draw the pictures and write results.csv, report.md and index.html; return the page.

    Without the packages that draw there are no pictures, and a line says so.

    Parameters
    ----------
    command : that makes the run again.
    """
    rows = rows_of(finished)
    pictures: dict[str, ShapePictures] = {}
    subjects = [subject for subject in finished.subjects if of_subject(rows, subject)]
    with WorkBar(console, "pictures") as bar:
        for number, subject in enumerate(subjects):
            bar(number, len(subjects))
            try:
                drawn = draw_shape(subject, final_rows(of_subject(rows, subject)), finished.folder)
            except BackendUnavailable as error:
                console.print(f"no pictures: {error}", style="yellow", markup=False)
                break
            pictures[subject.name] = drawn
    folder = finished.folder
    write_text(folder / "results.csv", csv_table(finished))
    write_text(folder / "report.md", markdown_report(finished, rows, pictures))
    write_text(folder / "index.html", html_page(finished, rows, pictures, command))
    return folder / "index.html"
