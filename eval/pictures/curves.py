"""Curves: quality over time, costs over the resolution, errors over bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.errors import MetricError
from eval.pictures.colors import SCALE_COLORS, scale_color
from geom_miner.atomic_files import new_file
from geom_miner.errors import SettingsError, missing_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class QualityPoint:
    """One line of a fit's history.

    Parameters
    ----------
    seconds : since the fit began.
    value : the quality then, an IoU or a PSNR in decibels.
    scale : the scale that was being fitted.
    """

    seconds: float
    value: float
    scale: int


def quality_over_time(history: Sequence[QualityPoint], path: Path, *, quantity: str) -> None:
    """Plot quality over seconds, with a mark where each scale ends; the suffix picks the format.

    Parameters
    ----------
    history : in the order of time; at least one point.
    path : file to write, such as a .png, .svg or .pdf.
    quantity : label of the vertical axis: "IoU", "PSNR (dB)".
    """
    if not history:
        raise MetricError("a history must hold at least one point to be drawn")
    figure = _plot()
    axes = figure.add_subplot()
    seconds = [point.seconds for point in history]
    values = [point.value for point in history]
    axes.plot(seconds, values, color=SCALE_COLORS[3], linewidth=1.6)
    for point, after in zip(history, [*history[1:], None], strict=True):
        if after is None or after.scale != point.scale:
            color = scale_color(point.scale)
            axes.axvline(point.seconds, color="0.85", linewidth=0.8, zorder=0)
            axes.plot(point.seconds, point.value, "o", color=color, markersize=5)
            # Curves rise to the right: a label to the lower right of its mark stays clear of them.
            label: dict[str, Any] = {
                "textcoords": "offset points",
                "ha": "left",
                "va": "top",
                "fontsize": 7,
            }
            position = (point.seconds, point.value)
            axes.annotate(f"scale {point.scale}", position, (4, -4), color="0.3", **label)
    axes.set(xlabel="seconds", ylabel=quantity, xlim=(0, 1.12 * max(*seconds, 1e-6)))
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def growth_figure(
    resolutions: Sequence[int], series: Mapping[str, Sequence[float | None]], path: Path
) -> None:
    """Plot costs over the resolution, both logarithmic, with the slopes of n^2 and n^3 beside.

    Parameters
    ----------
    series : per curve, its label and a value for each resolution, None where there is none.
    path : file to write; the suffix picks the format.
    """
    figure = _plot()
    axes = figure.add_subplot()
    for color, (label, values) in zip(SCALE_COLORS, series.items(), strict=False):
        known = [(n, v) for n, v in zip(resolutions, values, strict=True) if v is not None]
        if known:
            axes.plot(*zip(*known, strict=True), "o-", color=color, label=label, markersize=4)
    # Logarithmic first: limits of a linear axis reach below zero.
    axes.set(xscale="log", yscale="log")
    low, high = axes.get_ylim()
    first, last = min(resolutions), max(resolutions)
    for power, style in ((2, "--"), (3, ":")):
        ends = [low, low * (last / first) ** power]
        axes.plot([first, last], ends, style, color="0.6", lw=0.9, zorder=0, label=f"$n^{power}$")
    axes.set(xlabel="samples along each side", ylim=(low, high))
    axes.set_xticks(resolutions, [str(n) for n in resolutions])
    axes.minorticks_off()
    axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def curve_panels(
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    path: Path,
    *,
    x: str,
    y: str,
    log_y: bool = True,
) -> None:
    """Plot curves in panels of logarithmic axes that share one legend, four panels in a row.

    Parameters
    ----------
    panels : for each title its curves: a label and points (x, y), all > 0, in the order of the
        line. A label has one color and mark in all panels.
    path : file to write; the suffix picks the format.
    x, y : titles of the axes.
    log_y : whether the vertical axis is logarithmic too.
    """
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = _plot((1.4 + 2.1 * columns, 1.2 + 1.9 * rows))
    labels = list(dict.fromkeys(label for curves in panels.values() for label in curves))
    for place, (title, curves) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, place + 1)
        axes.set_title(title, fontsize=8)
        for label, points in curves.items():
            number = labels.index(label)
            color = SCALE_COLORS[number % len(SCALE_COLORS)]
            style = ("o-", "s--", "^:")[number // len(SCALE_COLORS) % 3]
            axes.plot(
                *zip(*points, strict=True), style, color=color, label=label, markersize=3, lw=1
            )
        axes.set(xscale="log", yscale="log" if log_y else "linear")
        axes.set_xlabel(x if place >= len(panels) - columns else "", fontsize=7)
        axes.set_ylabel(y if place % columns == 0 else "", fontsize=7)
        axes.tick_params(which="both", labelsize=6)
        axes.grid(color="0.9", linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    by_label = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    shown = [by_label[label] for label in labels]
    figure.legend(
        shown, labels, loc="outside lower center", ncols=1 + columns, fontsize=7, frameon=False
    )
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with new_file(path, SettingsError) as file:
        figure.savefig(file, format=path.suffix[1:])


def _plot(size: tuple[float, float] = (5.2, 3.2)) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("plots need matplotlib", "eval") from error
    # A bare Figure draws with Agg and touches no global state.
    return Figure(figsize=size, dpi=200, layout="constrained")
