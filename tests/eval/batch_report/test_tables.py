"""CSV and Markdown: every run has its line, and nothing breaks out of a cell."""

from __future__ import annotations

import csv
import io
from typing import Any

from eval.batch_report.published import published_for
from eval.batch_report.rows import rows_of
from eval.batch_report.tables import csv_table, markdown_report, provenance, stand_in_notices
from eval.experiment.cell import Cell
from tests.eval.batch_report.made_up import finished, scan, subject

METHODS: list[Any] = ["miner", {"method": "igr", "label": "I | GR", "seeds": [0, 1]}]


def outcome(cell: Cell) -> Any:
    return 'broke | down, "badly".' if cell.seed == 1 else 0.2


def table_rows(text: str, first: str) -> list[list[str]]:
    """The cells of the Markdown lines that begin so; escaped bars are no borders."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {first}")]
    return [line.replace("\\|", "¦").strip("|").split("|") for line in lines]


def test_csv_has_a_line_for_every_run() -> None:
    run = finished([subject("cup", wanted=("Grail",)), scan("dc")], METHODS, outcome)
    lines = list(csv.DictReader(io.StringIO(csv_table(run))))
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
    text = markdown_report(run, rows_of(run), {})
    overview = table_rows(text, "contender")[0]
    assert all(len(row) == len(overview) for row in table_rows(text, "miner | points"))
    heads = [row for row in table_rows(text, "contender") if row[-1].strip() == "remark"]
    lines = table_rows(text, "I \\| GR | 200,000 points") + table_rows(text, "I \\| GR | 5,000")
    assert [len(row) for row in lines] == [len(row) for row in heads]
    assert "1 of 2 seeds failed broke ¦ down" in lines[0][-1]
    assert "DiGS" in text
    # What is stated twice on this page is stated once in the list of protocols.
    assert text.count("**watertight**") == 1


def test_stand_ins_and_missing_shapes_are_said() -> None:
    run = finished(
        [subject("cup", wanted=("Grail",))], METHODS, outcome, missing=("there is no jar",)
    )
    notices = stand_in_notices(run)
    assert notices[0].startswith("Grail could not be had; Cup, a shape made by code, runs in its")
    assert notices[1] == "Left out: there is no jar."
    text = markdown_report(run, rows_of(run), {})
    assert text.index("**STAND-IN.**") < text.index("## All shapes")
    assert "## Cup (stand-in for Grail)" in text


def test_cells_at_a_time_are_said_not_to_be_comparable() -> None:
    for jobs, words in ((1, "one cell after another"), (2, "seconds can't be compared")):
        run = finished([subject("cup")], METHODS, outcome, jobs=jobs)
        assert words in provenance(run)[0]
        # One record was measured with another commit.
        assert provenance(run)[3] == "Commit: abc123, def456."
        assert ("can't be compared" in markdown_report(run, rows_of(run), {})) == (jobs == 2)


def test_published_means_are_those_of_the_papers() -> None:
    """The tables' means over the five scans, stated in the papers, find slips of the hand."""
    scans = ("anchor", "daratech", "dc", "gargoyle", "lord_quas")
    means = {"IGR": (1.38, 16.33), "SIREN": (0.42, 7.67), "SAL": (0.36, 7.47),
             "IGR+FF": (0.96, 11.06), "PHASE+FF": (0.22, 4.96), "DiGS": (0.19, 3.52)}  # fmt: skip
    for system, stated in means.items():
        figures = [f for name in scans for f in published_for(name)]
        own = [f.truth for f in figures if f.system == system and not f.normals]
        found = tuple(sum(pair[k] for pair in own) / 5 for k in (0, 1))
        assert all(abs(a - b) < 0.0101 for a, b in zip(found, stated, strict=True)), system
    assert published_for("Lord-Quas") == published_for("lord_quas")
    assert published_for("bunny") == []
