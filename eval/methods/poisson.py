"""Screened Poisson surface reconstruction (Kazhdan and Hoppe 2013), by Open3D."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.isolation import GuardedResult, run_guarded
from eval.methods.duplicate_points import remove_duplicates
from eval.methods.poisson_solver import solve
from eval.methods.protocol import (
    MethodPreset,
    Options,
    Reconstruction,
    Source,
    SourceKind,
    Timings,
)
from eval.methods.registry import check_request
from geom_miner import TriangleMesh, VoxelizeSettings, write_mesh

# Side of the octree's cube over the longest side of the points' box, as published.
_CUBE_SCALE = 1.1
# Deeper octrees overflow integers and leave contours open.
_DEEPEST = 12
# Default time limit, for any depth: 200,000 points take five seconds at depth 9, and four times as
# long with each further level, so depth 12 needs a tenth of it.
_DEFAULT_SECONDS = 3600.0
# Vertices that "trimmed" removes: where points are this sparse the surface is made up.
_TRIMMED_SHARE = 0.05


@dataclass(frozen=True)
class PoissonPreset(MethodPreset):
    """One way to run it.

    Parameters
    ----------
    nominal : use the published octree: depth log2 of the resolution, rounded, in a cube of 1.1
        times the points' extent. Otherwise the octree's finest cells are as wide as the voxels of
        our grid of that resolution.
    trimmed : share of the vertices, those with the fewest points around them, that are removed.
    point_weight : weight of the points' positions relative to their normals.
    """

    nominal: bool = False
    trimmed: float = 0.0
    # The paper's value. The current program's default is 2, which was less accurate in all of four
    # trials: on 200,000 points of Lucy at depth 8, 0.065 voxel instead of 0.054.
    point_weight: float = 4.0


class ScreenedPoisson:
    """Screened Poisson as a method."""

    name = "poisson"
    title = "Screened Poisson (Kazhdan and Hoppe 2013)"
    takes: frozenset[SourceKind] = frozenset({"oriented points"})
    dimensions = (3,)
    presets: Mapping[str, PoissonPreset] = {
        "compact": PoissonPreset("cells as wide as voxels at the resolution, closed"),
        "trimmed": PoissonPreset(
            "as compact, without the parts where points are sparse, for open scans",
            trimmed=_TRIMMED_SHARE,
        ),
        "paper": PoissonPreset(
            "the power of two next to the resolution, in a cube of 1.1", nominal=True
        ),
    }

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        """Turn oriented points into a surface; see ``Method``.

        The method solves directly: it has no steps, no seed and no checkpoint. A budget in seconds
        limits the time of the whole; the method fails if it is exceeded.
        """
        start = time.monotonic()
        check_request(self, source, options)
        assert isinstance(source, PointCloud)
        if not source.diagonal > 0:
            raise MethodError("poisson needs points that have an extent, got one point; give more")
        preset = self.presets[options.preset]
        cloud = remove_duplicates(source)
        assert cloud.normals is not None
        depth, scale = _octree(options.resolution, nominal=preset.nominal)
        # Open3D solves in float32, which is too coarse far from the origin.
        low, high = cloud.bounds
        middle = low / 2 + high / 2
        prepared = time.monotonic()
        result = run_guarded(
            solve,
            {"points": cloud.points - middle, "normals": cloud.normals},
            {"depth": depth, "scale": scale, "point_weight": preset.point_weight},
            name="Screened Poisson",
            seconds=options.budget.seconds or _DEFAULT_SECONDS,
            progress=options.progress,
        )
        solved = time.monotonic()
        mesh = _mesh_of(result, preset.trimmed, middle)
        solver_seconds = float(result.values["seconds"])
        notes = [
            f"Open3D {result.values['version']} on one thread, octree of depth {depth} in a cube "
            f"of {scale:.4g} times the points' extent, point weight {preset.point_weight:g}.",
            "Open3D meshes in the same call as it solves, so the seconds of the fit include both.",
        ]
        if len(cloud) < len(source):
            notes.append(f"{len(source) - len(cloud):,} duplicate points were left out.")
        if preset.trimmed:
            notes.append(f"{preset.trimmed:.0%} of the vertices were cut off; the surface is open.")
        return Reconstruction(
            surface=mesh,
            timings=Timings(
                # Starting the process and loading Open3D are not part of the method's own work.
                prepare=prepared - start + result.seconds - solver_seconds,
                fit=solver_seconds,
                mesh=time.monotonic() - solved,
            ),
            peak_rss_bytes=result.peak_rss_bytes,
            parameters=None,
            bytes=_ply_bytes(mesh),
            notes=tuple(notes),
        )


def _octree(resolution: int, *, nominal: bool) -> tuple[int, float]:
    """Depth of the octree, and its cube's side over the longest side of the points' box.

    The cube has 2**depth cells along a side. Our grid has ``resolution`` voxels along a cube whose
    side is 1 / fill of the longest side; so with scale = 2**depth / (fill * resolution) a cell is
    as wide as a voxel. The result is the least depth that leaves the published margin: the octree
    stays coarse outside the points' box, so a wider margin costs next to nothing.

    Raises
    ------
    MethodError
        The depth would be more than 12.
    """
    voxels = VoxelizeSettings(resolution).fill * resolution
    depth = round(math.log2(resolution)) if nominal else math.ceil(math.log2(_CUBE_SCALE * voxels))
    if depth > _DEEPEST:
        raise MethodError(
            f"poisson can use octrees up to depth {_DEEPEST}, and resolution {resolution} needs "
            f"{depth}; use a resolution of {int(2**_DEEPEST / _CUBE_SCALE)} or less"
        )
    return depth, _CUBE_SCALE if nominal else 2**depth / voxels


def _mesh_of(
    result: GuardedResult, trimmed: float, middle: npt.NDArray[np.float64]
) -> TriangleMesh:
    """The solver's mesh, moved to ``middle``, without the share of vertices of lowest densities.

    Raises
    ------
    MethodError
        There is no surface.
    """
    vertices = result.arrays["vertices"].astype(np.float64)
    faces = result.arrays["faces"].astype(np.int32)
    if trimmed:
        densities = result.arrays["densities"].astype(np.float64)
        vertices, faces = _trim(vertices, faces, densities, trimmed)
    if not len(faces):
        raise MethodError(
            "Screened Poisson found no surface; check that the normals are consistent, or use a "
            "method that needs none: igr or phase"
        )
    return TriangleMesh(vertices + middle, faces)


def _trim(
    vertices: npt.NDArray[np.float64],
    faces: npt.NDArray[np.int32],
    densities: npt.NDArray[np.float64],
    share: float,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Remove the share of the vertices with the lowest densities, and the faces that use them."""
    kept = densities >= np.quantile(densities, share)
    faces = faces[kept[faces].all(axis=1)]
    used = np.zeros(len(vertices), dtype=bool)
    used[faces] = True
    new_index = np.cumsum(used, dtype=np.int32) - 1
    return vertices[used], new_index[faces].astype(np.int32)


def _ply_bytes(mesh: TriangleMesh) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mesh.ply"
        write_mesh(path, mesh)
        return path.stat().st_size


POISSON = ScreenedPoisson()
