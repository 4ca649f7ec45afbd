"""The pictures of a run: source beside levels of detail, active blocks, quality over time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from eval import (
    BlockLayer,
    ImageLevel,
    QualityPoint,
    ShapeLevel,
    View,
    active_blocks_figure,
    contact_sheet,
    quality_over_time,
    render_mesh,
)
from geom_miner import TriangleMesh, load_model, read_mesh, write_image

_WIDTH, _HEIGHT = 420, 560
# Pixels of a closer look, and how much closer it is.
_CLOSEUP, _ZOOM = 640, 8
# Pixels of the whole by which the place for it is chosen.
_OVERVIEW = 400


def draw_shape_pictures(
    folder: Path,
    source: TriangleMesh,
    meshes: Mapping[int, Path | None],
    levels: Sequence[ShapeLevel],
    view: View,
    *,
    title: str = "source",
) -> None:
    """Write lods.png, closeup.png, active_blocks.png and quality.png."""
    nothing = TriangleMesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))
    lods = {scale: read_mesh(path) if path else nothing for scale, path in meshes.items()}
    images = [render_mesh(source, width=_WIDTH, height=_HEIGHT, view=view)]
    captions = [f"{title}\n{len(source.faces):,} faces"]
    for level in levels[::-1]:
        images.append(render_mesh(lods[level.scale], width=_WIDTH, height=_HEIGHT, view=view))
        captions.append(f"LoD {level.scale}: {level.faces:,} faces\n{_quality(level)}")
    write_picture(folder / "lods.png", contact_sheet(images, captions))
    finest = levels[-1]
    draw_closeups(
        folder / "closeup.png",
        view,
        {title: source, f"LoD {finest.scale}: {_quality(finest)}": lods[finest.scale]},
    )

    representation = load_model(folder / "model.miner")
    layers = []
    for blocks in representation.scales:
        grid = representation.grid.at_scale(blocks.scale)
        starts = blocks.layout.starts_of(blocks.fitted_ids).numpy()
        size = np.array(blocks.layout.block_shape) * grid.spacing
        corner = grid.index_to_world(starts - 0.5)
        layers.append(
            BlockLayer(blocks.scale, corner, (size[0], size[1], size[2]), lods[blocks.scale])
        )
    # Framed anew around the blocks, which reach beyond the shape, and seen a little from the side.
    aside = View(azimuth=view.azimuth + 20, elevation=max(view.elevation, 20), up=view.up)
    if not any(len(layer.low_corners) for layer in layers):
        aside = view
    figure = active_blocks_figure(layers, view=aside, width=_WIDTH, height=_HEIGHT)
    write_picture(folder / "active_blocks.png", figure)
    quality_over_time(
        time_line(levels, [level.iou_voxel for level in levels]),
        folder / "quality.png",
        quantity="IoU",
    )


def draw_closeups(path: Path, view: View, meshes: Mapping[str, TriangleMesh]) -> None:
    """Write meshes side by side, by their captions, where there is most to see.

    Parameters
    ----------
    view : framed around the whole of the first mesh.
    """
    first = next(iter(meshes.values()))
    near = _closer(view, first)
    images = [
        render_mesh(mesh, width=_CLOSEUP, height=_CLOSEUP, view=near, crease_degrees=0.0)
        for mesh in meshes.values()
    ]
    write_picture(path, contact_sheet(images, list(meshes)))


def _closer(view: View, mesh: TriangleMesh) -> View:
    """The part of the view that the shape fills and in which its shading differs most."""
    assert view.half_size is not None
    whole = max(view.half_size)
    side = _OVERVIEW // _ZOOM
    square = replace(view, half_size=(whole, whole))
    picture = render_mesh(
        mesh, width=_OVERVIEW, height=_OVERVIEW, view=square, crease_degrees=0.0
    ).astype(np.float64)
    shape = picture.any(axis=2) & (picture != picture[0, 0]).any(axis=2)
    windows = sliding_window_view(picture.mean(axis=2), (side, side))[::2, ::2]
    filled = sliding_window_view(shape, (side, side))[::2, ::2].mean(axis=(2, 3))
    contrast = windows.std(axis=(2, 3)) * (filled >= min(0.98, filled.max()))
    row, column = np.unravel_index(contrast.argmax(), contrast.shape)
    right = (2 * int(column) + side / 2) / _OVERVIEW * 2 - 1
    up = 1 - (2 * int(row) + side / 2) / _OVERVIEW * 2
    center = np.asarray(view.center) + whole * (right * view.axes[0] + up * view.axes[1])
    x, y, z = center.tolist()
    return replace(view, center=(x, y, z), half_size=(whole / _ZOOM, whole / _ZOOM))


def _quality(level: ShapeLevel) -> str:
    error = level.surface_error_voxels
    away = f", {error['mean']:.2f} voxel off" if error else ""
    return f"IoU {level.iou_voxel:.4f}{away}"


def time_line(
    levels: Sequence[ShapeLevel | ImageLevel], values: Sequence[float]
) -> list[QualityPoint]:
    """One point per scale: quality when its fit ended."""
    ends = itertools.accumulate(level.seconds for level in levels)
    return [
        QualityPoint(end, value, level.scale)
        for end, value, level in zip(ends, values, levels, strict=True)
    ]


def write_picture(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write an 8-bit picture as PNG."""
    write_image(path, picture.astype(np.float32) / 255.0)
