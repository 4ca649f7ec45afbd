"""The surface that oriented points lie on: how far it is, and on which side one is."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from geom_miner.errors import PointsError
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.points.disagreement import flipped_normals
from geom_miner.points.surfels import surfels, voronoi_areas
from geom_miner.voxelize.winding import WindingNumbers

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]

# Neighbors that a point's cell is cut by, and those of them that its noise is seen in.
_CELL, _CLOSE = 16, 4
# Largest area of a point's cell over the median of its neighbors' cells. Beside holes of real scans
# cells are up to 60 times as large, in one of 250,000 cases 145 times.
_LARGEST_CELL = 100.0
# Width of the Gaussian that weighs points, in spacings: on clean points, for each spacing of noise
# more, and at most. Measured on Lucy and fandisk, 200,000 and 20,000 points, without noise and with
# a sixth to one spacing of it: distances are within a third of what the best width gives.
_WIDTH, _WIDTH_PER_NOISE, _WIDEST = 0.7, 3.0, 2.5
# Points that are weighed: those within 1.6 widths, and no fewer than fit a sphere well.
_REACH, _FEWEST = 1.6, 12
# Cosine of normals that are one smooth sheet's, and share of the way to the nearest point that goes
# across the sheet, above which the side of the sheet is the side of the surface.
_ALIKE, _ACROSS = 0.7, 0.7
# Most that the winding number of noisy points is mistrusted.
_MOST_DOUBT = 0.35
# Share of flipped normals above which they are reported: at edges of noisy points, a few in a
# thousand appear to be flipped.
_FLIPPED_WORTH_SAYING = 0.004
# Queries that are answered together.
_CHUNK = 1 << 16


class PointSurface:
    """The surface of an oriented cloud.

    Parameters
    ----------
    points : (n, 3) distinct positions, world units.
    normals : (n, 3) of length 1, pointing outward.

    Raises
    ------
    PointsError
        There are no normals, or too few points.

    Attributes
    ----------
    flipped : (n,) whether a normal faces against most of those around it. Distances take it the
        other way round; winding numbers take it as it is, with no more than its own area.
    spacing : (n,) distance of neighboring points around each point, the root of its area.
    noise : standard deviation of the points across the surface, world units, as far as their
        normals tell it.
    width : of the Gaussian that weighs points, over their spacing.
    doubt : how far from 1/2 a winding number leaves the side open, because points scatter.
    """

    def __init__(self, points: Floats, normals: Floats | None) -> None:
        if normals is None:
            raise PointsError("the points have no normals, so they do not say where outside is")
        self.points, self.normals = points, normals
        if len(self.points) <= _CELL:
            raise PointsError(f"points must be more than {_CELL}, got {len(self.points)}")
        self._tree = cKDTree(self.points)
        distances, neighbors = self._nearest(self.points, _CELL + 1)
        # The first one is the point itself.
        distances, neighbors = distances[:, 1:], neighbors[:, 1:]
        self.flipped = flipped_normals(self.points, self.normals, neighbors)
        # A neighbor whose normal is flipped is of the same sheet and bounds the cell as any other.
        self._facing = np.where(self.flipped[:, None], -self.normals, self.normals)
        areas = voronoi_areas(self.points, self._facing, distances, neighbors)
        # A point far from all others has no cell of its own: it must not count for all between.
        self.areas = np.minimum(areas, _LARGEST_CELL * np.median(areas[neighbors], axis=1))
        # Of points one above the other, along their normals, no area is left.
        self.spacing = np.sqrt(np.maximum(self.areas, 1e-6 * np.median(self.areas)))
        across = self._across(neighbors[:, :_CLOSE])
        # The median, in standard deviations of a normal distribution; of two points' noise.
        relative = np.median(across / self.spacing[:, None]) / 0.6745 / math.sqrt(2)
        self.noise = float(relative * np.median(self.spacing))
        self.width = min(_WIDTH + _WIDTH_PER_NOISE * float(relative), _WIDEST)
        self.doubt = min(float(relative), _MOST_DOUBT)
        self._weighed = max(_FEWEST, math.ceil(math.pi * (_REACH * self.width) ** 2))
        self._weighed = min(self._weighed, len(self.points))

    def _nearest(self, queries: Floats, count: int) -> tuple[Floats, Ints]:
        """Distances to the nearest points and which these are, (q, count)."""
        distances, neighbors = self._tree.query(queries, k=count, workers=-1)
        return np.asarray(distances), np.asarray(neighbors)

    def _across(self, neighbors: Ints) -> Floats:
        """How far neighbors are off each other's planes, (n, k): 0 on any sphere or plane."""
        offsets = self.points[neighbors] - self.points[:, None]
        means = 0.5 * (self._facing[neighbors] + self._facing[:, None])
        return np.asarray(np.abs(np.einsum("nkj,nkj->nk", offsets, means)))

    def describe(self, voxel: float) -> tuple[str, ...]:
        """Sentences for reports on the points' spacing and noise, in voxels, and their normals."""
        spacing, noise = float(np.median(self.spacing)) / voxel, self.noise / voxel
        sentences = [
            f"The points are {spacing:.2f} voxels apart and scatter by {noise:.2f} voxels across "
            f"the surface; they were weighed within {self.width * spacing:.2f} voxels."
        ]
        flipped = float(self.flipped.mean())
        if flipped > _FLIPPED_WORTH_SAYING:
            sentences.append(
                f"{flipped:.1%} of the normals face against most of those around them; they count "
                "as flipped, and distances to the surface were measured with them turned."
            )
        return tuple(sentences)

    @cached_property
    def triangles(self) -> TriangleMesh:
        """A surfel for each point."""
        return surfels(self.points, self.normals, self.areas)

    def winding(self, queries: Floats) -> Floats:
        """Winding numbers (q,) at positions (q, 3): about 1 inside and 0 outside, between these
        within a spacing of the points and where points are missing."""
        return self._winding_numbers.at(queries)

    @cached_property
    def _winding_numbers(self) -> WindingNumbers:
        return WindingNumbers(self.triangles)

    def nearest(self, queries: Floats, reach: float) -> Floats:
        """Distance (q,) to the nearest point, infinite beyond ``reach``."""
        distances, _ = self._tree.query(queries, distance_upper_bound=reach, workers=-1)
        return np.asarray(distances)

    def distance(self, queries: Floats) -> tuple[Floats, Bools]:
        """Signed distance (q,) to the surface, positive inside, and whether its sign is sure.

        The sphere that fits the points around and their normals best (Guennebaud and Gross,
        "Algebraic Point Set Surfaces", 2007) tells it. Near an edge or another sheet, and where
        gaps are wider than the points are apart, it is more to be trusted than its sign.

        Parameters
        ----------
        queries : (q, 3), world units.
        """
        chunks = [
            self._distance_of_some(queries[start : start + _CHUNK])
            for start in range(0, len(queries), _CHUNK)
        ]
        distances, sure = zip((np.empty(0), np.empty(0, dtype=bool)), *chunks, strict=True)
        return np.concatenate(distances), np.concatenate(sure)

    def _distance_of_some(self, queries: Floats) -> tuple[Floats, Bools]:
        lengths, index = self._nearest(queries, self._weighed)
        nearest, spacing = lengths[:, 0], self.spacing[index[:, 0]]
        normals = self._facing[index]
        width = (self.width * spacing)[:, None]
        # Relative to the nearest point's weight, so that far from all points some weight is left.
        weights = np.exp(-(np.square(lengths) - np.square(lengths[:, :1])) / np.square(width))
        alike = (normals @ normals[:, 0, :, None])[..., 0]
        # Points that face away from the nearest one lie on another sheet.
        weights *= alike > 0
        found = -_sphere_distance(self.points[index] - queries[:, None], normals, weights)
        # The nearest point is on the surface, and the surface no nearer than its cell allows.
        size = np.clip(np.abs(found), nearest - 1.5 * spacing - self.noise, nearest + self.noise)
        # One smooth sheet is around, and the nearest point of it is not a border's.
        sure = (alike.min(axis=1) > _ALIKE) & ((nearest < spacing) | (size > _ACROSS * nearest))
        return np.copysign(size, found), sure


def _sphere_distance(points: Floats, normals: Floats, weights: Floats) -> Floats:
    """Signed distance from the origin to the algebraic sphere of weighted points, positive outside.

    Closed form of Guennebaud and Gross 2007, equations 5 to 8, for given normals.

    Parameters
    ----------
    points, normals : (q, k, 3)
    weights : (q, k), some of each row > 0.
    """
    total = weights.sum(axis=1)
    mean = np.einsum("qk,qkj->qj", weights, points) / total[:, None]
    mean_normal = np.einsum("qk,qkj->qj", weights, normals) / total[:, None]
    square = np.einsum("qk,qkj,qkj->q", weights, points, points) / total
    product = np.einsum("qk,qkj,qkj->q", weights, points, normals) / total
    # The field is constant + slope . x + bend x . x; of points in one place, a plane.
    spread = square - np.square(mean).sum(axis=1)
    bend = 0.5 * (product - np.einsum("qj,qj->q", mean, mean_normal))
    bend = np.where(spread > 1e-12 * square, bend / np.where(spread > 0, spread, 1.0), 0.0)
    slope = mean_normal - 2 * bend[:, None] * mean
    constant = -np.einsum("qj,qj->q", slope, mean) - bend * square
    # The smaller root along the slope, in the form that also holds for a plane.
    steep = np.square(slope).sum(axis=1)
    root = np.sqrt(np.maximum(steep - 4 * bend * constant, 0.0))
    return np.asarray(2 * constant / np.maximum(np.sqrt(steep) + root, 1e-300))
