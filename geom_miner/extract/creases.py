"""The sharp edges that marching cubes cut off: which triangle edges cross one, and where it ran.

Marching cubes puts no vertex on a sharp edge, and those within a voxel of it are off, because the
distance has a kink there and is not linear between two samples. What lies farther away is exact.
So each vertex takes over the plane of a flat place close by, and an edge of triangles whose ends
have taken planes of different directions crosses a sharp edge, which runs where the planes meet.

A crease is believed where the vertices beside it lie as a sharp edge leaves them: a fillet of
more than about a voxel leaves them elsewhere. All lengths are in voxels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]

# What a plane costs a vertex beside the vertex's distance from it: so many voxels for each voxel
# that the plane's own ring is off, and for each voxel to the middle of that ring.
_UNEVENNESS, _REMOTENESS = 6.0, 0.03
# A ring that is even by chance has uneven neighbors: this share of theirs counts as its own.
_NEIGHBORS = 0.5
# How far a plane is handed on, in edges: past all that the kink can have put off.
_ROUNDS = 3
# A plane is about as even as another up to a factor and some voxels.
_AS_EVEN, _EVEN = 2.0, 0.01
# Creases lie no farther from the triangles than this. A cut cell hides at most about 0.9.
_FARTHEST = 1.0
# An edge is cut no nearer to its ends than this share of it.
_AT_END = 0.1
# Planes that turn back more than this are as good as parallel.
_OPPOSITE = 0.9999
# Largest misfit of the vertices beside a crease, in voxels per tangent of half its angle.
_MISFIT, _STEEPEST = 0.05, 2.0
# Misfits count up to this multiple, and are averaged along the crease in so many rounds.
_WORST, _SMOOTHINGS = 3.0, 8
# The fewest triangle edges that cross a crease from its one end to its other. About three do for
# each voxel of its length.
_FEWEST = 16
# An edge that is shorter is not divided: its parts could not be told apart in single precision.
_SHORTEST = 0.02


class Rings(NamedTuple):
    """The neighbors of each vertex: pairs in the order of ``center``, then of ``other``."""

    starts: Ints  # (v + 1) where the pairs of each vertex begin
    center: Ints
    other: Ints


class Sides(NamedTuple):
    """For each vertex the plane of the side it lies on."""

    normals: Floats  # (v, 3) of unit length
    centers: Floats  # (v, 3) points of the planes
    unevenness: Floats  # (v,) of the ring that each plane was taken from

    def heights(self, points: Floats, of: Ints) -> Floats:
        """Signed distances of points (..., 3) from the planes of vertices (...)."""
        return dot(points - self.centers[of], self.normals[of])


class Creases(NamedTuple):
    """Triangle edges that cross a crease."""

    ends: Ints  # (e, 2) vertices, the smaller one first, in ascending order
    cuts: Floats  # (e, 3) on the edges as they are
    points: Floats  # (e, 3) on the crease

    def of_faces(self, faces: Ints, count: int) -> Ints:
        """Which crease edge each side of faces (f, 3) is, -1 for none; sides are 01, 12, 20."""
        keys = self.ends[:, 0] * count + self.ends[:, 1]
        following = faces[:, [1, 2, 0]]
        wanted = np.minimum(faces, following) * count + np.maximum(faces, following)
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[places] == wanted, places, -1)

    def keep(self, wanted: Bools | Ints) -> Creases:
        return Creases(self.ends[wanted], self.cuts[wanted], self.points[wanted])


def rings_of(faces: Ints, count: int) -> Rings:
    """Who is joined to whom by the sides of faces (f, 3); every vertex is in a face."""
    one, two = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    pairs = np.concatenate([one, two]), np.concatenate([two, one])
    links = csr_matrix((np.ones(len(pairs[0]), dtype=bool), pairs), shape=(count, count))
    links.sort_indices()
    starts = links.indptr.astype(np.int64)
    return Rings(starts, np.repeat(np.arange(count), np.diff(starts)), links.indices)


def find_sides(vertices: Floats, faces: Ints, rings: Rings) -> Sides:
    """Fit a plane to the ring of every vertex, and give each the best one close by."""
    corners = vertices[faces]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sizes = np.linalg.norm(areas, axis=1)
    normals = unit(sums(areas, faces, len(vertices)))
    weights = sums(sizes[:, None], faces, len(vertices))
    centers = sums(corners.mean(axis=1) * sizes[:, None], faces, len(vertices))
    centers = np.where(weights > 0, centers / np.where(weights > 0, weights, 1), vertices)

    starts, center, other = rings
    squares = dot(vertices[other] - centers[center], normals[center]) ** 2
    total = np.add.reduceat(squares, starts[:-1]) + dot(vertices - centers, normals) ** 2
    degree = np.diff(starts)
    # A plane fits any three points. Where areas cancel there is no plane.
    uneven = np.sqrt(total / np.maximum(degree - 2, 0.5)) + (normals == 0).all(axis=1)
    around = (np.add.reduceat(uneven[other], starts[:-1]) + uneven) / (degree + 1)
    badness = _UNEVENNESS * (uneven + _NEIGHBORS * around)

    def cost(vertex: Ints, plane: Ints) -> Floats:
        offset = vertices[vertex] - centers[plane]
        remote = _REMOTENESS * np.sqrt(dot(offset, offset))
        total: Floats = badness[plane] + np.abs(dot(offset, normals[plane])) + remote
        return total

    planes = np.arange(len(vertices))
    for _ in range(_ROUNDS):
        best, costs = _least(cost(center, planes[other]), starts)
        planes = np.where(costs < cost(np.arange(len(planes)), planes), planes[other[best]], planes)

    # Of the planes around it, a vertex beside a crease lies on the nearest one.
    def height(vertex: Ints, plane: Ints) -> Floats:
        return np.abs(dot(vertices[vertex] - centers[plane], normals[plane]))

    limit = _AS_EVEN * badness[planes] + _UNEVENNESS * _EVEN
    candidates = planes[other]
    heights = np.where(badness[candidates] < limit[center], height(center, candidates), np.inf)
    best, lowest = _least(heights, starts)
    nearer = lowest < height(np.arange(len(planes)), planes)
    planes = np.where(nearer, candidates[best], planes)
    return Sides(normals[planes], centers[planes], uneven[planes])


def find_creases(
    vertices: Floats, faces: Ints, rings: Rings, sides: Sides, angle: float
) -> Creases:
    """The edges of triangles that cross a crease of more than an angle, in degrees."""
    _, center, other = rings
    bent = dot(sides.normals[center], sides.normals[other]) < np.cos(np.radians(angle))
    bent &= center < other
    creases, misfit = _meet(vertices, sides, np.stack([center[bent], other[bent]], axis=1))
    if not len(misfit):
        return creases
    # Edges that cross the same triangle follow each other along the crease.
    links = _links(creases.of_faces(faces, len(vertices)), len(misfit))
    degree = np.diff(links.indptr)
    hopeless = misfit >= _WORST
    for _ in range(_SMOOTHINGS):
        misfit = (misfit + links @ misfit) / (1 + degree)
    believed = np.flatnonzero((misfit < 1) & ~hopeless)
    _, runs = connected_components(links[believed][:, believed], directed=False)
    return creases.keep(believed[np.bincount(runs)[runs] >= _FEWEST])


def _meet(vertices: Floats, sides: Sides, ends: Ints) -> tuple[Creases, Floats]:
    """Where the planes of two ends meet, and how badly that fits them: below 1 is good."""
    a, b = ends.T
    # On the edge the planes are equally far away in one place, if each end is on its own side.
    first = sides.heights(vertices[a], a) - sides.heights(vertices[a], b)
    last = sides.heights(vertices[b], a) - sides.heights(vertices[b], b)
    crossed = first * last < 0
    share = np.where(crossed, first / np.where(crossed, first - last, 1), 0.5)
    share = np.clip(share, _AT_END, 1 - _AT_END)[:, None]
    cuts = (1 - share) * vertices[a] + share * vertices[b]

    cosine = np.clip(dot(sides.normals[a], sides.normals[b]), -_OPPOSITE, _OPPOSITE)[:, None]
    to_a, to_b = sides.heights(cuts, a)[:, None], sides.heights(cuts, b)[:, None]
    step = (cosine * to_b - to_a) * sides.normals[a] + (cosine * to_a - to_b) * sides.normals[b]
    creases = Creases(ends, cuts, cuts + step / (1 - cosine**2))

    tangent = np.sqrt((1 - cosine) / (1 + cosine)).ravel()
    squares = np.zeros(len(ends))
    for end in (a, b):
        # A kink in the distance puts a vertex off by this much at most, at its place beside it.
        height = sides.heights(vertices[end], end)
        along = unit(np.cross(sides.normals[a], sides.normals[b]))
        offset = vertices[end] - creases.points
        offset -= dot(offset, along)[:, None] * along + height[:, None] * sides.normals[end]
        place = np.minimum(np.linalg.norm(offset, axis=1) / tangent, 1)
        excess = np.maximum(np.abs(height) - (1 - np.sqrt(place)) ** 2, 0)
        squares += (excess**2 + sides.unevenness[end] ** 2) / 2
    misfit = np.sqrt(squares) / (_MISFIT * np.minimum(tangent, _STEEPEST))
    misfit = np.clip(misfit, np.where(crossed, 0.0, 1.0), _WORST)
    far = np.linalg.norm(creases.points - cuts, axis=1) > _FARTHEST
    short = np.linalg.norm(vertices[a] - vertices[b], axis=1) < _SHORTEST
    misfit[far | short] = _WORST
    return creases, misfit


def _links(slots: Ints, count: int) -> csr_matrix[np.float64]:
    """Which crease edges share a face, of ``slots`` (f, 3) as in ``Creases.of_faces``."""
    one, two = slots.ravel(), slots[:, [1, 2, 0]].ravel()
    both = (one >= 0) & (two >= 0)
    pairs = np.concatenate([one[both], two[both]]), np.concatenate([two[both], one[both]])
    return csr_matrix((np.ones(len(pairs[0])), pairs), shape=(count, count))


def _least(values: Floats, starts: Ints) -> tuple[Ints, Floats]:
    """Where each run of values is smallest, the first place of equal ones, and how small."""
    least = np.minimum.reduceat(values, starts[:-1])
    places = np.flatnonzero(values == np.repeat(least, np.diff(starts)))
    return places[np.searchsorted(places, starts[:-1])], least


def sums(values: Floats, faces: Ints, count: int) -> Floats:
    """Add the rows (f, k) of faces up at their corners: (count, k)."""
    return gathered(np.repeat(values, 3, axis=0), faces.ravel(), count)


def gathered(rows: Floats, into: Ints, count: int) -> Floats:
    """Add rows (n, k) up at indices (n,) below ``count``: (count, k)."""
    return np.stack([np.bincount(into, column, count) for column in rows.T], axis=1)


def dot(one: Floats, two: Floats) -> Floats:
    """Products of vectors along the last axis."""
    products: Floats = np.einsum("...i,...i->...", one, two)
    return products


def unit(vectors: Floats) -> Floats:
    """Vectors (n, 3) of length 1, or 0."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
