"""How good each level of detail of a model file is, measured on what the files hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.metrics.image import psnr_sparse
from eval.metrics.matches import match_clouds
from eval.metrics.occupancy import iou_off_grid, iou_voxel_sparse
from eval.metrics.sampling import SurfaceSamples, sample_surface
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


@dataclass(frozen=True)
class LevelFacts:
    """What every kind of signal has: size and cost of one scale."""

    scale: int
    shape: tuple[int, ...]
    active_blocks: int
    parameters: int
    bytes: int
    """Of this scale's section of the file."""
    seconds: float
    """Of this scale's fit."""


@dataclass(frozen=True)
class ShapeLevel(LevelFacts):
    """One level of detail of an occupancy, and its mesh."""

    iou_voxel: float
    """On the full-resolution grid, a coarser scale upsampled to it (methods' definition)."""
    iou_voxel_own_grid: float
    """On the scale's own samples, against the mean-pooled target cut at one half."""
    iou_threshold: float
    chamfer_l1_voxels: float | None
    """Between samples of mesh and source, in voxels of the finest scale; None without a mesh."""
    sampling_floor_voxels: float
    """What ``chamfer_l1_voxels`` would be between two samplings of the source itself."""
    normal_consistency: float | None
    surface_error_voxels: dict[str, float] | None
    """Distance of points on the mesh to the source's triangles, in voxels of the finest scale:
    mean, median, p95 and max; None without a mesh."""
    normal_error_degrees: dict[str, float] | None
    """Angles between the mesh's normals there and the source's."""
    iou_offgrid_2x: float
    """Of the scale's field, interpolated to half its spacing, with the source voxelized there."""
    watertight: bool
    vertices: int
    faces: int


@dataclass(frozen=True)
class ImageLevel(LevelFacts):
    """One level of detail of an image."""

    psnr: float
    """On the full-resolution grid, a coarser scale upsampled to it; decibels."""
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
    """Judge every scale of a model and its mesh against the source, coarsest first.

    Parameters
    ----------
    model : a complete model file of the occupancy.
    meshes : the mesh file of each scale to judge; None where a scale has no surface.
    seconds : fitting time of each scale, for the record.
    samples, seed : points on each surface and their seed.
    on_level : called with each scale before it is judged.
    """
    facts = _facts(model, seconds)
    target, shape = occupancy.blocks, occupancy.grid.shape
    reference = sample_surface(source, samples, seed + 1)
    voxel = occupancy.grid.spacing[0]
    twin = sample_surface(source, samples, seed + 2)
    floor = match_clouds(twin.points, reference.points).chamfer_l1 / voxel
    levels = []
    for scale in sorted(meshes, reverse=True):
        if on_level is not None:
            on_level(scale)
        own, pooled, full, whole = _decoded(model, scale, target)
        path = meshes[scale]
        surface = _no_surface()
        if path is not None:
            mesh = read_mesh(path)
            surface = _surface_facts(mesh, reference, samples, seed, voxel)
            surface |= source_errors(mesh, source, seed=seed).summary(voxel)
        between = voxelize_mesh(
            source,
            VoxelizeSettings(inside=occupancy.report.requested),
            block_size=own.layout.block_shape[0],
            grid=occupancy.grid.at_scale(scale).refined(2),
        )
        levels.append(
            ShapeLevel(
                **facts[scale],
                iou_voxel=iou_voxel_sparse(full, whole, shape=shape, threshold=iou_threshold),
                iou_voxel_own_grid=iou_voxel_sparse(
                    own, pooled, shape=occupancy.grid.at_scale(scale).shape, threshold=iou_threshold
                ),
                iou_threshold=iou_threshold,
                iou_offgrid_2x=iou_off_grid(own, between.blocks, shape=between.grid.shape),
                sampling_floor_voxels=floor,
                **surface,
            )
        )
    return levels


def evaluate_image_levels(
    model: Path, target: SparseBlocks, *, seconds: Mapping[int, float]
) -> list[ImageLevel]:
    """Judge every scale of an image's model file, coarsest first."""
    facts = _facts(model, seconds)
    grid = load_model(model).grid
    levels = []
    for scale in sorted(facts, reverse=True):
        own, pooled, full, whole = _decoded(model, scale, target)
        levels.append(
            ImageLevel(
                **facts[scale],
                psnr=psnr_sparse(full, whole, shape=grid.shape),
                psnr_own_grid=psnr_sparse(own, pooled, shape=grid.at_scale(scale).shape),
            )
        )
    return levels


def _surface_facts(
    mesh: TriangleMesh, reference: SurfaceSamples, samples: int, seed: int, voxel: float
) -> dict[str, Any]:
    cloud = sample_surface(mesh, samples, seed)
    matches = match_clouds(cloud.points, reference.points)
    return {
        "chamfer_l1_voxels": matches.chamfer_l1 / voxel,
        "normal_consistency": matches.normal_consistency(cloud.normals, reference.normals),
        "watertight": diagnose(mesh).watertight,
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
    }


def _no_surface() -> dict[str, Any]:
    """For a scale too coarse for a thin shape: nothing there to measure a distance to."""
    return {
        "chamfer_l1_voxels": None,
        "normal_consistency": None,
        "surface_error_voxels": None,
        "normal_error_degrees": None,
        "watertight": False,
        "vertices": 0,
        "faces": 0,
    }


def _facts(model: Path, seconds: Mapping[int, float]) -> dict[int, dict[str, Any]]:
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


def _decoded(
    model: Path, scale: int, target: SparseBlocks
) -> tuple[SparseBlocks, SparseBlocks, SparseBlocks, SparseBlocks]:
    """A scale as decoded from the file and its target; both again at full resolution.

    Only the file's sections down to ``scale`` are read.
    """
    own = load_model(model, finest=scale).decode(scale)
    full = own
    for _ in range(scale):
        full = upsample(full)
    whole = target.extended(full.layout)
    pooled = whole
    for _ in range(scale):
        pooled = downsample(pooled)
    return own, pooled, full, whole
