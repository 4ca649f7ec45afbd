"""geom_miner: huge 3D shapes and images as multiscale sets of tiny neural networks.

The public names below are loaded on first use, so importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geom_miner.errors import BackendUnavailable as BackendUnavailable
    from geom_miner.errors import GeomMinerError as GeomMinerError
    from geom_miner.errors import MediaError as MediaError
    from geom_miner.errors import MeshError as MeshError
    from geom_miner.errors import ModelFileError as ModelFileError
    from geom_miner.errors import SettingsError as SettingsError
    from geom_miner.extract.decimate import decimate as decimate
    from geom_miner.extract.isosurface import extract_mesh as extract_mesh
    from geom_miner.extract.isosurface import extract_mesh_dense as extract_mesh_dense
    from geom_miner.extract.level_of_detail import extract_level as extract_level
    from geom_miner.extract.level_of_detail import write_level_ply as write_level_ply
    from geom_miner.extract.sharpen import sharpen as sharpen
    from geom_miner.fit.coarse_to_fine import fit_signal as fit_signal
    from geom_miner.fit.history import ScaleHistory as ScaleHistory
    from geom_miner.fit.learned_start import LearnedStart as LearnedStart
    from geom_miner.fit.learned_start import ReptileSettings as ReptileSettings
    from geom_miner.fit.learned_start import StartTrial as StartTrial
    from geom_miner.fit.learned_start import finest_residuals as finest_residuals
    from geom_miner.fit.learned_start import learn_start as learn_start
    from geom_miner.fit.learned_start import try_start as try_start
    from geom_miner.fit.memory import parse_memory as parse_memory
    from geom_miner.fit.settings import PRESETS as PRESETS
    from geom_miner.fit.settings import FitSettings as FitSettings
    from geom_miner.fit.settings import preset as preset
    from geom_miner.fit.settings import target_for as target_for
    from geom_miner.grid.blocks import BlockGrid as BlockGrid
    from geom_miner.grid.pyramid import build_pyramid as build_pyramid
    from geom_miner.grid.pyramid import doubled as doubled
    from geom_miner.grid.pyramid import downsample as downsample
    from geom_miner.grid.pyramid import upsample as upsample
    from geom_miner.grid.pyramid import upsample_blocks as upsample_blocks
    from geom_miner.grid.pyramid import varying_when_upsampled as varying_when_upsampled
    from geom_miner.grid.samples import SampleGrid as SampleGrid
    from geom_miner.grid.sparse import SparseBlocks as SparseBlocks
    from geom_miner.grid.sparse import paired_samples as paired_samples
    from geom_miner.grid.target import Target as Target
    from geom_miner.kernels import choose_device as choose_device
    from geom_miner.kernels.architecture import MLPArchitecture as MLPArchitecture
    from geom_miner.kernels.peak import fma_peak as fma_peak
    from geom_miner.kernels.peak import step_flops as step_flops
    from geom_miner.kernels.training import TrainingState as TrainingState
    from geom_miner.media.images import ImageSignal as ImageSignal
    from geom_miner.media.images import image_to_blocks as image_to_blocks
    from geom_miner.media.images import read_image as read_image
    from geom_miner.media.images import write_image as write_image
    from geom_miner.mesh.diagnose import Diagnosis as Diagnosis
    from geom_miner.mesh.diagnose import diagnose as diagnose
    from geom_miner.mesh.files import read_mesh as read_mesh
    from geom_miner.mesh.files import write_mesh as write_mesh
    from geom_miner.mesh.ply import count_ply_rows as count_ply_rows
    from geom_miner.mesh.ply import read_ply_vertices as read_ply_vertices
    from geom_miner.mesh.triangle_mesh import TriangleMesh as TriangleMesh
    from geom_miner.model.block_mlps import local_coordinates as local_coordinates
    from geom_miner.model.initialize import initialize_blocks as initialize_blocks
    from geom_miner.model.representation import Representation as Representation
    from geom_miner.progress import FitProgress as FitProgress
    from geom_miner.progress import WorkBar as WorkBar
    from geom_miner.resumable import FitResult as FitResult
    from geom_miner.resumable import fit_to_file as fit_to_file
    from geom_miner.storage.model_file import load_model as load_model
    from geom_miner.storage.model_file import save_model as save_model
    from geom_miner.storage.model_file import scale_bytes as scale_bytes
    from geom_miner.voxelize.distance_target import target_of as target_of
    from geom_miner.voxelize.field_target import field_target as field_target
    from geom_miner.voxelize.occupancy import Occupancy as Occupancy
    from geom_miner.voxelize.occupancy import VoxelizeReport as VoxelizeReport
    from geom_miner.voxelize.occupancy import voxelize_mesh as voxelize_mesh
    from geom_miner.voxelize.settings import VoxelizeSettings as VoxelizeSettings
    from geom_miner.voxelize.winding import WindingNumbers as WindingNumbers
    from geom_miner.voxelize.winding import winding_numbers as winding_numbers
    from geom_miner.whole_files import new_file as new_file

__version__ = "0.1.0"

_HOMES = {
    "BackendUnavailable": "errors",
    "BlockGrid": "grid.blocks",
    "Diagnosis": "mesh.diagnose",
    "FitProgress": "progress",
    "FitResult": "resumable",
    "FitSettings": "fit.settings",
    "GeomMinerError": "errors",
    "ImageSignal": "media.images",
    "LearnedStart": "fit.learned_start",
    "MediaError": "errors",
    "MeshError": "errors",
    "ModelFileError": "errors",
    "Occupancy": "voxelize.occupancy",
    "PRESETS": "fit.settings",
    "Representation": "model.representation",
    "ReptileSettings": "fit.learned_start",
    "SampleGrid": "grid.samples",
    "ScaleHistory": "fit.history",
    "SettingsError": "errors",
    "SparseBlocks": "grid.sparse",
    "StartTrial": "fit.learned_start",
    "Target": "grid.target",
    "TriangleMesh": "mesh.triangle_mesh",
    "VoxelizeReport": "voxelize.occupancy",
    "VoxelizeSettings": "voxelize.settings",
    "WindingNumbers": "voxelize.winding",
    "WorkBar": "progress",
    "build_pyramid": "grid.pyramid",
    "choose_device": "kernels",
    "count_ply_rows": "mesh.ply",
    "decimate": "extract.decimate",
    "diagnose": "mesh.diagnose",
    "extract_level": "extract.level_of_detail",
    "extract_mesh": "extract.isosurface",
    "extract_mesh_dense": "extract.isosurface",
    "field_target": "voxelize.field_target",
    "finest_residuals": "fit.learned_start",
    "fit_signal": "fit.coarse_to_fine",
    "fit_to_file": "resumable",
    "learn_start": "fit.learned_start",
    "load_model": "storage.model_file",
    "new_file": "whole_files",
    "paired_samples": "grid.sparse",
    "parse_memory": "fit.memory",
    "preset": "fit.settings",
    "target_for": "fit.settings",
    "target_of": "voxelize.distance_target",
    "read_image": "media.images",
    "read_mesh": "mesh.files",
    "read_ply_vertices": "mesh.ply",
    "save_model": "storage.model_file",
    "scale_bytes": "storage.model_file",
    "sharpen": "extract.sharpen",
    "doubled": "grid.pyramid",
    "upsample": "grid.pyramid",
    "upsample_blocks": "grid.pyramid",
    "varying_when_upsampled": "grid.pyramid",
    "downsample": "grid.pyramid",
    "image_to_blocks": "media.images",
    "MLPArchitecture": "kernels.architecture",
    "TrainingState": "kernels.training",
    "fma_peak": "kernels.peak",
    "step_flops": "kernels.peak",
    "initialize_blocks": "model.initialize",
    "local_coordinates": "model.block_mlps",
    "try_start": "fit.learned_start",
    "voxelize_mesh": "voxelize.occupancy",
    "winding_numbers": "voxelize.winding",
    "write_image": "media.images",
    "write_level_ply": "extract.level_of_detail",
    "write_mesh": "mesh.files",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
