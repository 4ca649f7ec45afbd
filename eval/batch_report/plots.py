"""Quality over time as an SVG that takes its colors from the page: light, dark, any size."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 16, 46


@dataclass(frozen=True)
class Series:
    """A line of a plot.

    Parameters
    ----------
    points : (x, y, words) each, all x and y > 0, in the order of x.
    color : CSS.
    """

    label: str
    points: tuple[tuple[float, float, str], ...]
    color: str


def log_plot(series: Sequence[Series], *, x: str, y: str) -> str:
    """Draw lines over logarithmic axes; a series of one point is a mark.

    Parameters
    ----------
    x, y : titles of the axes.

    Returns
    -------
    An ``<svg>`` element; "" if there are no points.
    """
    points = [point for line in series for point in line.points]
    if not points:
        return ""
    across = _axis([p[0] for p in points], _LEFT, WIDTH - _RIGHT)
    along = _axis([p[1] for p in points], HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{html.escape(y)} over {html.escape(x)}">'
    ]
    for value, place in across.ticks:
        parts.append(
            f'<line class="rule" x1="{place}" x2="{place}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
        )
        parts.append(_text(place, HEIGHT - _BOTTOM + 18, value, "middle"))
    for value, place in along.ticks:
        parts.append(
            f'<line class="rule" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{place}" y2="{place}"/>'
        )
        parts.append(_text(_LEFT - 8, place + 4, value, "end"))
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(_text(middle, HEIGHT - 8, x, "middle", "axis"))
    turned = f'transform="rotate(-90 14 {(_TOP + HEIGHT - _BOTTOM) / 2})"'
    parts.append(_text(14, (_TOP + HEIGHT - _BOTTOM) / 2, y, "middle", "axis", turned))
    for line in series:
        places = [(across.place(a), along.place(b), words) for a, b, words in line.points]
        if len(places) > 1:
            path = " ".join(f"{a},{b}" for a, b, _ in places)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{line.color}"/>')
        for a, b, words in places:
            title = f"<title>{html.escape(f'{line.label}: {words}')}</title>"
            parts.append(f'<circle cx="{a}" cy="{b}" r="5" fill="{line.color}">{title}</circle>')
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True)
class _Axis:
    ticks: tuple[tuple[str, float], ...]
    place: Callable[[float], float]


def _axis(values: Sequence[float], start: float, stop: float) -> _Axis:
    """A logarithmic axis around some values, with at least a factor of two on it."""
    low, high = math.log10(min(values)), math.log10(max(values))
    slack = max(0.08 * (high - low), (math.log10(2) - (high - low)) / 2, 0.04)
    low, high = low - slack, high + slack

    def place(value: float) -> float:
        return round(start + (stop - start) * (math.log10(value) - low) / (high - low), 1)

    steps = (1, 2, 5) if high - low < 2.2 else (1,)
    if high - low < 0.7:
        steps = (1, 1.5, 2, 3, 4, 5, 7)  # type: ignore[assignment]
    ticks = [
        step * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for step in steps
        if low <= math.log10(step * 10.0**power) <= high
    ]
    return _Axis(tuple((f"{float(f'{tick:.4g}'):g}", place(tick)) for tick in ticks), place)


def _text(x: float, y: float, words: str, anchor: str, kind: str = "tick", more: str = "") -> str:
    return (
        f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}" {more}>'
        f"{html.escape(words)}</text>"
    )
