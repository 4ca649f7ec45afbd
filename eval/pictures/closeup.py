"""Closer looks: which part of a picture is worth enlarging, and meshes drawn there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from eval.pictures.render import MARGIN, render_mesh
from eval.pictures.sheet import contact_sheet, write_picture
from eval.pictures.view import View
from geom_miner import TriangleMesh

Floats = npt.NDArray[np.float64]

# Pixels of a closer look, and how much closer it is.
_SIZE, _ZOOM = 640, 8.0
# Pixels of the picture of the whole in which its position is chosen.
_OVERVIEW = 400
# A window counts as filled by the shape from this share on: it may hold a few small holes.
_FILLED = 0.98


def closer_view(view: View, interest: Floats, zoom: float) -> View:
    """Narrow a view to the window of the greatest interest.

    Parameters
    ----------
    view : framed.
    interest : (rows, columns), for each pixel of a picture in this view the interest of the window
        around it.
    zoom : sides of the picture over those of the window.
    """
    assert view.center is not None
    assert view.half_size is not None
    rows, columns = interest.shape
    window = _window(interest, zoom)
    row, column = np.unravel_index(int(interest.argmax()), interest.shape)
    # Keep the window inside of the picture.
    row = np.clip(row, window[0] // 2, rows - 1 - window[0] // 2)
    column = np.clip(column, window[1] // 2, columns - 1 - window[1] // 2)
    free = 1 - 2 * MARGIN
    per_pixel = 2 * max(view.half_size[1], view.half_size[0] * rows / columns) / (free * rows)
    right, up, _ = view.axes
    shift = ((column + 0.5 - columns / 2) * right - (row + 0.5 - rows / 2) * up) * per_pixel
    x, y, z = (np.array(view.center) + shift).tolist()
    half = free / 2 * per_pixel * np.array([columns, rows]) / zoom
    return replace(view, center=(x, y, z), half_size=(float(half[0]), float(half[1])))


def differences(picture: Floats, others: Sequence[Floats], zoom: float) -> Floats:
    """How much gray pictures differ from the first one, by their median, (rows, columns).

    The median keeps one that differs everywhere from deciding on the window.
    """
    apart = [np.abs(other - picture) for other in others] or [picture]
    median = np.median(apart, axis=0)
    interest: Floats = uniform_filter(median, _window(median, zoom), mode="constant")
    return interest


def contrast(gray: Floats, shape: npt.NDArray[np.bool_], zoom: float) -> Floats:
    """How much the shading varies in windows that the shape fills, (rows, columns).

    Parameters
    ----------
    shape : the pixels that show the shape.
    """
    window = _window(gray, zoom)
    filled = uniform_filter(shape.astype(np.float64), window, mode="constant")
    mean = uniform_filter(gray, window, mode="nearest")
    variance = uniform_filter(gray * gray, window, mode="nearest") - mean * mean
    interest: Floats = np.sqrt(np.maximum(variance, 0)) * (filled >= min(_FILLED, filled.max()))
    return interest


def draw_closeups(path: Path, view: View, meshes: Mapping[str, TriangleMesh]) -> None:
    """Write meshes side by side with captions, where the first one shows the most detail.

    Parameters
    ----------
    view : framed around the whole of the first mesh.
    meshes : by their captions.
    """
    assert view.half_size is not None
    half = max(view.half_size)
    square = replace(view, half_size=(half, half))
    first = next(iter(meshes.values()))
    # One ray a pixel: the overview only chooses where to look.
    overview = render_mesh(
        first, width=_OVERVIEW, height=_OVERVIEW, view=square, supersampling=1, crease_degrees=0
    )
    shape = (overview != overview[0, 0]).any(axis=2)
    near = closer_view(square, contrast(overview.mean(axis=2), shape, _ZOOM), _ZOOM)
    images = [
        render_mesh(mesh, width=_SIZE, height=_SIZE, view=near, crease_degrees=0)
        for mesh in meshes.values()
    ]
    write_picture(path, contact_sheet(images, list(meshes)))


def _window(picture: npt.NDArray[np.generic], zoom: float) -> tuple[int, int]:
    rows, columns = picture.shape
    return max(1, round(rows / zoom)), max(1, round(columns / zoom))
