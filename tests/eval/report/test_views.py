"""CSV, Markdown and page: every run has its line, nothing breaks out of a cell, all as kept."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path
from typing import Any

import pytest

from eval.benchmark import BatchResult, Cell
from eval.benchmark import cell as cell_module
from eval.report import BatchReport, build_report, html_page, markdown_report
from eval.report.provenance import notices, provenance
from eval.report.published import published_for
from eval.report.rows import rows_of
from tests.eval.report.made_up import finished, made, scan, subject

METHODS: list[Any] = ["miner", {"method": "igr", "label": "I | GR", "seeds": [0, 1]}]
GOLDEN = Path(__file__).parent / "golden"


def outcome(cell: Cell) -> Any:
    return 'broke | down, "badly".' if cell.seed == 1 else 0.2


def report_of(run: BatchResult) -> BatchReport:
    return build_report(run, rows_of(run), {}, "geom-miner evaluate configs/eval/a.yaml")


def markdown_of(run: BatchResult) -> str:
    return markdown_report(report_of(run), run.folder)


def table_rows(text: str, first: str) -> list[list[str]]:
    """The cells of the Markdown lines that begin so; escaped bars are no borders."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {first}")]
    return [line.replace("\\|", "¦").strip("|").split("|") for line in lines]


def test_views_are_those_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with UPDATE_GOLDEN=1 to keep new ones, and look at what git shows of them."""
    monkeypatch.setattr(cell_module, "__version__", "0")  # which the names of meshes depend on
    subjects = [
        subject("cup", "sharp", stands_in_for=("The Grail",)),
        subject("head", "scan"),
        scan("dc"),
    ]
    methods = [
        {"method": "miner", "label": "MINER <1>"},
        {"method": "poisson", "seeds": [0, 1, 2]},
        {"method": "igr", "label": "I | GR", "budgets": [{"seconds": 5}, {"steps": 50}]},
        {"method": "phase", "ignore_normals": True},
    ]

    def told(cell: Cell) -> Any:
        if cell.entry.method == "phase" or cell.seed == 2:
            return "crashed <hard> & | died."
        distance = {"miner": 0.1, "poisson": 0.2 + 0.1 * cell.seed, "igr": 1.2}[cell.entry.method]
        return made(cell, distance, total=cell.budget.seconds or 20.0)

    run = finished(
        subjects, methods, told, title="A & B", published="srb", missing=("there is no jar",)
    )
    report = report_of(run)
    page = re.sub(r"<style>.*?</style>", "<style></style>", html_page(report), flags=re.DOTALL)
    views = {
        "results.csv": report.runs.csv(),
        "report.md": markdown_report(report, run.folder),
        "index.html": page,
    }
    for name, text in views.items():
        if "UPDATE_GOLDEN" in os.environ:
            (GOLDEN / name).write_text(text, encoding="utf-8")
        assert text == (GOLDEN / name).read_text(encoding="utf-8"), name


def test_csv_has_a_line_for_every_run() -> None:
    run = finished([subject("cup", stands_in_for=("Grail",)), scan("dc")], METHODS, outcome)
    lines = list(csv.DictReader(io.StringIO(report_of(run).runs.csv())))
    assert len(lines) == 6
    assert lines[0]["shape"] == "cup"
    assert lines[0]["stand_in_for"] == "Grail"
    assert float(lines[0]["chamfer_triangles_percent"]) == 0.2
    assert lines[0]["one_sided_scan_chamfer"] == ""
    assert lines[2]["failure"] == 'broke | down, "badly".'
    assert lines[2]["seconds"] == ""
    assert float(lines[3]["one_sided_scan_chamfer"]) == 0.2
    assert lines[3]["chamfer_triangles_percent"] == ""
    assert lines[1]["points"] == "200000"


def test_markdown_tables_are_whole() -> None:
    run = finished([subject("cup"), scan("dc")], METHODS, outcome, published="srb")
    text = markdown_of(run)
    overview = table_rows(text, "method")[0]
    assert all(len(row) == len(overview) for row in table_rows(text, "miner | points"))
    heads = [row for row in table_rows(text, "method") if row[-1].strip() == "remark"]
    lines = table_rows(text, "I \\| GR | 200,000 points") + table_rows(text, "I \\| GR | 5,000")
    assert len(lines) == 2
    assert [len(row) for row in lines] == [len(row) for row in heads]
    assert "1 of 2 seeds failed broke ¦ down" in lines[0][-1]
    assert "DiGS" in text
    # What is stated twice on this page is stated once in the list of protocols.
    assert text.count("**watertight**") == 1


def test_stand_ins_and_missing_shapes_are_said() -> None:
    run = finished(
        [subject("cup", stands_in_for=("Grail",))], METHODS, outcome, missing=("there is no jar",)
    )
    found = notices(run)
    assert found[0].startswith("Grail could not be had; Cup, a shape made by code, runs in its")
    assert found[1] == "Left out: there is no jar."
    text = markdown_of(run)
    assert text.index("**STAND-IN.**") < text.index("## All shapes")
    assert "## Cup (stand-in for Grail)" in text


def test_cells_at_a_time_are_said_not_to_be_comparable() -> None:
    for jobs, words in ((1, "one cell after another"), (2, "seconds can't be compared")):
        run = finished([subject("cup")], METHODS, outcome, jobs=jobs)
        assert words in provenance(run)[0]
        # One record was measured with another commit.
        assert provenance(run)[3] == "Commit: abc123, def456."
        assert ("can't be compared" in markdown_of(run)) == (jobs == 2)


def test_published_means_are_those_of_the_papers() -> None:
    """The tables' means over the five scans, stated in the papers, find slips of the hand."""
    scans = ("anchor", "daratech", "dc", "gargoyle", "lord_quas")
    means = {
        "IGR": (1.38, 16.33),
        "SIREN": (0.42, 7.67),
        "SAL": (0.36, 7.47),
        "IGR+FF": (0.96, 11.06),
        "PHASE+FF": (0.22, 4.96),
        "DiGS": (0.19, 3.52),
    }
    for system, stated in means.items():
        figures = [f for name in scans for f in published_for(name)]
        own = [f.truth for f in figures if f.system == system and not f.normals]
        found = tuple(sum(pair[k] for pair in own) / 5 for k in (0, 1))
        assert all(abs(a - b) < 0.0101 for a, b in zip(found, stated, strict=True)), system
    assert published_for("Lord-Quas") == published_for("lord_quas")
    assert published_for("bunny") == []
