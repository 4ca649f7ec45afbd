import csv
import io
import math

import pytest
from rich.console import Console

from eval.report import Column, Spread, Table, markdown_text

ROWS = [
    {"name": "a|b", "error": 0.5, "faces": 1234, "closed": True, "seeds": [1.0, 2.0, 4.0]},
    {"name": "<c>", "error": None, "faces": 5, "closed": False, "seeds": [3.0, None, math.nan]},
]
COLUMNS = [
    Column("shape", lambda r: r["name"], left=True),
    Column("error, voxels", lambda r: r["error"], ".3f", name="error_voxels"),
    Column("faces", lambda r: r["faces"]),
    Column("closed", lambda r: r["closed"]),
    Column("seeds", lambda r: Spread(r["seeds"]), ".1f"),
]
TABLE = Table(COLUMNS, ROWS, emphasized=lambda row, column: column.text(row) == "5")


def test_markdown_escapes_bars_and_marks_the_best() -> None:
    assert TABLE.markdown() == (
        "| shape | error, voxels | faces | closed | seeds |\n"
        "|---|---:|---:|---:|---:|\n"
        "| a\\|b | 0.500 | 1,234 | yes | 2.0 (1.0-4.0) |\n"
        "| &lt;c> | - | **5** | no | 3.0 |\n"
    )


def test_csv_reads_back_what_went_in() -> None:
    head, first, second = csv.reader(io.StringIO(TABLE.csv()))
    assert head == ["shape", "error_voxels", "faces", "closed", "seeds"]
    assert first == ["a|b", "0.5", "1234", "True", "2.0 (1.0-4.0)"]
    assert second[:2] == ["<c>", ""]


def test_html_escapes_text() -> None:
    found = TABLE.html()
    assert "&lt;c&gt;" in found
    assert "<c>" not in found
    assert '<td class="best">5</td>' in found
    assert found.count("<tr>") == 3


def test_terminal_shows_every_cell() -> None:
    file = io.StringIO()
    Console(file=file, width=120).print(TABLE.rich())
    assert all(column.text(row) in file.getvalue() for column in COLUMNS for row in ROWS)


@pytest.mark.parametrize(
    ("values", "center", "text"),
    [
        ([1.0, 2.0, 6.0], "median", "2.00 (1.00-6.00)"),
        ([1.0, 2.0, 6.0], "mean", "3.00 (1.00-6.00)"),
        ([1.001, 1.002], "median", "1.00"),
        ([None, math.nan], "median", "-"),
        ([], "mean", "-"),
    ],
)
def test_spread(values: list[float | None], center: str, text: str) -> None:
    assert Spread(values, center).text(".2f") == text  # type: ignore[arg-type]


def test_markdown_shows_names_as_they_are() -> None:
    name = "<script>&lt;a|b`c`\n![x](http://e)**\\| & d_e \x1b[31m"
    escaped = r"&lt;script>&amp;lt;a\|b\`c\` !\[x\](http://e)\*\*\\\| & d_e \\x1b\[31m"
    assert markdown_text(name) == escaped
    column = Column("<i>", lambda row: row, left=True)
    assert Table([column], [name]).markdown() == f"| &lt;i> |\n|---|\n| {escaped} |\n"


def test_a_column_of_markdown_is_left_as_it_is() -> None:
    column = Column("picture", lambda row: row, left=True, markup=True)
    assert Table([column], ["![](a.png)"]).markdown().endswith("| ![](a.png) |\n")
