"""Closed bodies with exactly sharp edges: prisms of nested outlines, lathed and swept profiles.

Every function returns one closed mesh, consistently wound and oriented outward. Outlines are
(n, 2) arrays of corners in counter-clockwise order, the first corner not repeated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import Delaunay

from geom_miner import TriangleMesh

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Inset:
    """A region of a prism with its own outline and vertical extent; None makes a hole."""

    outline: Floats
    extent: tuple[float, float] | None


def circle(radius: float, segments: int, center: tuple[float, float] = (0.0, 0.0)) -> Floats:
    """Corners of a regular polygon."""
    angle = 2.0 * np.pi * np.arange(segments) / segments
    return np.asarray(center) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def rounded_rectangle(
    width: float, depth: float, radius: float, *, step: float, center: tuple[float, float] = (0, 0)
) -> Floats:
    """A rectangle around ``center`` with rounded corners and edges of at most ``step``."""
    quarter = max(2, math.ceil(0.5 * np.pi * radius / step))
    corners = []
    for turn, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        angle = 0.5 * np.pi * (turn + np.arange(quarter + 1) / quarter)
        middle = np.array([sx * (width / 2 - radius), sy * (depth / 2 - radius)])
        corners.append(middle + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return np.asarray(center, dtype=np.float64) + subdivided(np.concatenate(corners), step)


def subdivided(outline: Floats, step: float) -> Floats:
    """The outline with its edges divided into equal pieces of at most ``step``."""
    pieces = []
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        count = max(1, math.ceil(float(np.linalg.norm(end - start)) / step - 1e-9))
        pieces.append(start + (end - start) * (np.arange(count) / count)[:, None])
    return np.concatenate(pieces)


def gear_outline(teeth: int, pitch_radius: float, *, per_tooth: int = 24) -> Floats:
    """A gear with straight flanks; two gears of the same module mesh with clearance.

    The module is 2 * pitch_radius / teeth. One tooth is centered on angle 0. Teeth are 42 % of the
    pitch wide at the pitch circle, which leaves room between meshing flanks.
    """
    module = 2.0 * pitch_radius / teeth
    # (share of the pitch, height in modules) of half a tooth, from its tip to the root.
    share = np.array([0.0, 0.11, 0.21, 0.31, 0.5])
    height = np.array([0.85, 0.85, 0.0, -1.05, -1.05])
    at = (np.arange(per_tooth * teeth) / per_tooth + 0.5) % 1.0 - 0.5
    radius = pitch_radius + module * np.interp(np.abs(at), share, height)
    angle = 2.0 * np.pi * np.arange(per_tooth * teeth) / (per_tooth * teeth)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def prism(
    outline: Floats, extent: tuple[float, float], insets: tuple[Inset, ...] = ()
) -> TriangleMesh:
    """A body over an outline, extruded along z, with insets that are holes, bosses or recesses.

    Insets may nest but must not touch each other or the outline, and the extents of neighboring
    regions must overlap. The corners of an outline must be closer together than the outlines.

    Raises
    ------
    ValueError
        The triangulation of the plane lacks an edge of an outline.
    """
    loops = [outline, *(inset.outline for inset in insets)]
    extents = [extent, *(inset.extent for inset in insets)]
    points = np.concatenate(loops)
    triangles, region = _triangulate(points, loops)
    solid = np.array([extents[r] is not None for r in range(len(loops))])
    bounds = np.array([extents[r] or (0.0, 0.0) for r in range(len(loops))])
    triangles, region = triangles[solid[region]], region[solid[region]]

    corners: list[Floats] = []
    for side, order in ((1, (0, 1, 2)), (0, (2, 1, 0))):
        height = np.broadcast_to(bounds[region, side][:, None, None], (len(region), 3, 1))
        corners.append(np.concatenate([points[triangles[:, order]], height], axis=2))
    corners.append(_walls(points, triangles, region, bounds))
    return welded(np.concatenate(corners))


def _walls(points: Floats, triangles: Ints, region: Ints, extents: Floats) -> Floats:
    """Vertical triangles (m, 3, 3) where the extent of a neighboring region does not cover it."""
    half_edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    owner = np.tile(region, 3)
    across = {(a, b): r for (a, b), r in zip(half_edges.tolist(), owner.tolist(), strict=True)}
    walls = []
    for (a, b), region_here in across.items():
        neighbor = across.get((b, a))
        low, high = extents[region_here]
        if neighbor is None:
            uncovered = [(low, high)]
        elif neighbor == region_here:
            continue
        else:
            uncovered = [(low, extents[neighbor, 0]), (extents[neighbor, 1], high)]
        for bottom, top in uncovered:
            if bottom < top:
                a0, b0 = (*points[a], bottom), (*points[b], bottom)
                a1, b1 = (*points[a], top), (*points[b], top)
                walls += [(a0, b0, b1), (a0, b1, a1)]
    return np.array(walls).reshape(-1, 3, 3)


def _triangulate(points: Floats, loops: list[Floats]) -> tuple[Ints, Ints]:
    """Counter-clockwise triangles inside the first loop and, for each, its innermost loop."""
    triangles = Delaunay(points).simplices.astype(np.int64)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    doubled = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    triangles[doubled < 0] = triangles[doubled < 0][:, ::-1]
    size = np.ptp(points, axis=0).max()
    kept = np.abs(doubled) > 1e-12 * size**2
    triangles, center = triangles[kept], ((a + b + c) / 3.0)[kept]
    area = [abs(_shoelace(loop)) for loop in loops]
    region = np.full(len(triangles), -1)
    for index in sorted(range(len(loops)), key=lambda k: -area[k]):
        region[_inside(loops[index], center)] = index
    triangles, region = triangles[region >= 0], region[region >= 0]
    _require_edges(triangles, region, loops)
    return triangles, region


def _require_edges(triangles: Ints, region: Ints, loops: list[Floats]) -> None:
    """Refuse a triangulation whose borders between regions are not the edges of the loops."""
    half_edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    owner = dict(zip(map(tuple, half_edges.tolist()), np.tile(region, 3).tolist(), strict=True))
    borders = {(min(a, b), max(a, b)) for (a, b), r in owner.items() if owner.get((b, a)) != r}
    loop_edges, first = set(), 0
    for loop in loops:
        index = first + np.arange(len(loop))
        pairs = zip(index.tolist(), np.roll(index, -1).tolist(), strict=True)
        loop_edges |= {(min(a, b), max(a, b)) for a, b in pairs}
        first += len(loop)
    if borders != loop_edges:
        raise ValueError("outlines need more corners: an edge is missing in the triangulation")


def _shoelace(outline: Floats) -> float:
    following = np.roll(outline, -1, axis=0)
    return 0.5 * float((outline[:, 0] * following[:, 1] - outline[:, 1] * following[:, 0]).sum())


def _inside(outline: Floats, points: Floats) -> npt.NDArray[np.bool_]:
    """Whether points (n, 2) are inside an outline, by the even-odd rule."""
    inside = np.zeros(len(points), dtype=bool)
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        spans = (start[1] > points[:, 1]) != (end[1] > points[:, 1])
        if spans.any():
            slope = (end[0] - start[0]) / (end[1] - start[1])
            inside ^= spans & (points[:, 0] < start[0] + (points[:, 1] - start[1]) * slope)
    return inside


def lathe(profile: Floats, segments: int) -> TriangleMesh:
    """Rotate a closed profile about the z axis.

    Parameters
    ----------
    profile : (n, 2) radius >= 0 and height, counter-clockwise in the (radius, z) half plane;
        corners with radius 0 become poles.
    """
    angle = 2.0 * np.pi * np.arange(segments) / segments
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ring_next = np.roll(ring, -1, axis=0)
    triangles = []
    for (r0, z0), (r1, z1) in zip(profile, np.roll(profile, -1, axis=0), strict=True):
        a, b = _at(ring, r0, z0), _at(ring_next, r0, z0)
        c, d = _at(ring_next, r1, z1), _at(ring, r1, z1)
        if r0 > 0:
            triangles.append(np.stack([a, b, c], axis=1))
        if r1 > 0:
            triangles.append(np.stack([a, c, d], axis=1))
    return welded(np.concatenate(triangles))


def _at(ring: Floats, radius: float, height: float) -> Floats:
    return np.concatenate([radius * ring, np.full((len(ring), 1), height)], axis=1)


def tube(path: Floats, *, outer: float, inner: float, segments: int) -> TriangleMesh:
    """A hollow pipe along a planar path (n, 3) that lies in a plane of constant y."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1)[:, None]
    across = np.array([0.0, 1.0, 0.0])
    normal = np.cross(along, across)
    angle = 2.0 * np.pi * np.arange(segments) / segments
    offset = np.cos(angle)[None, :, None] * normal[:, None] + np.sin(angle)[None, :, None] * across
    shell = np.concatenate(
        [path[:, None] + outer * offset, (path[:, None] + inner * offset)[::-1]]
    )  # (2n, segments, 3): forward along the outer wall, backward along the inner one
    a, d = shell, np.roll(shell, -1, axis=0)
    b, c = np.roll(a, -1, axis=1), np.roll(d, -1, axis=1)
    quads = np.stack([a, d, c, a, c, b], axis=2).reshape(-1, 3, 3)
    mesh = welded(quads)
    return mesh if mesh.volume > 0 else TriangleMesh(mesh.vertices, mesh.faces[:, ::-1])


def welded(triangles: Floats) -> TriangleMesh:
    """An indexed mesh from triangles (f, 3, 3); bit-identical corners become one vertex."""
    corners = triangles.reshape(-1, 3) + 0.0  # -0.0 becomes 0.0: equal corners are bit-identical
    vertices, index = np.unique(corners, axis=0, return_inverse=True)
    return TriangleMesh(vertices, index.reshape(-1, 3).astype(np.int32))


def moved(
    mesh: TriangleMesh,
    *,
    to: tuple[float, float, float] = (0.0, 0.0, 0.0),
    axis: str = "z",
    turn: float = 0.0,
    tilt: float = 0.0,
) -> TriangleMesh:
    """Rotate about z by ``turn`` degrees, map z to ``axis``, rotate about y, then translate."""
    vertices = mesh.vertices @ _rotation(0, 1, turn).T
    if axis == "y":
        vertices = vertices[:, [0, 2, 1]] * np.array([-1.0, 1.0, 1.0])
    elif axis == "x":
        vertices = vertices[:, [2, 0, 1]]
    vertices = vertices @ _rotation(2, 0, tilt).T
    return TriangleMesh(vertices + np.asarray(to), mesh.faces)


def _rotation(first: int, second: int, degrees: float) -> Floats:
    """Rotation from axis ``first`` towards axis ``second``."""
    matrix = np.eye(3)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix[first, first] = matrix[second, second] = c
    matrix[first, second], matrix[second, first] = -s, s
    return matrix


def together(bodies: list[TriangleMesh]) -> TriangleMesh:
    """One mesh of several bodies, without merging their vertices."""
    first = np.cumsum([0, *(len(body.vertices) for body in bodies[:-1])])
    return TriangleMesh(
        np.concatenate([body.vertices for body in bodies]),
        np.concatenate(
            [body.faces + start for body, start in zip(bodies, first, strict=True)]
        ).astype(np.int32),
    )
