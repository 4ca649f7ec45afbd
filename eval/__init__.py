"""eval: how good is a reconstruction, in numbers and in pictures.

Everything here reads files or finished meshes, arrays and sparse blocks; nothing reaches into a
running fit. The public names below are loaded on first use, so importing the package costs
nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eval.clouds.files import holds_cloud as holds_cloud
    from eval.clouds.files import read_cloud as read_cloud
    from eval.clouds.files import write_cloud as write_cloud
    from eval.clouds.from_mesh import sample_cloud as sample_cloud
    from eval.clouds.point_cloud import PointCloud as PointCloud
    from eval.compare import CompareSettings as CompareSettings
    from eval.compare import compare as compare
    from eval.errors import CloudError as CloudError
    from eval.errors import MetricError as MetricError
    from eval.figures import BlockLayer as BlockLayer
    from eval.figures import QualityPoint as QualityPoint
    from eval.figures import active_blocks_figure as active_blocks_figure
    from eval.figures import blocks_mesh as blocks_mesh
    from eval.figures import contact_sheet as contact_sheet
    from eval.figures import draw_block_outlines as draw_block_outlines
    from eval.figures import growth_figure as growth_figure
    from eval.figures import quality_over_time as quality_over_time
    from eval.levels import ImageLevel as ImageLevel
    from eval.levels import ShapeLevel as ShapeLevel
    from eval.levels import evaluate_image_levels as evaluate_image_levels
    from eval.levels import evaluate_shape_levels as evaluate_shape_levels
    from eval.metrics.edge_error import edge_errors as edge_errors
    from eval.metrics.image import mse as mse
    from eval.metrics.image import mse_sparse as mse_sparse
    from eval.metrics.image import psnr as psnr
    from eval.metrics.image import psnr_sparse as psnr_sparse
    from eval.metrics.matches import CloudMatches as CloudMatches
    from eval.metrics.matches import match_clouds as match_clouds
    from eval.metrics.mesh_iou import iou_mesh as iou_mesh
    from eval.metrics.occupancy import iou_off_grid as iou_off_grid
    from eval.metrics.occupancy import iou_voxel as iou_voxel
    from eval.metrics.occupancy import iou_voxel_sparse as iou_voxel_sparse
    from eval.metrics.sampling import SurfaceSamples as SurfaceSamples
    from eval.metrics.sampling import sample_surface as sample_surface
    from eval.metrics.source_error import SourceErrors as SourceErrors
    from eval.metrics.source_error import source_errors as source_errors
    from eval.metrics.surface import acc as acc
    from eval.metrics.surface import chamfer_l1 as chamfer_l1
    from eval.metrics.surface import chamfer_l2 as chamfer_l2
    from eval.metrics.surface import chamfer_sum_sq as chamfer_sum_sq
    from eval.metrics.surface import cloud_metrics as cloud_metrics
    from eval.metrics.surface import comp as comp
    from eval.metrics.surface import fscore as fscore
    from eval.metrics.surface import hausdorff as hausdorff
    from eval.metrics.surface import normal_consistency as normal_consistency
    from eval.metrics.surface import one_sided_scan_chamfer as one_sided_scan_chamfer
    from eval.metrics.surface import one_sided_scan_hausdorff as one_sided_scan_hausdorff
    from eval.metrics.surface import scan_metrics as scan_metrics
    from eval.metrics.surface import surface_metrics as surface_metrics
    from eval.open3d_module import load_open3d as load_open3d
    from eval.render import render_mesh as render_mesh
    from eval.report.single_runs import collection_report as collection_report
    from eval.report.single_runs import image_report as image_report
    from eval.report.single_runs import shape_report as shape_report
    from eval.view import View as View

_HOMES = {
    "BlockLayer": "figures",
    "CloudError": "errors",
    "CloudMatches": "metrics.matches",
    "CompareSettings": "compare",
    "MetricError": "errors",
    "PointCloud": "clouds.point_cloud",
    "QualityPoint": "figures",
    "SourceErrors": "metrics.source_error",
    "SurfaceSamples": "metrics.sampling",
    "View": "view",
    "acc": "metrics.surface",
    "active_blocks_figure": "figures",
    "blocks_mesh": "figures",
    "chamfer_l1": "metrics.surface",
    "chamfer_l2": "metrics.surface",
    "chamfer_sum_sq": "metrics.surface",
    "cloud_metrics": "metrics.surface",
    "comp": "metrics.surface",
    "contact_sheet": "figures",
    "draw_block_outlines": "figures",
    "edge_errors": "metrics.edge_error",
    "fscore": "metrics.surface",
    "hausdorff": "metrics.surface",
    "holds_cloud": "clouds.files",
    "iou_mesh": "metrics.mesh_iou",
    "iou_off_grid": "metrics.occupancy",
    "iou_voxel": "metrics.occupancy",
    "iou_voxel_sparse": "metrics.occupancy",
    "load_open3d": "open3d_module",
    "match_clouds": "metrics.matches",
    "mse": "metrics.image",
    "mse_sparse": "metrics.image",
    "normal_consistency": "metrics.surface",
    "one_sided_scan_chamfer": "metrics.surface",
    "one_sided_scan_hausdorff": "metrics.surface",
    "psnr": "metrics.image",
    "psnr_sparse": "metrics.image",
    "growth_figure": "figures",
    "quality_over_time": "figures",
    "read_cloud": "clouds.files",
    "render_mesh": "render",
    "ImageLevel": "levels",
    "ShapeLevel": "levels",
    "evaluate_image_levels": "levels",
    "evaluate_shape_levels": "levels",
    "shape_report": "report.single_runs",
    "image_report": "report.single_runs",
    "collection_report": "report.single_runs",
    "sample_cloud": "clouds.from_mesh",
    "sample_surface": "metrics.sampling",
    "scan_metrics": "metrics.surface",
    "source_errors": "metrics.source_error",
    "surface_metrics": "metrics.surface",
    "write_cloud": "clouds.files",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
