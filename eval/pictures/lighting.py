"""Soft studio light for rendered meshes: one key light, a sky, and the shadows of both.

Everything happens in camera coordinates (x right, y up, z toward the viewer), float32, with
the picture about two units high. The light that a surface would get without shadows follows from
its normal alone. Rays only find the share of it that arrives, which varies little from pixel to
pixel, so a few rays suffice and neighboring pixels share theirs (``eval.pictures.shadows``).
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
# Brightness of the sky in direction (x, y, z): SKY_BASE + SKY_SLOPE . (x, y, z).
SKY_BASE, SKY_SLOPE = np.float32(0.62), np.array([0.0, 0.38, 0.12], dtype=np.float32)
# Light that reaches a hidden spot off other parts of the matte surface, as a share of the sky.
BOUNCE = np.float32(0.22)
# Lifts the start of a shadow ray off the surface: far above float32's rounding at unit scale
# (1e-7), far below a pixel (1e-3).
LIFT = np.float32(2e-4)
# Successive points of this additive sequence fill the unit square evenly (plastic number).
PLASTIC = np.array([0.7548776662466927, 0.5698402909980532])


def full_light(normals: Floats) -> Floats:
    """Light without shadows on surfaces with unit normals (n, 3), by source: (n, 2).

    The first source is the key light, the second the sky, a mean over the hemisphere weighted by
    the cosine. Each is to be multiplied by ``KEY_COLOR`` or ``SKY_COLOR``.
    """
    light = np.empty((len(normals), 2), dtype=np.float32)
    light[:, 0] = np.maximum(normals @ KEY_DIRECTION, 0)
    light[:, 1] = SKY_BASE + np.float32(2 / 3) * (normals @ SKY_SLOPE)
    return light


def trace_light(
    occluded: Occluded, points: Floats, normals: Floats, faces: Floats, square: Floats
) -> tuple[Floats, Floats]:
    """Follow a ray to the key light and one to the sky from each point.

    Parameters
    ----------
    points, normals : (n, 3), positions and unit shading normals.
    faces : (n, 3), unit normals of the triangles, toward the viewer.
    square : (n, 2) in [0, 1), where to aim; see ``spread_over_square``.

    Returns
    -------
    arriving, possible : (n, 2), by source: light that reaches the point, and light that would if
        nothing were in the way. The quotient of their sums over many points is the share of
        ``full_light`` that arrives.
    """
    origins = points + LIFT * faces
    arriving = np.zeros((len(points), 2), dtype=np.float32)
    possible = np.empty_like(arriving)
    directions = _toward_key(square)
    possible[:, 0] = np.maximum(np.einsum("ij,ij->i", normals, directions), 0)
    lit = (possible[:, 0] > 0) & (np.einsum("ij,ij->i", faces, directions) > 0)
    lit[lit] = ~occluded(origins[lit], directions[lit])
    arriving[lit, 0] = possible[lit, 0]

    directions = _around(normals, square)
    # A smooth normal may send rays below its flat triangle: mirror them back.
    below = np.minimum(np.einsum("ij,ij->i", faces, directions), 0)
    directions -= 2 * below[:, None] * faces
    possible[:, 1] = SKY_BASE + directions @ SKY_SLOPE
    arriving[:, 1] = np.where(occluded(origins, directions), BOUNCE, possible[:, 1])
    return arriving, possible


def spread_over_square(order: npt.NDArray[np.int64]) -> Floats:
    """Points of the unit square, (n, 2), by their numbers (n,) in an evenly spread sequence."""
    points: Floats = (order[:, None] * PLASTIC % 1.0).astype(np.float32)
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
