"""Screened Poisson by Open3D, as work for a guarded process: Open3D has been seen to crash."""

from __future__ import annotations

import time

import numpy as np

from eval.isolation import Arrays, JsonValues, WorkOutput
from eval.open3d_loader import load_open3d
from eval.progress import StatusProgress


def solve(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    """Reconstruct a surface from oriented points.

    Parameters
    ----------
    arrays : points and normals, (n, 3) float64; points distinct, normals of length 1.
    values : depth, scale and point_weight, as Open3D calls them.

    Returns
    -------
    arrays : vertices (v, 3) float64, faces (f, 3) int32, and densities (v,) float64: the depth of
        the octree that the points around each vertex would fill.
    values : the version of Open3D and the solver's time in seconds.
    """
    progress(0.1, "loading Open3D")
    open3d = load_open3d()
    open3d.utility.set_verbosity_level(open3d.utility.VerbosityLevel.Error)
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(arrays["points"]))
    cloud.normals = open3d.utility.Vector3dVector(arrays["normals"])
    progress(0.2, "solving")
    start = time.monotonic()
    # With more threads results differ from call to call, and some calls crash.
    mesh, densities = open3d.geometry.TriangleMesh.create_from_point_cloud_poisson(
        cloud, n_threads=1, linear_fit=False, width=0.0, **values
    )
    surface = {
        "vertices": np.asarray(mesh.vertices),
        "faces": np.asarray(mesh.triangles),
        "densities": np.asarray(densities),
    }
    return surface, {"version": open3d.__version__, "seconds": time.monotonic() - start}
