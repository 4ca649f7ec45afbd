"""Soft studio light for rendered meshes: one key light, a sky, and the shadows of both.

Everything happens in camera coordinates (x right, y up, z toward the viewer), float32, with
the picture about two units high.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
# Asks for rays (origins, directions), both (n, 3): which of them hit the surface, bool (n,).
Occluded = Callable[[Floats, Floats], npt.NDArray[np.bool_]]

KEY_DIRECTION = np.array([-0.58, 0.62, 0.53], dtype=np.float32) / np.float32(1.0019)
KEY_SOFTNESS = 0.16  # radius of the key light seen from one unit away: shadow edges are soft
KEY_COLOR = np.array([1.0, 0.97, 0.92], dtype=np.float32) * np.float32(0.80)
SKY_COLOR = np.array([0.90, 0.95, 1.0], dtype=np.float32) * np.float32(0.55)
# Light that reaches a hidden spot off other parts of the matte surface, as a share of the sky.
BOUNCE = 0.22
# Lifts the start of a shadow ray off the surface: far above float32's rounding at unit scale
# (1e-7), far below a pixel (1e-3).
LIFT = np.float32(2e-4)
KEY_RAYS, SKY_RAYS = 2, 5
# Successive points of this additive sequence fill the unit square evenly (plastic number).
PLASTIC = np.array([0.7548776662466927, 0.5698402909980532])


def irradiance(
    occluded: Occluded,
    points: Floats,
    normals: Floats,
    faces: Floats,
    order: npt.NDArray[np.int64],
    offset: Floats,
) -> Floats:
    """Gather light at surface points.

    Parameters
    ----------
    points, normals : (n, 3), positions and unit shading normals.
    faces : (n, 3), unit normals of the triangles, toward the viewer.
    order : (n,), running number of the sample inside its pixel; spreads rays of one pixel.
    offset : (n, 2) in [0, 1), equal for the samples of one pixel and random between pixels.

    Returns
    -------
    (n, 3) light by color, about 1 where nothing is hidden and the key light shines head-on.
    """
    origins = points + LIFT * faces
    key = np.zeros(len(points), dtype=np.float32)
    for ray in range(KEY_RAYS):
        directions = _toward_key(_square(order, KEY_RAYS, ray, offset))
        cosine = np.einsum("ij,ij->i", normals, directions)
        lit = (cosine > 0) & (np.einsum("ij,ij->i", faces, directions) > 0)
        lit[lit] = ~occluded(origins[lit], directions[lit])
        key += np.where(lit, cosine, 0) / np.float32(KEY_RAYS)
    sky = np.zeros(len(points), dtype=np.float32)
    for ray in range(SKY_RAYS):
        directions = _around(normals, _square(order, SKY_RAYS, ray, offset))
        # A smooth normal may send rays below its flat triangle: mirror them back.
        below = np.minimum(np.einsum("ij,ij->i", faces, directions), 0)
        directions -= 2 * below[:, None] * faces
        light = 0.62 + 0.38 * directions[:, 1] + 0.12 * directions[:, 2]
        sky += np.where(occluded(origins, directions), BOUNCE, light) / np.float32(SKY_RAYS)
    light_by_color: Floats = key[:, None] * KEY_COLOR + sky[:, None] * SKY_COLOR
    return light_by_color


def _square(order: npt.NDArray[np.int64], rays: int, ray: int, offset: Floats) -> Floats:
    """Evenly spread points of the unit square, (n, 2)."""
    points: Floats = (((order * rays + ray)[:, None] * PLASTIC + offset) % 1.0).astype(np.float32)
    return points


def _toward_key(square: Floats) -> Floats:
    """Unit directions to points on the disk of the key light, (n, 3)."""
    radius = np.float32(KEY_SOFTNESS) * np.sqrt(square[:, 0])
    angle = np.float32(2 * np.pi) * square[:, 1]
    side = np.cross(KEY_DIRECTION, np.array([0, 0, 1], dtype=np.float32))
    side /= np.linalg.norm(side)
    other = np.cross(KEY_DIRECTION, side)
    disk = (radius * np.cos(angle))[:, None] * side + (radius * np.sin(angle))[:, None] * other
    return unit(KEY_DIRECTION + disk.astype(np.float32))


def _around(normals: Floats, square: Floats) -> Floats:
    """Unit directions around normals, dense by the cosine, (n, 3)."""
    # Uniform on the unit sphere around the tip of the normal, seen from its foot.
    height = 1 - 2 * square[:, 0]
    radius = np.sqrt(np.maximum(1 - height * height, 0))
    angle = np.float32(2 * np.pi) * square[:, 1]
    ball = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    return unit((normals + 0.999 * ball).astype(np.float32))


def unit(vectors: Floats) -> Floats:
    """Vectors of length one, (n, 3); those of length zero stay zero."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    result: Floats = vectors / np.maximum(length, np.float32(1e-20))[:, None]
    return result.astype(np.float32)
