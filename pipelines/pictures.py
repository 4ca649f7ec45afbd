"""The pictures of a run: source beside levels of detail, active blocks, quality over time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from eval.levels import ImageLevel, ShapeLevel
from eval.pictures import (
    QualityPoint,
    View,
    active_blocks_figure,
    block_layers,
    contact_sheet,
    draw_closeups,
    quality_over_time,
    render_mesh,
    write_picture,
)
from geom_miner import TriangleMesh, load_model, read_mesh

_WIDTH, _HEIGHT = 420, 560


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

    layers = block_layers(load_model(folder / "model.miner"), lods)
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
