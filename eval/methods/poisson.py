"""Screened Poisson surface reconstruction (Kazhdan and Hoppe 2013), as Open3D has it."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.guarded.process import run_guarded
from eval.guarded.screened_poisson import solve
from eval.methods.distinct_points import distinct
from eval.methods.protocol import Kind, Options, Reconstruction, Source, Timings, kind_of
from geom_miner import TriangleMesh, VoxelizeSettings, write_mesh

# Margin around the points that the method was published with: its cube over theirs.
_SCALE = 1.1
# What deeper octrees meet: integers that overflow, loops that do not close.
_DEEPEST = 12
# 200,000 points at depth 9 take five seconds, and each level more four times as long: depth 12 has
# ten times what it needs.
_LONGEST_SECONDS = 3600.0
# Where fewer points lie than around all but this share of the vertices, nothing was measured.
_TRIMMED_SHARE = 0.05


@dataclass(frozen=True)
class Preset:
    """One way to run it.

    Parameters
    ----------
    sentence : what it is for.
    nominal : take the octree as published, of depth log2 of the resolution, rounded, in a cube of
        1.1 times the points' extent; otherwise make its finest cells as wide as the voxels of our
        grid of that resolution.
    trimmed : share of the vertices, those with the fewest points around them, that are cut off.
    point_weight : how much the points themselves count beside their normals.
    """

    sentence: str
    nominal: bool = False
    trimmed: float = 0.0
    # The paper's. Today's program takes 2, which in all of four trials was less true: on 200,000
    # points of Lucy .065 voxels off at depth 8 instead of .054.
    point_weight: float = 4.0


_PRESETS = {
    "compact": Preset("cells as wide as voxels at the resolution, closed"),
    "trimmed": Preset(
        "the same without what lies where few points are, for open scans", trimmed=_TRIMMED_SHARE
    ),
    "paper": Preset("the power of two next to the resolution, in a cube of 1.1", nominal=True),
}


class ScreenedPoisson:
    """Screened Poisson as a method."""

    def __init__(self) -> None:
        self.name = "poisson"
        self.title = "Screened Poisson (Kazhdan and Hoppe 2013)"
        self.takes: frozenset[Kind] = frozenset({"oriented points"})
        self.presets = {name: preset.sentence for name, preset in _PRESETS.items()}
        self.dimensions: tuple[int, ...] = (3,)

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        """Turn oriented points into a surface; see ``Method``.

        It solves directly: there are no steps to count, no seed, and nothing to go on from. A
        budget in seconds is the longest that the whole may take; if that is not enough, it fails.
        """
        start = time.monotonic()
        cloud, preset = _checked(source, options)
        whole, cloud = len(cloud), distinct(cloud)
        assert cloud.normals is not None
        depth, scale = _octree(options.resolution, nominal=preset.nominal)
        prepared = time.monotonic()
        outcome = run_guarded(
            solve,
            {"points": cloud.points, "normals": cloud.normals},
            {"depth": depth, "scale": scale, "point_weight": preset.point_weight},
            name="Screened Poisson",
            seconds=options.budget.seconds or _LONGEST_SECONDS,
            progress=options.progress,
        )
        solved = time.monotonic()
        vertices = outcome.arrays["vertices"].astype(np.float64)
        faces = outcome.arrays["faces"].astype(np.int32)
        if preset.trimmed:
            densities = outcome.arrays["densities"].astype(np.float64)
            vertices, faces = _trim(vertices, faces, densities, preset.trimmed)
        if not len(faces):
            raise MethodError(
                "Screened Poisson found no surface; look whether the normals are consistent, or "
                "use a method that needs none: igr or phase"
            )
        mesh = TriangleMesh(vertices, faces)
        seconds = float(outcome.facts["seconds"])
        notes = [
            f"Open3D {outcome.facts['version']} on one thread, octree of depth {depth} in a cube "
            f"of {scale:.4g} times the points' extent, point weight {preset.point_weight:g}.",
            "It meshes in the same call as it solves, so the seconds of the fit are of both.",
        ]
        if len(cloud) < whole:
            notes.append(f"{whole - len(cloud):,} repeated points were left out.")
        if preset.trimmed:
            notes.append(f"{preset.trimmed:.0%} of the vertices were cut off; the surface is open.")
        return Reconstruction(
            surface=mesh,
            timings=Timings(
                # Starting the process and loading Open3D are no part of the method's own work.
                prepare=prepared - start + outcome.seconds - seconds,
                fit=seconds,
                mesh=time.monotonic() - solved,
            ),
            peak_rss_bytes=outcome.peak_rss_bytes,
            parameters=None,
            bytes=_ply_bytes(mesh),
            notes=tuple(notes),
        )


def _checked(source: Source, options: Options) -> tuple[PointCloud, Preset]:
    if options.preset not in _PRESETS:
        raise MethodError(
            f"preset of poisson must be one of {', '.join(_PRESETS)}, got {options.preset!r}"
        )
    if not isinstance(source, PointCloud):
        raise MethodError(f"poisson needs points with normals, got a {kind_of(source)}")
    if source.normals is None:
        raise MethodError(
            "poisson needs a normal for every point and the cloud has none; add columns nx, ny and "
            "nz that point outward, or take a method that needs none: igr or phase"
        )
    if source.ndim != 3:
        raise MethodError(
            f"poisson needs points in 3 dimensions, got {source.ndim}; take igr or phase"
        )
    if not source.diagonal > 0:
        raise MethodError("poisson needs points that have an extent, got one point; give more")
    return source, _PRESETS[options.preset]


def _octree(resolution: int, *, nominal: bool) -> tuple[int, float]:
    """Depth of the octree, and its cube's side over the longest side of the points' box.

    The cube has 2**depth cells along a side. Our grid has ``resolution`` voxels for a cube whose
    side is 1 / fill of the longest side; so with scale = 2**depth / (fill * resolution) a cell is
    a voxel. The least depth that leaves the published margin is taken: what the octree has outside
    of the points' box it keeps coarse, and that costs next to nothing.

    Raises
    ------
    MethodError
        The depth would be beyond 12.
    """
    voxels = VoxelizeSettings(resolution).fill * resolution
    depth = round(math.log2(resolution)) if nominal else math.ceil(math.log2(_SCALE * voxels))
    if depth > _DEEPEST:
        raise MethodError(
            f"poisson can use octrees up to depth {_DEEPEST}, and resolution {resolution} asks for "
            f"{depth}; take a resolution of {int(2**_DEEPEST / _SCALE)} or less"
        )
    return depth, _SCALE if nominal else 2**depth / voxels


def _trim(
    vertices: npt.NDArray[np.float64],
    faces: npt.NDArray[np.int32],
    densities: npt.NDArray[np.float64],
    share: float,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Without the share of the vertices that have the lowest densities, and what hangs on them."""
    kept = densities >= np.quantile(densities, share)
    faces = faces[kept[faces].all(axis=1)]
    used = np.zeros(len(vertices), dtype=bool)
    used[faces] = True
    places = np.cumsum(used, dtype=np.int32) - 1
    return vertices[used], places[faces].astype(np.int32)


def _ply_bytes(mesh: TriangleMesh) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mesh.ply"
        write_mesh(path, mesh)
        return path.stat().st_size


POISSON = ScreenedPoisson()
