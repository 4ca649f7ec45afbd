"""Find the sharp edges (creases) that marching cubes cut off, and the triangle edges across them.

Marching cubes puts no vertex on a crease, and vertices within a voxel of it are off the surface,
because the distance has a kink there and is not linear between two samples. Vertices farther away
are exact. Each vertex therefore adopts the plane of a flat patch close by. If the two ends of a
triangle edge have planes of different directions, the edge crosses a crease, which runs where the
planes meet.

A crease is accepted only if the vertices beside it lie where a sharp edge would put them. A fillet
with a radius of more than about a voxel puts them elsewhere. All lengths are in voxels.
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

# The cost of a plane for a vertex is the vertex's distance from it, plus these factors times the
# unevenness of the plane's ring and times the distance to the ring's center.
_UNEVENNESS_COST, _REMOTENESS_COST = 6.0, 0.03
# Share of the neighbors' mean unevenness that is added to a ring's own. A ring that is even only by
# chance has uneven neighbors.
_NEIGHBORS_SHARE = 0.5
# Number of edges over which a plane is passed on: beyond all vertices that the kink can affect.
_ROUNDS = 3
# A plane is accepted instead of another if its unevenness is less than this factor times the
# other's, plus this many voxels.
_EVENNESS_FACTOR, _EVENNESS_SLACK = 2.0, 0.01
# Largest distance of a crease from the triangles. A cell that a crease crosses hides at most 0.9.
_FARTHEST = 1.0
# An edge is cut at least this share of its length away from its ends.
_NEAREST_TO_END = 0.1
# Largest magnitude of the cosine between two planes; beyond it they count as parallel.
_PARALLEL = 0.9999
# Largest misfit of the vertices beside a crease, in voxels per tangent of half its angle, and the
# largest tangent that counts.
_LARGEST_MISFIT, _STEEPEST = 0.05, 2.0
# Relative misfits are clipped to this value, and averaged along the crease in this many rounds.
_WORST, _SMOOTHINGS = 3.0, 8
# Fewest triangle edges that cross an accepted crease, all along it: about three per voxel.
_FEWEST = 16
# Shortest edge that is divided. The pieces of a shorter one would coincide in single precision.
_SHORTEST = 0.02


class Rings(NamedTuple):
    """The neighbors of each vertex: pairs in the order of ``center``, then of ``other``."""

    starts: Ints  # (v + 1,) index of each vertex's first pair
    center: Ints
    other: Ints


class Sides(NamedTuple):
    """For each vertex the plane of the side of a crease that it lies on."""

    normals: Floats  # (v, 3) of unit length
    centers: Floats  # (v, 3) points on the planes
    unevenness: Floats  # (v,) of the ring that each plane was fitted to

    def heights(self, points: Floats, of: Ints) -> Floats:
        """Signed distances of points (..., 3) from the planes of vertices (...)."""
        return dot(points - self.centers[of], self.normals[of])


class Creases(NamedTuple):
    """Triangle edges that cross a crease."""

    ends: Ints  # (e, 2) vertices, the smaller one first, in ascending order
    cuts: Floats  # (e, 3) points on the triangle edges
    points: Floats  # (e, 3) points on the crease

    def of_faces(self, faces: Ints, count: int) -> Ints:
        """The crease edge that each side of faces (f, 3) is, or -1; sides are 01, 12, 20.

        Parameters
        ----------
        count : number of vertices.
        """
        keys = self.ends[:, 0] * count + self.ends[:, 1]
        following = faces[:, [1, 2, 0]]
        side_keys = np.minimum(faces, following) * count + np.maximum(faces, following)
        edges = np.minimum(np.searchsorted(keys, side_keys), len(keys) - 1)
        return np.where(keys[edges] == side_keys, edges, -1)

    def select(self, selection: Bools | Ints) -> Creases:
        """Some of the edges."""
        return Creases(self.ends[selection], self.cuts[selection], self.points[selection])


def rings_of(faces: Ints, count: int) -> Rings:
    """The neighbors of each of ``count`` vertices by faces (f, 3); every vertex is in a face."""
    start, end = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    pairs = np.concatenate([start, end]), np.concatenate([end, start])
    links = csr_matrix((np.ones(len(pairs[0]), dtype=bool), pairs), shape=(count, count))
    links.sort_indices()
    starts = links.indptr.astype(np.int64)
    return Rings(starts, np.repeat(np.arange(count), np.diff(starts)), links.indices)


def find_sides(vertices: Floats, faces: Ints, rings: Rings) -> Sides:
    """Fit a plane to the ring of every vertex, then give each vertex the best plane close by."""
    corners = vertices[faces]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sizes = np.linalg.norm(areas, axis=1)
    normals = unit(sum_at_corners(areas, faces, len(vertices)))
    weights = sum_at_corners(sizes[:, None], faces, len(vertices))
    centers = sum_at_corners(corners.mean(axis=1) * sizes[:, None], faces, len(vertices))
    centers = np.where(weights > 0, centers / np.where(weights > 0, weights, 1), vertices)

    starts, center, other = rings
    squares = dot(vertices[other] - centers[center], normals[center]) ** 2
    total = np.add.reduceat(squares, starts[:-1]) + dot(vertices - centers, normals) ** 2
    degree = np.diff(starts)
    # Any three points fit a plane exactly. If the areas of a ring cancel, it has no plane.
    uneven = np.sqrt(total / np.maximum(degree - 2, 0.5)) + (normals == 0).all(axis=1)
    around = (np.add.reduceat(uneven[other], starts[:-1]) + uneven) / (degree + 1)
    badness = _UNEVENNESS_COST * (uneven + _NEIGHBORS_SHARE * around)

    def cost(vertex: Ints, plane: Ints) -> Floats:
        offset = vertices[vertex] - centers[plane]
        remote = _REMOTENESS_COST * np.sqrt(dot(offset, offset))
        total: Floats = badness[plane] + np.abs(dot(offset, normals[plane])) + remote
        return total

    planes = np.arange(len(vertices))
    for _ in range(_ROUNDS):
        best, costs = _smallest_of_runs(cost(center, planes[other]), starts)
        planes = np.where(costs < cost(np.arange(len(planes)), planes), planes[other[best]], planes)

    # A vertex beside a crease lies on the nearest of the planes around it.
    def height(vertex: Ints, plane: Ints) -> Floats:
        return np.abs(dot(vertices[vertex] - centers[plane], normals[plane]))

    limit = _EVENNESS_FACTOR * badness[planes] + _UNEVENNESS_COST * _EVENNESS_SLACK
    candidates = planes[other]
    heights = np.where(badness[candidates] < limit[center], height(center, candidates), np.inf)
    best, lowest = _smallest_of_runs(heights, starts)
    nearer = lowest < height(np.arange(len(planes)), planes)
    planes = np.where(nearer, candidates[best], planes)
    return Sides(normals[planes], centers[planes], uneven[planes])


def find_creases(
    vertices: Floats, faces: Ints, rings: Rings, sides: Sides, angle: float
) -> Creases:
    """The triangle edges that cross a crease of more than ``angle`` degrees."""
    _, center, other = rings
    bent = dot(sides.normals[center], sides.normals[other]) < np.cos(np.radians(angle))
    bent &= center < other
    creases, misfit = _intersect_sides(
        vertices, sides, np.stack([center[bent], other[bent]], axis=1)
    )
    if not len(misfit):
        return creases
    # Edges of the same triangle are neighbors along the crease.
    links = _shared_faces(creases.of_faces(faces, len(vertices)), len(misfit))
    degree = np.diff(links.indptr)
    rejected = misfit >= _WORST
    for _ in range(_SMOOTHINGS):
        misfit = (misfit + links @ misfit) / (1 + degree)
    accepted = np.flatnonzero((misfit < 1) & ~rejected)
    _, runs = connected_components(links[accepted][:, accepted], directed=False)
    return creases.select(accepted[np.bincount(runs)[runs] >= _FEWEST])


def _intersect_sides(vertices: Floats, sides: Sides, ends: Ints) -> tuple[Creases, Floats]:
    """Intersect the planes of the two ends of each edge.

    Returns
    -------
    The creases, and the relative misfit of each: below 1 if its ends lie where a sharp edge puts
    them.
    """
    a, b = ends.T
    # If each end is on its own side, one point of the edge is equally far from both planes.
    first = sides.heights(vertices[a], a) - sides.heights(vertices[a], b)
    last = sides.heights(vertices[b], a) - sides.heights(vertices[b], b)
    crossed = first * last < 0
    share = np.where(crossed, first / np.where(crossed, first - last, 1), 0.5)
    share = np.clip(share, _NEAREST_TO_END, 1 - _NEAREST_TO_END)[:, None]
    cuts = (1 - share) * vertices[a] + share * vertices[b]

    cosine = np.clip(dot(sides.normals[a], sides.normals[b]), -_PARALLEL, _PARALLEL)[:, None]
    to_a, to_b = sides.heights(cuts, a)[:, None], sides.heights(cuts, b)[:, None]
    step = (cosine * to_b - to_a) * sides.normals[a] + (cosine * to_a - to_b) * sides.normals[b]
    creases = Creases(ends, cuts, cuts + step / (1 - cosine**2))

    tangent = np.sqrt((1 - cosine) / (1 + cosine)).ravel()
    squares = np.zeros(len(ends))
    for end in (a, b):
        # The kink in the distance can move a vertex by (1 - sqrt(x))**2 at most, where x is the
        # vertex's distance from the crease over the tangent; only the excess is misfit.
        height = sides.heights(vertices[end], end)
        along = unit(np.cross(sides.normals[a], sides.normals[b]))
        offset = vertices[end] - creases.points
        offset -= dot(offset, along)[:, None] * along + height[:, None] * sides.normals[end]
        position = np.minimum(np.linalg.norm(offset, axis=1) / tangent, 1)
        excess = np.maximum(np.abs(height) - (1 - np.sqrt(position)) ** 2, 0)
        squares += (excess**2 + sides.unevenness[end] ** 2) / 2
    misfit = np.sqrt(squares) / (_LARGEST_MISFIT * np.minimum(tangent, _STEEPEST))
    misfit = np.clip(misfit, np.where(crossed, 0.0, 1.0), _WORST)
    far = np.linalg.norm(creases.points - cuts, axis=1) > _FARTHEST
    short = np.linalg.norm(vertices[a] - vertices[b], axis=1) < _SHORTEST
    misfit[far | short] = _WORST
    return creases, misfit


def _shared_faces(edges: Ints, count: int) -> csr_matrix[np.float64]:
    """Which of ``count`` crease edges share a face, by ``edges`` (f, 3) of ``Creases.of_faces``."""
    side, following = edges.ravel(), edges[:, [1, 2, 0]].ravel()
    both = (side >= 0) & (following >= 0)
    pairs = (
        np.concatenate([side[both], following[both]]),
        np.concatenate([following[both], side[both]]),
    )
    return csr_matrix((np.ones(len(pairs[0])), pairs), shape=(count, count))


def _smallest_of_runs(values: Floats, starts: Ints) -> tuple[Ints, Floats]:
    """The index of the first smallest value in each run, and that value."""
    smallest = np.minimum.reduceat(values, starts[:-1])
    indices = np.flatnonzero(values == np.repeat(smallest, np.diff(starts)))
    return indices[np.searchsorted(indices, starts[:-1])], smallest


def sum_at_corners(values: Floats, faces: Ints, count: int) -> Floats:
    """Sum the rows (f, k) of faces at their corners: (count, k)."""
    return sum_at(np.repeat(values, 3, axis=0), faces.ravel(), count)


def sum_at(rows: Floats, indices: Ints, count: int) -> Floats:
    """Sum rows (n, k) that have the same index (n,) below ``count``: (count, k)."""
    return np.stack([np.bincount(indices, column, count) for column in rows.T], axis=1)


def dot(a: Floats, b: Floats) -> Floats:
    """Dot products of vectors along the last axis."""
    products: Floats = np.einsum("...i,...i->...", a, b)
    return products


def unit(vectors: Floats) -> Floats:
    """Vectors (n, 3) scaled to length 1; zero vectors stay zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
