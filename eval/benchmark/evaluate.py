"""The measures of a reconstruction, of its mesh as read back from the file.

Distances are in world units; tables convert them to percent of the diagonal.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.benchmark.topology import topology
from eval.clouds.point_cloud import PointCloud
from eval.metrics.edge_error import edge_errors
from eval.metrics.mesh_iou import iou_mesh
from eval.metrics.nearest import find_nearest
from eval.metrics.sampling import sample_surface
from eval.metrics.source_error import nearest_faces
from eval.metrics.surface import scan_metrics, surface_metrics
from eval.metrics.triangle_errors import both_ways, triangle_metrics
from geom_miner import TriangleMesh

Floats = npt.NDArray[np.float64]

# Distance that counts as a hit for the F-score, as a share of the source's diagonal.
HIT = 0.005
# Points along each axis of the grid of iou_mesh.
IOU_GRID = 128
# Measures by exact distances to triangles.
EXACT = (
    "chamfer_l1_triangles",
    "chamfer_l1_triangles_error",
    "hausdorff_triangles",
    "fscore_triangles",
    "normal_consistency_triangles",
)


def evaluate_against_mesh(
    reconstruction: TriangleMesh,
    source: TriangleMesh,
    *,
    voxel: float,
    samples: int,
    sharp: bool,
    seed: int = 0,
) -> dict[str, Any]:
    """Measures against the source mesh; both have area.

    Parameters
    ----------
    voxel : unit of errors in voxels, in world units.
    samples : points on each surface.
    sharp : measure errors at the source's sharp edges.
    """
    low, high = source.bounds
    diagonal = float(np.linalg.norm(high - low))
    forward, backward = both_ways(reconstruction, source, samples=samples, seed=seed)
    clouds = surface_metrics(
        reconstruction, source, threshold=HIT * diagonal, samples=samples, seed=seed
    )
    exact = triangle_metrics(forward, backward, threshold=HIT * diagonal)
    names = ("chamfer_l1", "hausdorff", "normal_consistency", "fscore", "sampling_distance")
    return {
        **{name: exact[name] for name in EXACT},
        **forward.summary(voxel),
        **{name: clouds[name] for name in names},
        "iou_mesh": iou_mesh(reconstruction, source, resolution=IOU_GRID),
        "edge_error_voxels": edge_errors(reconstruction, source, voxel=voxel, seed=seed)
        if sharp
        else None,
        **shared_measures(reconstruction),
    }


def evaluate_against_scan(
    reconstruction: TriangleMesh, scan: PointCloud, *, samples: int, seed: int = 0
) -> dict[str, Any]:
    """Measures against a scan without a mesh: from its points to the reconstruction, and back.

    The reconstruction has area.
    ``beyond_scan`` is the mean distance from the reconstruction to the nearest scan point: large
    where there is surface that nobody scanned, be it a hole well closed or a sheet made up.
    """
    drawn = sample_surface(reconstruction, samples, seed)
    beyond = find_nearest(drawn.points, scan.points)[0]
    faces, unit = _proper_faces(reconstruction)
    distances, nearest = nearest_faces(scan.points, reconstruction.vertices, faces)
    angles = None
    if scan.normals is not None:
        cosines = np.einsum("ij,ij->i", unit[nearest], scan.normals)
        angles = float(np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))).mean())
    return {
        **scan_metrics(scan, reconstruction, samples=samples, seed=seed),
        "one_sided_scan_chamfer_error": float(distances.std() / len(scan) ** 0.5),
        "beyond_scan": float(beyond.mean()),
        "scan_normal_error_degrees": angles,
        **shared_measures(reconstruction),
    }


def shared_measures(mesh: TriangleMesh) -> dict[str, Any]:
    """What needs no reference."""
    return {"faces": len(mesh.faces), **topology(mesh)}


def errors_at_vertices(mesh: TriangleMesh, source: TriangleMesh | PointCloud) -> Floats:
    """Distance of each vertex to the source's triangles, or to the scan's nearest point, (v,)."""
    if isinstance(source, PointCloud):
        return find_nearest(mesh.vertices, source.points)[0]
    return nearest_faces(mesh.vertices, source.vertices, _proper_faces(source)[0])[0]


def digest_of(mesh: TriangleMesh) -> str:
    """A short name of what the mesh is, for the pictures made of it."""
    state = hashlib.sha256(mesh.vertices.data)
    state.update(np.ascontiguousarray(mesh.faces).data)
    return state.hexdigest()[:12]


def _proper_faces(mesh: TriangleMesh) -> tuple[npt.NDArray[np.int64], Floats]:
    """The faces that have area, and their unit normals."""
    corners = mesh.triangles
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1)
    proper = length > 0
    faces = np.ascontiguousarray(mesh.faces[proper], dtype=np.int64)
    return faces, normals[proper] / length[proper, None]
