"""Distances from the sharp edges of a source to its reconstruction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eval.errors import MetricError
from eval.metrics.source_error import nearest_faces, spread
from geom_miner import TriangleMesh

Floats = npt.NDArray[np.float64]


def sharp_edges(mesh: TriangleMesh, angle: float = 30.0) -> Floats:
    """Ends (e, 2, 3) of the edges at which two faces meet with normals that differ by more.

    Edges with one face, or with more than two, do not count.

    Parameters
    ----------
    angle : degrees, in (0, 180). Edges of noisy scans and of coarsely faceted curves may exceed it.
    """
    if not 0 < angle < 180:
        raise MetricError(f"angle must be in (0, 180) degrees, got {angle}")
    corners = mesh.triangles
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1)
    faces, unit = mesh.faces[area > 0], normals[area > 0] / area[area > 0, None]
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    face = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort((sides[:, 0], sides[:, 1]))
    sides, face = sides[order], face[order]
    starts = np.flatnonzero((np.diff(sides, axis=0, prepend=-1) != 0).any(axis=1))
    pairs = starts[np.diff(np.append(starts, len(sides))) == 2]
    cosines = np.einsum("ij,ij->i", unit[face[pairs]], unit[face[pairs + 1]])
    sharp = pairs[cosines < np.cos(np.radians(angle))]
    return np.asarray(mesh.vertices[sides[sharp]])


def edge_errors(
    reconstruction: TriangleMesh,
    source: TriangleMesh,
    *,
    voxel: float,
    angle: float = 30.0,
    samples: int = 60_000,
    seed: int = 0,
) -> dict[str, float] | None:
    """Distances, in voxels, from the sharp edges of a source to a reconstruction.

    A rounded edge keeps a distance from the sharp edge: a fillet of radius r between two planes at
    a right angle is 0.41 r away. The result is None if the reconstruction has no faces or the
    source has no sharp edges.

    Parameters
    ----------
    voxel : edge length of a voxel, world units.
    angle : degrees; see ``sharp_edges``.
    samples, seed : points drawn on the edges, uniform in length.

    Returns
    -------
    dict with mean, median, p95 and max.

    Raises
    ------
    BackendUnavailable
        libigl is not installed.
    """
    ends = sharp_edges(source, angle)
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    if not lengths.sum() > 0 or not len(reconstruction.faces):
        return None
    rng = np.random.default_rng(seed)
    position = np.sort(rng.random(samples)) * lengths.sum()
    edge = np.searchsorted(np.cumsum(lengths), position, side="right")
    edge = np.minimum(edge, len(ends) - 1)
    share = rng.random((samples, 1))
    points = (1 - share) * ends[edge, 0] + share * ends[edge, 1]
    faces = np.ascontiguousarray(reconstruction.faces, dtype=np.int64)
    return spread(nearest_faces(points, reconstruction.vertices, faces)[0] / voxel)
