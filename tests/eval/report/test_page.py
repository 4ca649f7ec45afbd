"""The page: whole, alone, and true to the records."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from eval.benchmark import BatchResult, Cell
from eval.pictures import ErrorScale, Shown
from eval.report import build_report, html_page
from eval.report.html import render
from eval.report.plot import LogPlot, Point, Series, log_plot
from eval.report.rows import rows_of
from eval.report.shape_pictures import ShapePictures
from tests.eval.report.made_up import finished, scan, subject

METHODS: list[Any] = [
    {"method": "miner", "label": "Ours <1>"},
    {"method": "igr", "label": "IGR", "budgets": [{"seconds": 5}, {"seconds": 50}]},
    {"method": "phase", "label": "Lost", "ignore_normals": True},
]
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a browser would find: that tags close, the ids, the links, the texts of cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.cells: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [str(found["id"])] if "id" in found else []
        self.links += [str(found["href"])] if "href" in found else []
        self.sources += [str(found["src"])] if "src" in found else []
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append((str(found.get("class", "")), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open:
            kind, text = self.cells[-1]
            self.cells[-1] = (kind, text + data)


def outcome(cell: Cell) -> Any:
    if cell.entry.label == "Lost":
        return "died <by> SIGSEGV & more."
    return {None: 0.1, 5: 0.4, 50: 0.2}[cell.budget.seconds]


@pytest.fixture
def run() -> BatchResult:
    subjects = [subject("cup", stands_in_for=("The Grail",)), scan("dc")]
    return finished(subjects, METHODS, outcome, title="A & B", published="srb")


def page_of(run: BatchResult, picture: Path | None = None) -> str:
    """The page; with a picture, as every picture of the first shape."""
    rows, pictures = rows_of(run), {}
    if picture is not None:
        scale = ErrorScale(0.1, 10.0, "voxels", 1.0)
        shown = Shown(picture, picture, picture)
        pictures["cup"] = ShapePictures(Shown(picture, picture), scale, ((rows[0], shown),))
    return html_page(build_report(run, rows, pictures, "geom-miner evaluate configs/eval/a.yaml"))


def test_tags_close_and_links_lead_somewhere(run: BatchResult) -> None:
    page = Page(page_of(run))
    assert page.open == []
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_nothing_is_fetched_from_anywhere(run: BatchResult, tmp_path: Path) -> None:
    picture = tmp_path / "a.webp"
    Image.new("RGBA", (4, 6), (200, 100, 0, 128)).save(picture)
    text = page_of(run, picture)
    page = Page(text)
    assert page.open == []
    # The source's two, and three of the first method.
    assert len(page.sources) == 5
    assert all(source.startswith("data:image/webp;base64,") for source in page.sources)
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"https?://|@import|url\(|<script|<link", text)
    assert str(tmp_path) not in text
    assert 'width="4" height="6"' in text
    assert "linear-gradient(to right, rgb(" in text


def test_every_entry_and_every_failure_has_its_line(run: BatchResult) -> None:
    text = page_of(run)
    cells = Page(text).cells
    words = [cell for _, cell in cells]
    assert words.count("Ours <1>") == 3  # in the overview and on both shapes
    for label in ("IGR, 5 s", "IGR, 50 s"):
        assert sum(word.startswith(label) for word in words) == 2  # on both shapes
    assert cells.count(("fail", "died <by> SIGSEGV & more.")) == 2
    assert "<by>" not in text
    assert "stand-in for The Grail" in text
    assert "The Grail could not be had" in text
    assert "As published" in text


def test_the_best_is_marked_among_those_given_as_much(run: BatchResult) -> None:
    cells = Page(page_of(run)).cells
    exact = [text for kind, text in cells if kind.startswith("best") and text == "0.1000"]
    assert len(exact) >= 2  # in the overview and in the tables
    assert ("best", "0.4000") not in cells


def test_the_columns_are_explained_once(run: BatchResult) -> None:
    text = page_of(run)
    notes = re.findall(r'<li id="note-(\d+)">', text)
    assert notes == [str(number) for number in range(1, len(notes) + 1)]
    linked = set(re.findall(r'href="#note-(\d+)"', text))
    assert linked == set(notes)


def svg(plot: LogPlot | None) -> ElementTree.Element:
    return ElementTree.fromstring(render("plot.svg.j2", plot=plot))


def test_points_lie_where_their_logarithms_are() -> None:
    points = tuple(Point(10.0**k, 10.0 ** (2 - k), f"<{k}>") for k in range(4))
    root = svg(log_plot([Series("A & B", points, 3)], x="seconds", y="distance"))
    circles = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in root.iter("circle")]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(circles)]
    assert all(step == pytest.approx(steps[0], abs=0.2) for step in steps)
    assert steps[0][0] > 0 < steps[0][1]  # later to the right, nearer further down
    rules = {
        t.text: float(t.get("x", 0)) for t in root.iter("text") if t.get("text-anchor") == "middle"
    }
    assert rules["10"] == pytest.approx(circles[1][0], abs=0.2)
    assert next(title.text for title in root.iter("title")) == "A & B: <0>"
    assert len(list(root.iter("polyline"))) == 1
    assert log_plot([], x="a", y="b") is None


@pytest.mark.parametrize("values", [(3.0, 3.0), (3.0, 3.1), (0.001, 900.0)])
def test_every_plot_has_ticks(values: tuple[float, float]) -> None:
    points = tuple(Point(value, value, "") for value in values)
    root = svg(log_plot([Series("a", points, 0)], x="a", y="b"))
    ticks = [t for t in root.iter("text") if t.get("class") == "tick"]
    assert 4 <= len(ticks) <= 24
