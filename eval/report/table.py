"""One table, four views: Markdown, CSV, HTML and the terminal."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from rich.table import Table as RichTable
from rich.text import Text

from eval.report.escape import markdown_text
from geom_miner.terminal import printable

Row = TypeVar("Row")

# Shown in place of a missing value.
MISSING = "-"


@dataclass(frozen=True)
class Spread:
    """Several values of one quantity, shown as ``1.03 (1.00-1.16)``: center, smallest, largest.

    Parameters
    ----------
    values : missing ones (None or NaN) are left out.
    center : the number in front.
    """

    values: Sequence[float | None]
    center: Literal["median", "mean"] = "median"

    @property
    def known(self) -> list[float]:
        """The values that are not missing."""
        return [v for v in self.values if v is not None and not math.isnan(v)]

    def middle(self) -> float | None:
        """The median or mean of the known values; None where there are none."""
        if not self.known:
            return None
        return (statistics.median if self.center == "median" else statistics.fmean)(self.known)

    def text(self, form: str) -> str:
        """The center and, where values differ as printed, the range in brackets."""
        middle, known = self.middle(), self.known
        if middle is None:
            return MISSING
        center, low, high = (format(v, form) for v in (middle, min(known), max(known)))
        return center if low == high else f"{center} ({low}-{high})"


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column of a table.

    Parameters
    ----------
    title : heading, with its unit.
    value : the cell's value in a row: text, a number, a bool, a Spread, a sequence of numbers such
        as a shape, or None.
    form : format specification of numbers.
    left : align left, as text is.
    name : heading in CSV files; by default the title.
    markup : the text is Markdown, such as a link to a picture; otherwise it is escaped.
    """

    title: str
    value: Callable[[Row], Any]
    form: str = ""
    left: bool = False
    name: str = ""
    markup: bool = False

    def text(self, row: Row) -> str:
        """The cell of a row as it is printed."""
        return cell_text(self.value(row), self.form)

    def markdown(self, row: Row) -> str:
        """The cell of a row in a Markdown table."""
        return self.text(row) if self.markup else markdown_text(self.text(row))


@dataclass(frozen=True)
class Table(Generic[Row]):
    """Rows of any type, and the columns that are read from them.

    Parameters
    ----------
    emphasized : tells which cells are printed in bold, such as the best of a column.
    """

    columns: Sequence[Column[Row]]
    rows: Sequence[Row]
    title: str = ""
    emphasized: Callable[[Row, Column[Row]], bool] | None = None

    def markdown(self) -> str:
        """A Markdown table; it ends with a line break."""
        lines = [
            f"| {' | '.join(markdown_text(column.title) for column in self.columns)} |",
            f"|{'|'.join('---' if column.left else '---:' for column in self.columns)}|",
        ]
        for row in self.rows:
            cells = [
                f"**{text}**" if bold else text
                for column in self.columns
                for text, bold in [(column.markdown(row), self._is_bold(row, column))]
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """Comma-separated values at full precision; missing ones are empty."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name or column.title for column in self.columns])
        for row in self.rows:
            writer.writerow([_plain(column.value(row), column.form) for column in self.columns])
        return file.getvalue()

    def html(self) -> str:
        """A ``<table>`` element; text columns have the class ``words``, bold cells ``best``."""
        from eval.report.html import render  # Jinja is needed only here

        rows = [
            [
                (c.text(row), " ".join(["words"] * c.left + ["best"] * self._is_bold(row, c)))
                for c in self.columns
            ]
            for row in self.rows
        ]
        return render("table.html.j2", columns=self.columns, rows=rows)

    def rich(self) -> RichTable:
        """A table for ``rich.console.Console.print``."""
        table = RichTable(title=self.title or None, title_justify="left")
        for column in self.columns:
            table.add_column(column.title, justify="left" if column.left else "right")
        for row in self.rows:
            cells = []
            for column in self.columns:
                style = "bold" if self._is_bold(row, column) else ""
                cells.append(Text(printable(column.text(row)), style))
            table.add_row(*cells)
        return table

    def _is_bold(self, row: Row, column: Column[Row]) -> bool:
        return self.emphasized is not None and self.emphasized(row, column)


def cell_text(value: Any, form: str = "") -> str:
    """A value as tables print it: yes and no, thousands separated, ``-`` where it is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Spread):
        return value.text(form)
    if isinstance(value, int):
        return format(value, form or ",")
    if isinstance(value, float):
        return format(value, form or ".4g")
    if isinstance(value, (tuple, list)):
        return " x ".join(map(str, value))
    return str(value)


def _plain(value: Any, form: str) -> Any:
    if value is None or isinstance(value, (int, float)):
        return value
    return cell_text(value, form)
