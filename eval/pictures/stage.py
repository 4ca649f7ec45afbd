"""A mesh as a camera sees it: what viewing rays hit, how it bends there, which light arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.pictures.lighting import (
    KEY_COLOR,
    SKY_COLOR,
    Floats,
    full_light,
    trace_light,
    unit,
)
from geom_miner.errors import missing_extra

COLORS = np.stack([KEY_COLOR, SKY_COLOR])  # (source, channel)


@dataclass(frozen=True)
class Light:
    """Light of both sources from the points of a surface that viewing rays hit.

    Parameters
    ----------
    full : (n, source, channel), toward the viewer if there were no shadows.
    arriving, possible : (n, source), sums over rays; see ``trace_light``.
    positions, normals : (n, 3), in camera coordinates.
    """

    full: Floats
    arriving: Floats
    possible: Floats
    positions: Floats
    normals: Floats


class Stage:
    """A mesh in camera coordinates, ready for rays.

    Parameters
    ----------
    vertices : (v, 3), camera coordinates in which the picture is two units high.
    faces : (f, 3)
    albedo : (1 or v, 3), linear.
    crease : degrees; neighboring faces that bend less share smooth normals.
    """

    def __init__(
        self,
        vertices: npt.NDArray[np.float64],
        faces: npt.NDArray[np.integer],
        albedo: Floats,
        crease: float,
    ) -> None:
        self._faces = faces
        self._albedo = albedo
        self._vertices = vertices.astype(np.float32)
        self._occluded, self._intersect = _ray_caster(self._vertices, faces)
        self._near = float(self._vertices[:, 2].max()) + 1.0
        corners = vertices[faces]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self._weighted = cross.astype(np.float32)
        self._cos_crease = float(np.cos(np.radians(crease)))
        order = np.argsort(faces.reshape(-1), kind="stable")
        self._faces_around = order // 3
        self._first_around = np.searchsorted(faces.reshape(-1)[order], np.arange(len(vertices) + 1))

    def look(self, xy: Floats, squares: Sequence[Floats]) -> tuple[Light, npt.NDArray[np.int64]]:
        """Light from the mesh along the viewing rays through ``xy``, (n, 2), and which hit, (m,).

        Parameters
        ----------
        squares : (n, 2) each, where the rays of each hit aim, one to each light for each square.
        """
        origins = np.column_stack([xy, np.full(len(xy), self._near, dtype=np.float32)])
        directions = np.zeros_like(origins)
        directions[:, 2] = -1
        face, depth, barycentric = self._intersect(origins, directions)
        hit = np.flatnonzero(face >= 0)
        face, barycentric = face[hit], barycentric[hit]
        points = origins[hit]
        points[:, 2] -= depth[hit]
        normals, flat = self._normals(face, barycentric)
        aims = [square[hit] for square in squares]
        arriving, possible = self._trace(points, normals, flat, aims)
        full = full_light(normals)[..., None] * COLORS
        full *= self._albedo_at(face, barycentric)[:, None]
        return Light(full, arriving, possible, points, normals), hit

    def floor(self, xy: Floats, squares: Sequence[Floats], up: Floats) -> Light:
        """Light on a floor below the mesh, seen through ``xy``; for the arguments see ``look``.

        Parameters
        ----------
        up : (3,), unit normal of the floor.
        """
        level = float((self._vertices @ up).min())
        points = np.column_stack([xy, (level - xy @ up[:2]) / up[2]]).astype(np.float32)
        normals = np.tile(up, (len(points), 1))
        arriving, possible = self._trace(points, normals, normals, squares)
        full = full_light(normals)[..., None] * COLORS
        return Light(full, arriving, possible, points, normals)

    def _trace(
        self, points: Floats, normals: Floats, flat: Floats, squares: Sequence[Floats]
    ) -> tuple[Floats, Floats]:
        """``trace_light``, summed over the rays of each point."""
        rays = [trace_light(self._occluded, points, normals, flat, aim) for aim in squares]
        arriving, possible = np.sum(rays, axis=0)
        return arriving, possible

    def _normals(self, face: npt.NDArray[np.int32], barycentric: Floats) -> tuple[Floats, Floats]:
        """Smooth and flat unit normals of hits, both toward the viewer."""
        seen, row = np.unique(face, return_inverse=True)
        smooth = unit(np.einsum("nc,ncx->nx", barycentric, self._corner_normals(seen)[row]))
        flat = unit(self._weighted[seen])[row]
        turn = np.where(flat[:, 2] < 0, -1, 1).astype(np.float32)[:, None]
        flat, smooth = flat * turn, smooth * turn
        # A smooth normal that points away from the viewer would go black at the outline.
        smooth[:, 2] = np.maximum(smooth[:, 2], 0.02)
        return unit(smooth), flat

    def _corner_normals(self, seen: npt.NDArray[np.integer]) -> Floats:
        """Area-weighted mean of the faces around each corner that bend less than the crease."""
        corner = self._faces[seen].reshape(-1)
        first, last = self._first_around[corner], self._first_around[corner + 1]
        valence = last - first
        pair_corner = np.repeat(np.arange(len(corner)), valence)
        within = np.arange(len(pair_corner)) - np.repeat(np.cumsum(valence) - valence, valence)
        neighbor = self._faces_around[np.repeat(first, valence) + within]
        own = np.repeat(unit(self._weighted[seen]), 3, axis=0)[pair_corner]
        other = self._weighted[neighbor]
        length = np.sqrt(np.einsum("ij,ij->i", other, other))
        # The tiny slack keeps a face in its own mean when the crease angle is 0.
        alike = np.einsum("ij,ij->i", own, other) >= (self._cos_crease - 1e-5) * length
        other = other * alike[:, None]
        sums = np.stack(
            [np.bincount(pair_corner, other[:, k], minlength=len(corner)) for k in range(3)], axis=1
        )
        return unit(sums.astype(np.float32)).reshape(-1, 3, 3)

    def _albedo_at(self, face: npt.NDArray[np.int32], barycentric: Floats) -> Floats:
        if len(self._albedo) == 1:
            return self._albedo
        albedo: Floats = np.einsum("nc,ncx->nx", barycentric, self._albedo[self._faces[face]])
        return albedo


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
