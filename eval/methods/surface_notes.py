"""Look at a surface made from points: pieces, made-up parts, points that it misses."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from eval.clouds.point_cloud import PointCloud
from eval.methods.duplicate_points import remove_duplicates
from eval.metrics.sampling import sample_surface
from geom_miner import TriangleMesh

Floats = npt.NDArray[np.float64]

# Points drawn on the surface, and most points of the cloud that are compared with it. A share of
# 1 % is then known to 0.1 %.
_SAMPLES = 50_000
# A surface is about half a spacing from the nearest of points that lie on it at random, and more
# than two and a half spacings in gaps only.
_FAR_SPACINGS = 2.5
# Share of a surface or of the points above which it is said that they are far from each other.
_WORTH_SAYING = 0.01
# Share of a surface above which it is said that it faces against the points' normals. One flipped
# normal in ten makes a tenth of it do so, the back side that an open sheet is given makes a half.
_AGAINST = 0.2
# Voxels between neighboring points above which a finer grid shows no more of the shape.
_SPARSE_VOXELS = 8.0
# Points around a point whose distance gives the spacing there: n points in a disk of radius r, each
# with an area of the spacing squared.
_AROUND = 8


def spacing_of(points: Floats) -> Floats:
    """The distance (n,) between neighboring points around each point: the root of its area."""
    count = min(_AROUND, len(points) - 1)
    if count < 1:
        return np.zeros(len(points))
    distances, _ = cKDTree(points).query(points, k=count + 1)
    return np.asarray(distances)[:, -1] * math.sqrt(math.pi / count)


def surface_notes(surface: TriangleMesh, cloud: PointCloud, resolution: int) -> tuple[str, ...]:
    """Whole sentences on what a user has to know of a surface made from points in space.

    Parameters
    ----------
    cloud : points on three axes.
    resolution : samples along the longest side of the grid that the surface was extracted on.
    """
    if not len(surface.faces):
        return ()
    cloud = remove_duplicates(cloud)
    spacing = spacing_of(cloud.points)
    low, high = cloud.bounds
    voxel = float((high - low).max()) / resolution
    return (
        *_on_density(float(np.median(spacing)), voxel, resolution),
        *_on_pieces(surface),
        *_on_surface(surface, cloud, spacing, voxel),
        *_on_points(surface, cloud, spacing, voxel),
    )


def _on_density(spacing: float, voxel: float, resolution: int) -> list[str]:
    if not voxel > 0 or spacing <= _SPARSE_VOXELS * voxel:
        return []
    enough = max(8, math.ceil(resolution * _SPARSE_VOXELS * voxel / spacing))
    return [
        f"The points are {spacing / voxel:.0f} voxels apart, so the surface between them is "
        f"a guess: a resolution of {enough} shows as much of the shape."
    ]


def _on_pieces(surface: TriangleMesh) -> list[str]:
    areas = _areas_of_pieces(surface)
    if len(areas) < 2:
        return []
    share = float(areas.max() / areas.sum()) if areas.sum() > 0 else 1.0
    return [f"The surface is in {len(areas):,} pieces; the largest has {share:.1%} of its area."]


def _areas_of_pieces(surface: TriangleMesh) -> Floats:
    faces, count = surface.faces, len(surface.vertices)
    ends = np.concatenate([faces[:, :2], faces[:, 1:]])
    links = coo_array((np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), (count, count))
    _, labels = connected_components(links, directed=False)
    corners = surface.triangles
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    pieces, index = np.unique(labels[faces[:, 0]], return_inverse=True)
    areas = np.bincount(index, np.linalg.norm(cross, axis=1) / 2, minlength=len(pieces))
    return np.asarray(areas, dtype=np.float64)


def _on_surface(
    surface: TriangleMesh, cloud: PointCloud, spacing: Floats, voxel: float
) -> list[str]:
    """Sentences on how far the surface is from the points, and whether it faces as they do."""
    drawn = sample_surface(surface, _SAMPLES, 0)
    if not len(drawn):
        return []
    distances, nearest = cKDTree(cloud.points).query(drawn.points)
    notes = []
    share = float(np.mean(distances > _FAR_SPACINGS * spacing[nearest] + voxel / 2))
    if share > _WORTH_SAYING:
        notes.append(
            f"{share:.1%} of the surface is farther from all points than {_FAR_SPACINGS:g} times "
            "their spacing: there the points leave the shape open, and the surface is a guess."
        )
    if cloud.normals is not None:
        facing = np.einsum("nk,nk->n", drawn.normals, cloud.normals[nearest])
        share = float(np.mean(facing < 0))
        if share > _AGAINST:
            notes.append(
                f"{share:.1%} of the surface faces against the normals of the nearest points: they "
                "are of an open sheet, which encloses nothing, or their normals are inconsistent."
            )
    return notes


def _on_points(
    surface: TriangleMesh, cloud: PointCloud, spacing: Floats, voxel: float
) -> list[str]:
    """A sentence on points that the surface does not pass."""
    drawn = sample_surface(surface, _SAMPLES, 0).points
    if not len(drawn):
        return []
    # Points on the surface are about half the drawn points' spacing from one of these, and within
    # two spacings.
    between = 2 * math.sqrt(surface.area / len(drawn))
    some = np.random.default_rng(0).permutation(len(cloud))[:_SAMPLES]
    distances, _ = cKDTree(drawn).query(cloud.points[some])
    share = float(np.mean(distances > _FAR_SPACINGS * spacing[some] + voxel / 2 + between))
    if share <= _WORTH_SAYING:
        return []
    return [
        f"{share:.1%} of the points are farther from the surface than {_FAR_SPACINGS:g} times "
        "their spacing: it misses them; look whether all normals point outward."
    ]
