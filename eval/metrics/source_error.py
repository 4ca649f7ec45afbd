"""Exact distances from a mesh to the triangles of its source, and angles between normals.

Chamfer distances compare two samplings, so they cannot fall below the spacing of the points. Here
points of the reconstruction are compared with the source's triangles themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.errors import MetricError
from eval.metrics.sampling import sample_surface
from geom_miner import TriangleMesh
from geom_miner.errors import missing_extra

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SourceErrors:
    """Errors at points drawn uniformly on a reconstruction; no points if it has no area.

    Parameters
    ----------
    distances : (n,) distances to the nearest point of the source, world units.
    angles : (n,) angles between the reconstruction's normal and the normal of the nearest source
        face, degrees in [0, 180].
    points : (n, 3) positions of the points.
    """

    distances: Floats
    angles: Floats
    points: Floats

    def summary(self, voxel: float) -> dict[str, dict[str, float] | None]:
        """The ``spread`` of the distances and of the angles.

        Parameters
        ----------
        voxel : edge length of a voxel, world units.

        Returns
        -------
        dict with surface_error_voxels and normal_error_degrees.
        """
        if not len(self.distances):
            return {"surface_error_voxels": None, "normal_error_degrees": None}
        return {
            "surface_error_voxels": spread(self.distances / voxel),
            "normal_error_degrees": spread(self.angles),
        }


def source_errors(
    reconstruction: TriangleMesh, source: TriangleMesh, *, samples: int = 60_000, seed: int = 0
) -> SourceErrors:
    """Distances and angles of normals from a reconstruction to the mesh that it was made from.

    Parameters
    ----------
    samples, seed : points drawn on the reconstruction, uniform in area.

    Raises
    ------
    MetricError
        The seed is negative.
    BackendUnavailable
        libigl is not installed.
    """
    if seed < 0:
        raise MetricError(f"seed must be >= 0, got {seed}")
    # Near the origin positions have the most digits: points of equal meshes then lie on triangles.
    center = np.mean(source.bounds, axis=0) if len(source.faces) else np.zeros(3)
    cloud = sample_surface(_moved(reconstruction, -center), samples, seed)
    source = _moved(source, -center)
    corners = source.triangles
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1)
    # A face without area has no normal, and its edges belong to other faces as well.
    faces = np.ascontiguousarray(source.faces[length > 0], dtype=np.int64)
    if not len(cloud) or not len(faces):
        return SourceErrors(np.zeros(0), np.zeros(0), np.zeros((0, 3)))
    distances, nearest = nearest_faces(cloud.points, source.vertices, faces)
    unit = (normals[length > 0] / length[length > 0, None])[nearest]
    cosines = np.clip(np.einsum("ij,ij->i", unit, cloud.normals), -1.0, 1.0)
    return SourceErrors(distances, np.degrees(np.arccos(cosines)), cloud.points + center)


def _moved(mesh: TriangleMesh, by: Floats) -> TriangleMesh:
    return TriangleMesh(mesh.vertices + by, mesh.faces)


def nearest_faces(
    points: Floats, vertices: Floats, faces: npt.NDArray[np.int64]
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Distance of each point (n, 3) to the nearest triangle, and the index of that triangle.

    Raises
    ------
    BackendUnavailable
        libigl is not installed.
    """
    try:
        import igl
    except ImportError as error:
        raise missing_extra("distances to a mesh need libigl", "eval") from error
    squares, nearest, _ = igl.point_mesh_squared_distance(points, vertices, faces)
    distances = np.sqrt(np.maximum(np.asarray(squares).reshape(-1), 0.0))
    return distances, np.asarray(nearest, dtype=np.int64).reshape(-1)


def spread(values: Floats) -> dict[str, float]:
    """Mean, median, 95 % quantile and maximum of one or more values."""
    return {
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "p95": float(np.quantile(values, 0.95)),
        "max": float(values.max()),
    }
