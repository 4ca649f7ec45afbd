"""Pictures of meshes without a window: rays are cast on the CPU, the surface looks like clay."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from eval.errors import MetricError
from eval.pictures.lighting import Floats, spread_over_square, unit
from eval.pictures.shadows import TILE, share_of_light
from eval.pictures.stage import Light, Stage
from eval.pictures.view import View
from geom_miner import TriangleMesh

Picture = npt.NDArray[np.uint8]

CLAY = (0.73, 0.70, 0.66)  # linear albedo
BACKGROUND = (0.985, 0.985, 0.985)  # of the finished picture
FLOOR_SHADOW = 0.6  # share of the true shadow that the floor shows; full black draws the eye
MARGIN = 0.05  # free border, as a share of the picture's side
ROWS_AT_ONCE = 32  # bands small enough for the cache of a core, large enough to keep NumPy busy
_LIGHT_RAYS = 9  # from each pixel to each light, at least; ``shadows`` lets neighbors share theirs

Result = TypeVar("Result")


def render_mesh(
    mesh: TriangleMesh,
    *,
    width: int,
    height: int,
    view: View | None = None,
    colors: npt.ArrayLike | None = None,
    supersampling: int = 3,
    crease_degrees: float = 40.0,
    ground_shadow: bool = False,
    transparent: bool = False,
) -> Picture:
    """Render a mesh as matte clay under soft light with ambient occlusion.

    Parameters
    ----------
    width, height : pixels.
    view : an unframed view frames this mesh; use ``View.framing`` for several alike.
    colors : (v, 3) in [0, 1], sRGB color of each vertex instead of clay.
    supersampling : rays along each side of a pixel, >= 1; each hit casts more to the lights.
    crease_degrees : neighboring faces that bend less share smooth normals; 0 is flat.
    ground_shadow : let the mesh darken the floor below it.
    transparent : leave the background out, so that the picture suits paper of any color.

    Returns
    -------
    (height, width, 3) uint8, sRGB; a mesh without faces in a framed view is background only.
    Transparent, (height, width, 4): the last channel is the share of the pixel that is covered,
    and the color is that of the covered part alone.

    Raises
    ------
    MetricError
        A size is below 1, colors do not fit the vertices, or a shadow is to fall on no floor.
    BackendUnavailable
        embreex is not installed.
    """
    _check_sizes(width, height, supersampling, transparent and ground_shadow)
    view = view or View()
    if view.center is None or view.half_size is None:
        view = view.framing(mesh)
    assert view.center is not None
    assert view.half_size is not None
    background = _linear(np.array(BACKGROUND, dtype=np.float32))
    if not len(mesh.faces):
        color = np.zeros(4, dtype=np.uint8) if transparent else _encode(background)
        return np.broadcast_to(color, (height, width, len(color))).copy()

    # Camera coordinates in which the picture is two units high.
    free = 1 - 2 * MARGIN
    unit_size = max(view.half_size[1], view.half_size[0] * height / width) / free
    camera = (mesh.vertices - np.array(view.center)) @ view.axes.T / max(unit_size, 1e-300)
    stage = Stage(camera, mesh.faces, _vertex_colors(colors, len(camera)), crease_degrees)
    up = _floor_normal(view) if ground_shadow else None
    pixels = _gather_light(stage, up, (height, width), supersampling)
    light, share = pixels.surface.shaded(), pixels.share[..., None]
    if transparent:
        alpha = (share * 255 + 0.5).astype(np.uint8)
        surface = (light / np.maximum(share, 1e-6)).astype(np.float32)
        return np.concatenate([_encode(surface), alpha], axis=2)
    behind: Floats = np.broadcast_to(background, light.shape)
    if pixels.floor is not None:
        lit, full = pixels.floor.shaded().sum(axis=2), pixels.floor.full.sum(axis=(2, 3))
        hidden = 1 - lit / np.maximum(full, np.float32(1e-6))
        behind = (behind * (1 - FLOOR_SHADOW * hidden)[..., None]).astype(np.float32)
    return _encode(light + (1 - share) * behind)


@dataclass(frozen=True)
class _Pixels:
    """What each pixel of a picture, or of some of its rows, shows.

    Parameters
    ----------
    surface, floor : mean of ``full``, sums of the light's rays, positions in pixels.
    share : (rows, columns) of a pixel that the surface covers.
    """

    surface: _PixelLight
    floor: _PixelLight | None
    share: Floats


@dataclass(frozen=True)
class _PixelLight(Light):
    """The light of pixels; all arrays are (rows, columns, ...)."""

    def shaded(self) -> Floats:
        """Color (rows, columns, 3): the full light by the shares of it that arrive."""

        def band(rows: slice) -> Floats:
            shares = share_of_light(
                self.arriving, self.possible, self.positions, self.normals, rows
            )
            color: Floats = np.einsum("ijk,ijkc->ijc", shares, self.full[rows])
            return color

        return np.concatenate(_in_bands(len(self.full), band))


def _gather_light(
    stage: Stage, up: Floats | None, size: tuple[int, int], supersampling: int
) -> _Pixels:
    """Cast the rays of all pixels.

    Parameters
    ----------
    up : normal of the floor, or None without one.
    size : rows and columns of the picture.
    """
    height, width = size
    per_pixel = supersampling**2
    rays = -(-_LIGHT_RAYS // per_pixel)
    sub = (np.arange(supersampling) + 0.5) / supersampling

    def band(rows: slice) -> _Pixels:
        row = np.arange(rows.start, rows.stop)
        # (row, column, sub-row, sub-column): the samples of a pixel lie side by side.
        y = 1 - 2 * (row[:, None, None, None] + sub[None, None, :, None]) / height
        x = (2 * (np.arange(width)[None, :, None, None] + sub) - width) / height
        xy = np.stack(np.broadcast_arrays(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
        shape = (len(row), width)
        tile = TILE[row[:, None] % len(TILE), np.arange(width) % len(TILE)].reshape(-1, 1)
        order = (tile * per_pixel + np.arange(per_pixel)).reshape(-1) * rays
        squares = [spread_over_square(order + ray) for ray in range(rays)]
        light, hit = stage.look(xy, squares)
        surface, share = _by_pixel(light, hit // per_pixel, shape, per_pixel, height)
        floor = None
        if up is not None:
            every = np.arange(len(xy)) // per_pixel
            floor, _ = _by_pixel(stage.floor(xy, squares, up), every, shape, per_pixel, height)
        return _Pixels(surface, floor, share)

    return _joined(_in_bands(height, band))


def _by_pixel(
    light: Light, pixel: npt.NDArray[np.int64], shape: tuple[int, int], per_pixel: int, height: int
) -> tuple[_PixelLight, Floats]:
    """Put together the samples of each pixel; return the share of the pixel they cover as well.

    Parameters
    ----------
    pixel : (n,), ascending, the pixel of each sample.
    shape : rows and columns of pixels.
    """
    firsts = np.flatnonzero(np.diff(pixel, prepend=-1))
    counts = np.bincount(pixel, minlength=math.prod(shape)).astype(np.float32)
    hits: Floats = counts.reshape(*shape, 1)

    def total(values: Floats) -> Floats:
        sums = np.zeros((math.prod(shape), *values.shape[1:]), dtype=np.float32)
        if len(firsts):
            sums[pixel[firsts]] = np.add.reduceat(values, firsts, axis=0)
        return sums.reshape(*shape, *values.shape[1:])

    pixels = _PixelLight(
        total(light.full) / np.float32(per_pixel),
        total(light.arriving),
        total(light.possible),
        (total(light.positions) / np.maximum(hits, 1) * (height / 2)).astype(np.float32),
        unit(total(light.normals).reshape(-1, 3)).reshape(*shape, 3),
    )
    return pixels, hits[..., 0] / np.float32(per_pixel)


def _joined(bands: list[_Pixels]) -> _Pixels:
    """The pixels of all bands, one below the other."""

    def light(parts: list[_PixelLight]) -> _PixelLight:
        names = ("full", "arriving", "possible", "positions", "normals")
        return _PixelLight(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))

    floors = [band.floor for band in bands if band.floor is not None]
    return _Pixels(
        light([band.surface for band in bands]),
        light(floors) if floors else None,
        np.concatenate([band.share for band in bands]),
    )


def _bands(height: int) -> list[slice]:
    return [slice(k, min(k + ROWS_AT_ONCE, height)) for k in range(0, height, ROWS_AT_ONCE)]


def _in_bands(height: int, work: Callable[[slice], Result]) -> list[Result]:
    """Results for the bands of a picture, from several threads."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, _bands(height)))


def _floor_normal(view: View) -> Floats | None:
    """Normal of a floor that is horizontal in the world; None unless it is seen from above."""
    sky = np.array([0, 0, 1] if view.up == "z" else [0, 1, 0], dtype=np.float64)
    up: Floats = (view.axes @ sky).astype(np.float32)
    return up if up[2] > 0.02 else None


def _check_sizes(width: int, height: int, supersampling: int, shadow_on_nothing: bool) -> None:
    if min(width, height, supersampling) < 1:
        raise MetricError(
            f"width, height and supersampling must be >= 1, got {width}, {height}, {supersampling}"
        )
    if shadow_on_nothing:
        raise MetricError("a transparent picture has no floor for a shadow; ask for one of the two")


def _vertex_colors(colors: npt.ArrayLike | None, count: int) -> Floats:
    if colors is None:
        return np.array([CLAY], dtype=np.float32)
    values = np.asarray(colors, dtype=np.float32)
    if values.shape != (count, 3) or not (values.min() >= 0 and values.max() <= 1):
        raise MetricError(
            f"colors must have shape ({count}, 3) with values in [0, 1], got {values.shape}"
        )
    return _linear(values)


def _linear(srgb: Floats) -> Floats:
    low = srgb / 12.92
    return np.where(srgb <= 0.04045, low, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _encode(linear: Floats) -> Picture:
    clipped = np.clip(linear, 0, 1)
    srgb = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return (srgb * 255 + 0.5).astype(np.uint8)
