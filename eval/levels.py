"""Evaluate every level of detail of a model file, on what the file and its meshes hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.metrics.image import psnr_sparse
from eval.metrics.matches import match_clouds
from eval.metrics.nearest import SearchedPoints
from eval.metrics.occupancy import iou_off_grid, iou_voxel_sparse
from eval.metrics.sampling import sample_surface
from eval.metrics.source_error import source_errors
from geom_miner import (
    TriangleMesh,
    VoxelizeSettings,
    diagnose,
    load_model,
    read_mesh,
    voxelize_mesh,
)
from geom_miner.grid import SparseBlocks, downsample, upsample
from geom_miner.storage import scale_bytes
from geom_miner.voxelize import Occupancy

# Entries of ``ShapeLevel`` for a scale that is too coarse for a thin shape and has no mesh.
NO_SURFACE: dict[str, Any] = {
    "chamfer_l1_voxels": None,
    "normal_consistency": None,
    "surface_error_voxels": None,
    "normal_error_degrees": None,
    "watertight": False,
    "vertices": 0,
    "faces": 0,
}


@dataclass(frozen=True)
class LevelCost:
    """Size and cost of one scale, of any kind of signal."""

    scale: int
    shape: tuple[int, ...]
    active_blocks: int
    parameters: int
    bytes: int
    """Size of this scale's sections in the file."""
    seconds: float
    """Time that the fit of this scale took."""


@dataclass(frozen=True)
class ShapeLevel(LevelCost):
    """One level of detail of an occupancy, and its mesh."""

    iou_voxel: float
    """On the full-resolution grid, to which a coarser scale is upsampled (as in the paper)."""
    iou_voxel_own_grid: float
    """On the scale's own samples, against the mean-pooled target, thresholded at 1/2."""
    iou_threshold: float
    chamfer_l1_voxels: float | None
    """Distance between samples of mesh and source, in voxels of the finest scale; None without a
    mesh."""
    sampling_floor_voxels: float
    """``chamfer_l1_voxels`` between two samplings of the source itself."""
    normal_consistency: float | None
    surface_error_voxels: dict[str, float] | None
    """Distances from points on the mesh to the source's triangles, in voxels of the finest scale:
    mean, median, p95 and max; None without a mesh."""
    normal_error_degrees: dict[str, float] | None
    """Angles between the normals of mesh and source at these points."""
    iou_offgrid_2x: float
    """IoU of the scale's field, interpolated to half its spacing, and the source there."""
    watertight: bool
    vertices: int
    faces: int


@dataclass(frozen=True)
class ImageLevel(LevelCost):
    """One level of detail of an image."""

    psnr: float
    """On the full-resolution grid, to which a coarser scale is upsampled; decibels, relative to the
    range of values that the image uses if that is small."""
    psnr_own_grid: float
    """On the scale's own samples, against the mean-pooled target."""


def evaluate_shape_levels(
    model: Path,
    meshes: Mapping[int, Path | None],
    *,
    occupancy: Occupancy,
    source: TriangleMesh,
    seconds: Mapping[int, float],
    iou_threshold: float = 0.5,
    samples: int = 1_000_000,
    seed: int = 0,
    on_level: Callable[[int], None] | None = None,
) -> list[ShapeLevel]:
    """Evaluate every scale of a model, and its mesh, against the source; coarsest first.

    Parameters
    ----------
    model : a complete model file of the occupancy.
    meshes : the mesh file of each scale to evaluate; None if a scale has no surface.
    seconds : fitting time of each scale, which the result repeats.
    samples, seed : number of points on each surface, and their seed.
    on_level : called with each scale before it is evaluated.
    """
    costs = _level_costs(model, seconds)
    grid, voxel = occupancy.grid, occupancy.grid.spacing[0]
    reference = sample_surface(source, samples, seed + 1)
    second_reference = sample_surface(source, samples, seed + 2)
    searched = SearchedPoints(reference.points)
    floor = match_clouds(second_reference.points, searched).chamfer_l1 / voxel
    levels = []
    for scale in sorted(meshes, reverse=True):
        if on_level is not None:
            on_level(scale)
        path = meshes[scale]
        surface = dict(NO_SURFACE)
        if path is not None:
            mesh = read_mesh(path)
            surface = _evaluate_surface(mesh, searched, reference.normals, samples, seed, voxel)
            surface |= source_errors(mesh, source, seed=seed).summary(voxel)
        decoded, pooled, upsampled, full_target = _decode(model, scale, occupancy.blocks)
        between = voxelize_mesh(
            source,
            VoxelizeSettings(inside=occupancy.report.requested),
            block_size=decoded.layout.block_shape[0],
            grid=grid.at_scale(scale).refined(2),
        )
        iou_voxel = partial(iou_voxel_sparse, threshold=iou_threshold)
        levels.append(
            ShapeLevel(
                **costs[scale],
                iou_voxel=iou_voxel(upsampled, full_target, shape=grid.shape),
                iou_voxel_own_grid=iou_voxel(decoded, pooled, shape=grid.at_scale(scale).shape),
                iou_threshold=iou_threshold,
                iou_offgrid_2x=iou_off_grid(decoded, between.blocks, shape=between.grid.shape),
                sampling_floor_voxels=floor,
                **surface,
            )
        )
    return levels


def evaluate_image_levels(
    model: Path, target: SparseBlocks, *, seconds: Mapping[int, float]
) -> list[ImageLevel]:
    """Evaluate every scale of an image's model file; coarsest first."""
    costs = _level_costs(model, seconds)
    representation = load_model(model)
    grid, peak = representation.grid, representation.info.value_range or 1.0
    levels = []
    for scale in sorted(costs, reverse=True):
        decoded, pooled, upsampled, full_target = _decode(model, scale, target)
        levels.append(
            ImageLevel(
                **costs[scale],
                psnr=psnr_sparse(upsampled, full_target, shape=grid.shape, peak=peak),
                psnr_own_grid=psnr_sparse(
                    decoded, pooled, shape=grid.at_scale(scale).shape, peak=peak
                ),
            )
        )
    return levels


def _evaluate_surface(
    mesh: TriangleMesh,
    reference: SearchedPoints,
    reference_normals: npt.NDArray[np.float64],
    samples: int,
    seed: int,
    voxel: float,
) -> dict[str, Any]:
    cloud = sample_surface(mesh, samples, seed)
    matches = match_clouds(cloud.points, reference)
    return {
        "chamfer_l1_voxels": matches.chamfer_l1 / voxel,
        "normal_consistency": matches.normal_consistency(cloud.normals, reference_normals),
        "watertight": diagnose(mesh).watertight,
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
    }


def _level_costs(model: Path, seconds: Mapping[int, float]) -> dict[int, dict[str, Any]]:
    representation, sizes = load_model(model), scale_bytes(model)
    return {
        blocks.scale: {
            "scale": blocks.scale,
            "shape": representation.shape_at(blocks.scale),
            "active_blocks": len(blocks.fitted_ids),
            "parameters": blocks.num_parameters,
            "bytes": sizes[blocks.scale],
            "seconds": seconds.get(blocks.scale, 0.0),
        }
        for blocks in representation.scales
    }


def _decode(
    model: Path, scale: int, target: SparseBlocks
) -> tuple[SparseBlocks, SparseBlocks, SparseBlocks, SparseBlocks]:
    """A scale as decoded from the file and its target; then both at full resolution.

    Only the file's sections down to ``scale`` are read.
    """
    decoded = load_model(model, finest=scale).decode(scale)
    upsampled = decoded
    for _ in range(scale):
        upsampled = upsample(upsampled)
    full_target = target.extended(upsampled.layout)
    pooled = full_target
    for _ in range(scale):
        pooled = downsample(pooled)
    return decoded, pooled, upsampled, full_target
