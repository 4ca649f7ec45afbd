"""Figures of a fit: quality over time, and the blocks that each scale spent networks on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from eval.errors import MetricError
from eval.render import BACKGROUND, Picture, render_mesh
from eval.view import View
from geom_miner import TriangleMesh
from geom_miner.errors import missing_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# One color per scale (sRGB), finest first; told apart in gray print and by color-blind readers.
SCALE_COLORS = (
    (0.86, 0.44, 0.30),
    (0.93, 0.72, 0.36),
    (0.45, 0.66, 0.58),
    (0.36, 0.51, 0.72),
    (0.47, 0.38, 0.58),
    (0.60, 0.60, 0.60),
)

# Corners of a unit cube, numbered by the bits zyx -> 4z + 2y + x, and its outward faces.
_CUBE = np.array([[k & 1, k >> 1 & 1, k >> 2 & 1] for k in range(8)], dtype=np.float64)
_CUBE_FACES = np.array(
    [
        [0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4],
        [2, 6, 3], [3, 6, 7], [0, 4, 2], [2, 4, 6], [1, 3, 5], [3, 7, 5],
    ]
)  # fmt: skip


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


@dataclass(frozen=True)
class BlockLayer:
    """The active blocks of one scale.

    Parameters
    ----------
    scale : 0 is the finest.
    low_corners : (q, 3), world position of each block's smallest corner.
    block_size : edge lengths of a block in world units, one number or one per axis.
    mesh : the level of detail of this scale, drawn below the blocks; None leaves it out.
    """

    scale: int
    low_corners: npt.NDArray[np.float64]
    block_size: float | tuple[float, float, float]
    mesh: TriangleMesh | None = None


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
            color = SCALE_COLORS[min(point.scale, len(SCALE_COLORS) - 1)]
            axes.axvline(point.seconds, color="0.85", linewidth=0.8, zorder=0)
            axes.plot(point.seconds, point.value, "o", color=color, markersize=5)
            axes.annotate(
                f"scale {point.scale}",
                (point.seconds, point.value),
                xytext=(4, -4),
                textcoords="offset points",
                ha="left",
                va="top",
                fontsize=7,
                color="0.3",
            )
    # Curves rise to the right, so a label right below its mark stays clear of them.
    axes.set(xlabel="seconds", ylabel=quantity, xlim=(0, 1.12 * max(*seconds, 1e-6)))
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


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
        axes.plot(
            [first, last], [low, low * (last / first) ** power],
            style, color="0.6", linewidth=0.9, zorder=0, label=f"$n^{power}$",
        )  # fmt: skip
    axes.set(xlabel="samples along each side", ylim=(low, high))
    axes.set_xticks(resolutions, [str(n) for n in resolutions])
    axes.minorticks_off()
    axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _plot() -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("plots need matplotlib", "eval") from error
    # A bare Figure draws with Agg and touches no global state.
    return Figure(figsize=(5.2, 3.2), dpi=200, layout="constrained")


def blocks_mesh(
    low_corners: npt.ArrayLike, sizes: npt.ArrayLike, *, inset: float = 0.06
) -> TriangleMesh:
    """Turn blocks into cubes, each shrunk a little so that neighbors stay apart.

    Parameters
    ----------
    low_corners : (q, 3), world position of each block's smallest corner; q may be 0.
    sizes : edge lengths in world units: one number, (3,), (q, 1) or (q, 3).
    inset : share of the edge that is cut off in total, in [0, 1).

    Returns
    -------
    Closed cubes, 8 vertices and 12 faces per block, block by block.
    """
    if not 0 <= inset < 1:
        raise MetricError(f"inset must lie in [0, 1), got {inset}")
    low = np.asarray(low_corners, dtype=np.float64).reshape(-1, 3)
    size = np.broadcast_to(np.asarray(sizes, dtype=np.float64), low.shape)
    cube = inset / 2 + (1 - inset) * _CUBE
    vertices = low[:, None] + cube * size[:, None]
    faces = _CUBE_FACES + 8 * np.arange(len(low))[:, None, None]
    return TriangleMesh(vertices.reshape(-1, 3), faces.reshape(-1, 3))


def active_blocks_figure(
    layers: Sequence[BlockLayer],
    *,
    view: View | None = None,
    width: int = 420,
    height: int = 560,
    inset: float = 0.06,
) -> Picture:
    """Show where each scale has active blocks, one column per scale, after MINER's figure 8.

    The blocks stand above the level of detail they add up to (where a layer has one), all in one
    frame: that of the view, or one around all blocks.

    Parameters
    ----------
    layers : at least one, in the order in which they are to appear; coarse to fine reads best.
    width, height : pixels of one picture.

    Returns
    -------
    (rows, columns, 3) uint8 sRGB sheet with captions.
    """
    if not layers:
        raise MetricError("a figure of blocks needs at least one layer")
    cubes = [blocks_mesh(layer.low_corners, layer.block_size, inset=inset) for layer in layers]
    view = view or View(elevation=25.0)
    if view.center is None or view.half_size is None:
        shown = [*cubes, *(layer.mesh for layer in layers if layer.mesh is not None)]
        view = view.framing(_joined([mesh for mesh in shown if len(mesh.faces)]))
    with_meshes = any(layer.mesh is not None for layer in layers)
    columns, captions = [], []
    for layer, cube in zip(layers, cubes, strict=True):
        color = SCALE_COLORS[min(layer.scale, len(SCALE_COLORS) - 1)]
        colors = np.tile(np.array(color), (len(cube.vertices), 1))
        column = [render_mesh(cube, width=width, height=height, view=view, colors=colors)]
        if with_meshes:
            mesh = layer.mesh or blocks_mesh(np.zeros((0, 3)), 1.0)
            column.append(render_mesh(mesh, width=width, height=height, view=view))
        columns.append(np.concatenate(column))
        count = len(cube.faces) // len(_CUBE_FACES)
        captions.append(f"scale {layer.scale}: {count:,} active blocks")
    return contact_sheet(columns, captions)


def _joined(meshes: Sequence[TriangleMesh]) -> TriangleMesh:
    if not meshes:
        raise MetricError("there are no active blocks to frame; pass a framed view")
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return TriangleMesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]),
    )


def draw_block_outlines(
    image: Picture,
    low: npt.ArrayLike,
    size: int | tuple[int, int],
    *,
    color: tuple[int, int, int] = (220, 80, 50),
    line_width: int = 1,
) -> Picture:
    """Draw blocks as rectangles over a copy of a picture.

    Parameters
    ----------
    image : (h, w, 3) or (h, w, 1) uint8, left as it is.
    low : (q, 2) integer, row and column of each block's first pixel.
    size : pixels along a block's edges: one number, or rows and columns.

    Returns
    -------
    (h, w, 3) uint8
    """
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype != np.uint8:
        raise MetricError(f"image must be (h, w, 1 or 3) uint8, got {image.shape} of {image.dtype}")
    canvas = Image.fromarray(np.repeat(image, 3 // image.shape[2], axis=2))
    draw = ImageDraw.Draw(canvas)
    rows, columns = size if isinstance(size, tuple) else (size, size)
    for row, column in np.asarray(low, dtype=np.int64).reshape(-1, 2).tolist():
        # Pillow's rectangles include their last pixel.
        box = (column, row, column + columns - 1, row + rows - 1)
        draw.rectangle(box, outline=color, width=line_width)
    return np.asarray(canvas)


def contact_sheet(
    images: Sequence[Picture],
    captions: Sequence[str],
    *,
    caption_height: int = 44,
    gap: int = 12,
) -> Picture:
    """Set pictures of one height side by side with a caption centered under each.

    Parameters
    ----------
    images : (h, w, 3) uint8 each, equal h; at least one.
    captions : one per image; a line break starts a second line.
    caption_height, gap : pixels below and between the pictures.

    Returns
    -------
    (h + caption_height, sum of widths and gaps, 3) uint8
    """
    if not images or len(images) != len(captions):
        raise MetricError(
            f"a sheet needs one caption per image, got {len(images)} and {len(captions)}"
        )
    height = len(images[0])
    if any(len(image) != height for image in images):
        raise MetricError(f"images must have one height, got {[len(i) for i in images]}")
    width = sum(image.shape[1] for image in images) + gap * (len(images) - 1)
    paper = tuple(round(255 * channel) for channel in BACKGROUND)
    sheet = Image.new("RGB", (width, height + caption_height), paper)
    draw = ImageDraw.Draw(sheet)
    lines = max(caption.count("\n") + 1 for caption in captions)
    font = ImageFont.load_default(size=round(0.62 * caption_height / (0.35 + 0.85 * lines)))
    left = 0
    for image, caption in zip(images, captions, strict=True):
        sheet.paste(Image.fromarray(image), (left, 0))
        middle = (left + image.shape[1] // 2, height + caption_height // 2)
        draw.multiline_text(
            middle, caption, fill=(40, 40, 40), font=font, anchor="mm", align="center"
        )
        left += image.shape[1] + gap
    return np.asarray(sheet)
