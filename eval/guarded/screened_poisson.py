"""Screened Poisson by Open3D, as work for a guarded process: it has been seen to crash."""

from __future__ import annotations

import time

import numpy as np

from eval.guarded.process import Arrays, Facts, Progress
from eval.open3d_module import load_open3d


def solve(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    """Reconstruct a surface from oriented points.

    Parameters
    ----------
    arrays : points and normals, (n, 3) float64, distinct and of length 1.
    facts : depth, scale and point_weight, as Open3D calls them.

    Returns
    -------
    arrays : vertices (v, 3) float64, faces (f, 3) int32, and densities (v,) float64: the depth of
        the octree that the points around each vertex would fill.
    facts : the version of Open3D and the seconds that it took.
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
        cloud, n_threads=1, linear_fit=False, width=0.0, **facts
    )
    found = {
        "vertices": np.asarray(mesh.vertices),
        "faces": np.asarray(mesh.triangles),
        "densities": np.asarray(densities),
    }
    return found, {"version": open3d.__version__, "seconds": time.monotonic() - start}
