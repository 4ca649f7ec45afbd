"""Layout of a plot with logarithmic axes, which a template draws as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

# Size of the plot, and its margins for labels.
WIDTH, HEIGHT = 640, 330
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 16, 46


@dataclass(frozen=True)
class Point:
    """A mark with a text; x and y are values > 0 before the layout, positions after it."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Series:
    """A line through points in the order of x; a series of one point is a mark.

    Parameters
    ----------
    color : number of the entry's color.
    """

    label: str
    points: tuple[Point, ...]
    color: int


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis between two positions of the view box; ``low`` and ``high`` are powers."""

    title: str
    low: float
    high: float
    start: float
    stop: float

    def position(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self.start + (self.stop - self.start) * share, 1)

    @property
    def ticks(self) -> list[tuple[str, float]]:
        """Round numbers and their positions."""
        span = self.high - self.low
        steps = (1, 1.5, 2, 3, 4, 5, 7) if span < 0.7 else (1, 2, 5) if span < 2.2 else (1,)
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        values = [step * 10.0**power for power in powers for step in steps]
        inside = [value for value in values if self.low <= math.log10(value) <= self.high]
        return [(f"{float(f'{value:.4g}'):g}", self.position(value)) for value in inside]


@dataclass(frozen=True)
class LogPlot:
    """A plot laid out in units of its view box."""

    across: Axis
    along: Axis
    lines: tuple[Series, ...]
    width: int = WIDTH
    height: int = HEIGHT


def log_plot(series: Sequence[Series], *, x: str, y: str) -> LogPlot | None:
    """Lay out lines over logarithmic axes with these titles; None without points."""
    points = [point for line in series for point in line.points]
    if not points:
        return None
    across = _axis(x, [point.x for point in points], LEFT, WIDTH - RIGHT)
    along = _axis(y, [point.y for point in points], HEIGHT - BOTTOM, TOP)
    lines = [
        [replace(p, x=across.position(p.x), y=along.position(p.y)) for p in line.points]
        for line in series
    ]
    placed = [replace(s, points=tuple(line)) for s, line in zip(series, lines, strict=True)]
    return LogPlot(across, along, tuple(placed))


def _axis(title: str, values: Sequence[float], start: float, stop: float) -> Axis:
    """An axis around some values that spans a factor of two at least."""
    low, high = math.log10(min(values)), math.log10(max(values))
    slack = max(0.08 * (high - low), (math.log10(2) - (high - low)) / 2, 0.04)
    return Axis(title, low - slack, high + slack, start, stop)
