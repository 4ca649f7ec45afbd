"""The report of a batch as data: everything that its views show, and nothing about how."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from eval.pictures.colors import ErrorScale
from eval.pictures.comparison import Shown
from eval.report.plot import LogPlot
from eval.report.published import Published
from eval.report.table import Table
from eval.report.verdict import Claim
from eval.runs.records import Record


@dataclass(frozen=True)
class Portrait:
    """The pictures of an entry, and a caption.

    Parameters
    ----------
    color : number of the entry's color.
    failure : why there are no pictures.
    """

    label: str
    color: int
    pictures: Shown | None
    caption: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Strip:
    """The source and every entry side by side.

    Parameters
    ----------
    zoom : how much closer the closer look is.
    scale : colors of the errors; None if no entry has a mesh.
    """

    source: Shown
    entries: tuple[Portrait, ...]
    zoom: float
    scale: ErrorScale | None


@dataclass(frozen=True)
class Heading:
    """The heading of a column.

    Parameters
    ----------
    arrow : ↓ if lower is better, ↑ if higher is.
    group : heading above columns of one kind.
    note : number of the protocol in the report's list; 0 has none.
    """

    title: str
    arrow: str
    group: str = ""
    note: int = 0
    protocol: str = ""

    def __str__(self) -> str:
        return f"{self.title} {self.arrow}".strip()


@dataclass(frozen=True)
class Value:
    """A value in a table.

    Parameters
    ----------
    best : among the entries with the same input.
    spread : the range over several seeds.
    """

    text: str
    best: bool = False
    spread: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Line:
    """A line of a table: what an entry gave.

    Parameters
    ----------
    color : number of the entry's color.
    given : the input of the method.
    remark : on the seeds that failed.
    failed : whether any of them did.
    failure : why there is no mesh, or not of every seed.
    made : whether there is a mesh.
    notes : of the method.
    """

    label: str
    color: int
    given: str
    values: tuple[Value, ...]
    remark: str = ""
    failed: bool = False
    failure: str = ""
    made: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Lines of entries that compete; the title may be empty."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Results:
    """A table of what the entries gave."""

    headings: tuple[Heading, ...]
    groups: tuple[Group, ...]

    @property
    def lines(self) -> list[Line]:
        return [line for group in self.groups for line in group.lines]

    @property
    def heading_groups(self) -> list[tuple[str, int]]:
        """Headings above several columns, with the number of columns; none if they have no text."""
        names = [heading.group for heading in self.headings]
        counts = [(name, len(list(same))) for name, same in itertools.groupby(names)]
        return counts if any(names) else []

    @property
    def edges(self) -> list[bool]:
        """For each column whether a group of columns begins with it."""
        before = [None, *(heading.group for heading in self.headings)]
        return [bool(h.group) and h.group != b for h, b in zip(self.headings, before, strict=False)]


@dataclass(frozen=True)
class Section:
    """The part of a report on one shape.

    Parameters
    ----------
    name : of its link.
    stands_in_for : titles of the scans that the shape replaces.
    source : what the shape is and where it comes from.
    """

    name: str
    title: str
    stands_in_for: str
    source: str
    strip: Strip | None
    results: Results
    published: Table[Published] | None
    plot: LogPlot | None


@dataclass(frozen=True)
class BatchReport:
    """The report of a batch.

    Parameters
    ----------
    command : runs the batch again.
    notices : what a reader must know before any figure.
    protocols : title and text on how each column was measured, numbered from 1.
    provenance : hardware, settings, versions, commit.
    runs : one row for every run, failures included.
    """

    title: str
    command: str
    notices: tuple[str, ...]
    summary: tuple[str, ...]
    overview: Results
    overview_note: str
    claims: tuple[Claim, ...]
    sections: tuple[Section, ...]
    protocols: tuple[tuple[str, str], ...]
    provenance: tuple[str, ...]
    runs: Table[Record]
