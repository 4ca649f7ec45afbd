"""Model a smooth shape by merging solids into one sampled field, each in its own box."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter, label

from geom_miner import SampleGrid, TriangleMesh
from geom_miner.extract import extract_mesh
from geom_miner.grid import BlockGrid, SparseBlocks

Field = npt.NDArray[np.float32]
Point = tuple[float, float, float]
Solid = Callable[[Field, Field, Field], Field]
"""Signed distance at positions x, y, z (broadcastable), negative inside; a bound suffices."""

_FAR = 1.0
_BLOCK_SIZE = 32  # meshing takes time only in blocks that the surface crosses


class Canvas:
    """A field over a box, initially empty, into which solids are merged one after the other."""

    def __init__(self, low: Point, high: Point, spacing: float) -> None:
        counts = [round((b - a) / spacing) for a, b in zip(low, high, strict=True)]
        self.grid = SampleGrid((counts[0], counts[1], counts[2]), (spacing,) * 3, low)
        self._axes = [
            (a + (np.arange(n) + 0.5) * spacing).astype(np.float32)
            for a, n in zip(low, counts, strict=True)
        ]
        self._field = np.full(counts, _FAR, dtype=np.float32)

    def merge(self, solid: Solid, low: Point, high: Point, *, blend: float = 0.0) -> None:
        """Unite the field with a solid that lies inside the box from ``low`` to ``high``.

        ``blend`` is the width of the fillet between the old surface and the solid. Outside the box
        widened by ``blend`` the surface does not change, so nothing is computed there.
        """
        region = []
        for axis, a, b in zip(self._axes, low, high, strict=True):
            start, stop = np.searchsorted(axis, (a - blend - 0.02, b + blend + 0.02))
            region.append(slice(int(start), int(stop)))
        x, y, z = (axis[span] for axis, span in zip(self._axes, region, strict=True))
        new = solid(x[:, None, None], y[None, :, None], z[None, None, :])
        old = self._field[tuple(region)]
        merged = np.minimum(old, new)
        if blend > 0:
            near = np.maximum(blend - np.abs(old - new), 0.0)
            merged -= near * near / (4.0 * blend)
        self._field[tuple(region)] = merged

    def ellipsoid(self, center: Point, radii: Point, *, blend: float = 0.0) -> None:
        c, r = np.asarray(center, dtype=np.float32), np.asarray(radii, dtype=np.float32)

        def solid(x: Field, y: Field, z: Field) -> Field:
            u, v, w = (x - c[0]) / r[0], (y - c[1]) / r[1], (z - c[2]) / r[2]
            inner = np.sqrt(u * u + v * v + w * w)
            slope = np.sqrt((u / r[0]) ** 2 + (v / r[1]) ** 2 + (w / r[2]) ** 2)
            return inner * (inner - 1) / np.maximum(slope, np.float32(1e-6))

        self.merge(solid, _shift(center, radii, -1), _shift(center, radii, 1), blend=blend)

    def limb(self, a: Point, b: Point, ra: float, rb: float, *, blend: float = 0.0) -> None:
        """A capsule whose radius changes from ``ra`` at ``a`` to ``rb`` at ``b``."""
        start = np.asarray(a, dtype=np.float32)
        along = np.asarray(b, dtype=np.float32) - start
        length2 = float(along @ along)

        def solid(x: Field, y: Field, z: Field) -> Field:
            u, v, w = x - start[0], y - start[1], z - start[2]
            t = np.clip((u * along[0] + v * along[1] + w * along[2]) / length2, 0, 1)
            du, dv, dw = u - t * along[0], v - t * along[1], w - t * along[2]
            return np.sqrt(du * du + dv * dv + dw * dw) - (ra + t * (rb - ra))

        r = max(ra, rb)
        low = (min(a[0], b[0]) - r, min(a[1], b[1]) - r, min(a[2], b[2]) - r)
        high = (max(a[0], b[0]) + r, max(a[1], b[1]) + r, max(a[2], b[2]) + r)
        self.merge(solid, low, high, blend=blend)

    def chain(self, points: list[Point], radii: list[float], *, blend: float = 0.0) -> None:
        """Limbs from point to point."""
        pairs = zip(points, points[1:], radii, radii[1:], strict=False)
        for a, b, ra, rb in pairs:
            self.limb(a, b, ra, rb, blend=blend)

    def ring(
        self, center: Point, radius: float, thickness: float, *, blend: float = 0.0, tilt: float = 0
    ) -> None:
        """A torus about the z direction through ``center``, rising along x by ``tilt``."""
        c = np.asarray(center, dtype=np.float32)

        def solid(x: Field, y: Field, z: Field) -> Field:
            across = np.sqrt((x - c[0]) ** 2 + (y - c[1]) ** 2) - radius
            return np.sqrt(across**2 + (z - c[2] - tilt * (x - c[0])) ** 2) - thickness

        r = radius + thickness
        extent = (r, r, thickness + abs(tilt) * r)
        self.merge(solid, _shift(center, extent, -1), _shift(center, extent, 1), blend=blend)

    def mesh(self) -> TriangleMesh:
        """The surface of everything merged so far, closed and oriented outward.

        A blur of half a sample smooths the steps along edges between two solids. Cavities that
        the solids enclose are filled, since nobody could see them.
        """
        inside = gaussian_filter(-self._field, 0.5)
        air, _ = label(inside < 0)
        inside[(air > 0) & (air != air[0, 0, 0])] = _FAR
        layout = BlockGrid.covering(self.grid.shape, (_BLOCK_SIZE,) * 3)
        blocks = SparseBlocks.from_dense(torch.from_numpy(inside)[..., None], layout)
        return extract_mesh(blocks, self.grid, iso_level=0.0)


def _shift(center: Point, extent: Point, sign: int) -> Point:
    x, y, z = (c + sign * e for c, e in zip(center, extent, strict=True))
    return x, y, z
