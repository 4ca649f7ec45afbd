"""Pictures of meshes without a window: rays are cast on the CPU, the surface looks like clay."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.errors import MetricError
from eval.pictures.lighting import Floats, irradiance, unit
from eval.pictures.view import View
from geom_miner import TriangleMesh
from geom_miner.errors import missing_extra

Picture = npt.NDArray[np.uint8]

CLAY = (0.73, 0.70, 0.66)  # linear albedo
BACKGROUND = (0.985, 0.985, 0.985)  # of the finished picture
FLOOR_SHADOW = 0.6  # share of the true shadow that the floor shows; full black draws the eye
MARGIN = 0.05  # free border, as a share of the picture's side
ROWS_AT_ONCE = 32  # bands small enough for the cache of a core, large enough to keep NumPy busy


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
    seed: int = 0,
) -> Picture:
    """Render a mesh as matte clay under soft light with ambient occlusion.

    Parameters
    ----------
    width, height : pixels.
    view : an unframed view frames this mesh; use ``View.framing`` for several alike.
    colors : (v, 3) in [0, 1], sRGB color of each vertex instead of clay.
    supersampling : rays along each side of a pixel, >= 1; each hit casts seven more for light.
    crease_degrees : neighboring faces that bend less share smooth normals; 0 is flat.
    ground_shadow : let the mesh darken the floor below it.
    transparent : leave the background out, so that the picture suits paper of any color.
    seed : of the light's sampling; the same seed gives the same picture.

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
    if min(width, height, supersampling) < 1:
        raise MetricError(
            f"width, height and supersampling must be >= 1, got {width}, {height}, {supersampling}"
        )
    if transparent and ground_shadow:
        raise MetricError("a transparent picture has no floor for a shadow; ask for one of the two")
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
    stage = _Stage(camera, mesh.faces, crease_degrees)
    stage.albedo = _vertex_colors(colors, len(camera))
    if ground_shadow:
        stage.set_ground(view)

    per_pixel = supersampling**2
    starts = range(0, height, ROWS_AT_ONCE)
    seeds = np.random.SeedSequence(seed).spawn(len(starts))

    def band(first: int, seed_of_band: np.random.SeedSequence) -> Picture:
        rows = np.arange(first, min(first + ROWS_AT_ONCE, height))
        # (row, column, sub-row, sub-column): the samples of a pixel lie side by side.
        sub = (np.arange(supersampling) + 0.5) / supersampling
        y = 1 - 2 * (rows[:, None, None, None] + sub[None, None, :, None]) / height
        x = (2 * (np.arange(width)[None, :, None, None] + sub) - width) / height
        shape = (len(rows), width, supersampling, supersampling)
        xy = np.stack([np.broadcast_to(x, shape), np.broadcast_to(y, shape)], axis=-1)
        pixels = len(rows) * width
        offset = np.random.default_rng(seed_of_band).random((pixels, 2), dtype=np.float32)
        light, covered = stage.look(
            xy.reshape(-1, 2).astype(np.float32),
            order=np.tile(np.arange(per_pixel), pixels),
            offset=np.repeat(offset, per_pixel, axis=0),
            background=np.zeros(3, dtype=np.float32) if transparent else background,
        )
        mean = light.reshape(len(rows), width, per_pixel, 3).mean(axis=2)
        if not transparent:
            return _encode(mean)
        share = covered.reshape(len(rows), width, per_pixel).mean(axis=2)[..., None]
        alpha = (share * 255 + 0.5).astype(np.uint8)
        return np.concatenate([_encode(mean / np.maximum(share, 1e-6)), alpha], axis=2)

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return np.concatenate(list(pool.map(band, starts, seeds)))


class _Stage:
    """A mesh in camera coordinates, ready for rays."""

    def __init__(self, vertices: Floats, faces: npt.NDArray[np.integer], crease: float) -> None:
        self.vertices = vertices.astype(np.float32)
        self.faces = faces
        self.occluded, self.intersect = _ray_caster(self.vertices, faces)
        self.albedo = np.array([CLAY], dtype=np.float32)
        self.near = float(self.vertices[:, 2].max()) + 1.0
        self.ground: tuple[Floats, float] | None = None
        corners = vertices[faces]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.weighted = cross.astype(np.float32)
        self.cos_crease = float(np.cos(np.radians(crease)))
        order = np.argsort(faces.reshape(-1), kind="stable")
        self.faces_around = order // 3
        self.first_around = np.searchsorted(faces.reshape(-1)[order], np.arange(len(vertices) + 1))

    def set_ground(self, view: View) -> None:
        """Put a floor under the mesh, horizontal in the world."""
        sky = np.array([0, 0, 1] if view.up == "z" else [0, 1, 0], dtype=np.float64)
        up = (view.axes @ sky).astype(np.float32)
        if up[2] > 0.02:  # seen edge-on or from below there is no floor to see
            self.ground = up, float((self.vertices @ up).min())

    def look(
        self,
        xy: Floats,
        *,
        order: npt.NDArray[np.int64],
        offset: Floats,
        background: Floats,
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Linear color along the viewing rays through ``xy``, (n, 3), and which hit, (n,)."""
        origins = np.column_stack([xy, np.full(len(xy), self.near, dtype=np.float32)])
        directions = np.zeros_like(origins)
        directions[:, 2] = -1
        face, depth, barycentric = self.intersect(origins, directions)
        result = np.tile(background, (len(xy), 1))
        hit = np.flatnonzero(face >= 0)
        if len(hit):
            points = origins[hit]
            points[:, 2] -= depth[hit]
            normals, flat = self._normals(face[hit], barycentric[hit])
            light = irradiance(self.occluded, points, normals, flat, order[hit], offset[hit])
            result[hit] = light * self._albedo_at(face[hit], barycentric[hit])
        if self.ground is not None:
            missed = np.flatnonzero(face < 0)
            result[missed] *= self._floor_light(origins[missed], order[missed], offset[missed])
        return result, face >= 0

    def _normals(self, face: npt.NDArray[np.int32], barycentric: Floats) -> tuple[Floats, Floats]:
        """Smooth and flat unit normals of hits, both toward the viewer."""
        seen, row = np.unique(face, return_inverse=True)
        smooth = unit(np.einsum("nc,ncx->nx", barycentric, self._corner_normals(seen)[row]))
        flat = unit(self.weighted[seen])[row]
        turn = np.where(flat[:, 2] < 0, -1, 1).astype(np.float32)[:, None]
        flat, smooth = flat * turn, smooth * turn
        # A smooth normal that points away from the viewer would go black at the outline.
        smooth[:, 2] = np.maximum(smooth[:, 2], 0.02)
        return unit(smooth), flat

    def _corner_normals(self, seen: npt.NDArray[np.integer]) -> Floats:
        """Area-weighted mean of the faces around each corner that bend less than the crease."""
        corner = self.faces[seen].reshape(-1)
        first, last = self.first_around[corner], self.first_around[corner + 1]
        valence = last - first
        pair_corner = np.repeat(np.arange(len(corner)), valence)
        within = np.arange(len(pair_corner)) - np.repeat(np.cumsum(valence) - valence, valence)
        neighbor = self.faces_around[np.repeat(first, valence) + within]
        own = np.repeat(unit(self.weighted[seen]), 3, axis=0)[pair_corner]
        other = self.weighted[neighbor]
        length = np.sqrt(np.einsum("ij,ij->i", other, other))
        # The tiny slack keeps a face in its own mean when the crease angle is 0.
        alike = np.einsum("ij,ij->i", own, other) >= (self.cos_crease - 1e-5) * length
        other = other * alike[:, None]
        sums = np.stack(
            [np.bincount(pair_corner, other[:, k], minlength=len(corner)) for k in range(3)], axis=1
        )
        return unit(sums.astype(np.float32)).reshape(-1, 3, 3)

    def _albedo_at(self, face: npt.NDArray[np.int32], barycentric: Floats) -> Floats:
        if len(self.albedo) == 1:
            return self.albedo
        corners = self.albedo[self.faces[face]]
        albedo: Floats = np.einsum("nc,ncx->nx", barycentric, corners)
        return albedo

    def _floor_light(self, origins: Floats, order: npt.NDArray[np.int64], offset: Floats) -> Floats:
        """Share of the light that the mesh leaves to the floor, (n, 1)."""
        assert self.ground is not None
        up, level = self.ground
        points = origins.copy()
        points[:, 2] = (level - origins[:, :2] @ up[:2]) / up[2]
        normals = np.tile(up, (len(points), 1))

        def nothing(starts: Floats, _: Floats) -> npt.NDArray[np.bool_]:
            return np.zeros(len(starts), dtype=bool)

        there = irradiance(self.occluded, points, normals, normals, order, offset).sum(axis=1)
        free = irradiance(nothing, points, normals, normals, order, offset).sum(axis=1)
        hidden = 1 - there / np.maximum(free, 1e-6)
        shares: Floats = (1 - FLOOR_SHADOW * hidden)[:, None].astype(np.float32)
        return shares


def _ray_caster(
    vertices: Floats, faces: npt.NDArray[np.integer]
) -> tuple[
    Callable[[Floats, Floats], npt.NDArray[np.bool_]],
    Callable[[Floats, Floats], tuple[npt.NDArray[np.int32], Floats, Floats]],
]:
    """Two questions about rays: is anything hit; which face, how far, and where inside it."""
    try:
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh as EmbreeMesh
    except ImportError as error:
        raise missing_extra("rendering needs embreex", "eval") from error
    scene: Any = rtcore_scene.EmbreeScene()
    # The scene refers to the geometry, which must therefore outlive it.
    geometry = EmbreeMesh(scene, vertices, np.ascontiguousarray(faces, dtype=np.int32))
    # The first query builds the tree; the ones from several threads then only read it.
    down = np.array([[0, 0, -1]], dtype=np.float32)
    scene.run(np.array([[0, 0, 1e3]], dtype=np.float32), down, query="OCCLUDED")

    def occluded(origins: Floats, directions: Floats) -> npt.NDArray[np.bool_]:
        assert geometry is not None
        hits = scene.run(
            np.ascontiguousarray(origins), np.ascontiguousarray(directions), query="OCCLUDED"
        )
        return np.asarray(hits) >= 0

    def intersect(
        origins: Floats, directions: Floats
    ) -> tuple[npt.NDArray[np.int32], Floats, Floats]:
        found = scene.run(origins, directions, output=1)
        u, v = found["u"], found["v"]
        return found["primID"], found["tfar"], np.stack([1 - u - v, u, v], axis=1)

    return occluded, intersect


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
