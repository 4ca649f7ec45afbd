"""From a mesh to what is fitted to it: voxelize, then build the target of a name."""

from __future__ import annotations

from dataclasses import dataclass

from geom_miner.errors import MeshError
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.signal_info import SignalInfo, SourceInfo
from geom_miner.grid.target import Target
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.progress import Stages, silent_stages
from geom_miner.targets.registry import target_builder
from geom_miner.voxelize.occupancy import Occupancy, voxelize_mesh
from geom_miner.voxelize.settings import VoxelizeSettings

# Every target of a mesh has its surface here.
ISO_LEVEL = 0.5


@dataclass(frozen=True)
class MeshTarget:
    """What is fitted to a mesh, and the occupancy that it was built from."""

    occupancy: Occupancy
    target: Target


def mesh_target(
    mesh: TriangleMesh,
    name: str = "distance",
    voxels: VoxelizeSettings | None = None,
    *,
    scales: int = 4,
    block_size: int = 16,
    grid: SampleGrid | None = None,
    source: SourceInfo | None = None,
    notice: str = "",
    allow_empty: bool = False,
    stages: Stages = silent_stages,
) -> MeshTarget:
    """Voxelize a mesh and build what is fitted to it.

    Parameters
    ----------
    name : a target of meshes in ``TARGETS``.
    voxels : how the mesh is voxelized; by default at 256 samples along each side.
    scales, block_size : those of the settings that it will be fitted with.
    grid : samples of another cube than that of ``voxels``.
    source, notice : metadata for the model file; the number of faces is filled in.
    allow_empty : build a target without a surface if no sample is inside the mesh.
    stages : shows the progress of voxelizing and of building the target.

    Raises
    ------
    SettingsError
        There is no target of this name for meshes.
    MeshError
        The mesh is flat or has no faces, or no sample is inside it.
    """
    target_builder(name, "mesh")  # A wrong name is reported before the work begins.
    with stages(f"voxelizing {len(mesh.faces):,} faces") as progress:
        occupancy = voxelize_mesh(mesh, voxels, block_size=block_size, grid=grid, progress=progress)
    return MeshTarget(
        occupancy,
        target_of_occupancy(
            occupancy,
            name,
            scales=scales,
            source=source,
            notice=notice,
            allow_empty=allow_empty,
            stages=stages,
        ),
    )


def target_of_occupancy(
    occupancy: Occupancy,
    name: str,
    *,
    scales: int,
    source: SourceInfo | None = None,
    notice: str = "",
    allow_empty: bool = False,
    stages: Stages = silent_stages,
) -> Target:
    """What is fitted to a mesh that is voxelized already; see ``mesh_target``."""
    builder = target_builder(name, "mesh")
    report = occupancy.report
    if not report.inside_fraction and not allow_empty:
        raise MeshError(
            f"no sample of {report.resolution}^3 is inside the mesh: {report.why_empty()}; a model "
            "of nothing needs --allow-empty (allow_empty=True)"
        )
    source = source or SourceInfo(faces=occupancy.report.diagnosis.faces)
    info = SignalInfo(
        kind="occupancy", target=name, iso_level=ISO_LEVEL, source=source, notice=notice
    )
    with stages(builder.stage) as progress:
        return builder.build(occupancy, info, scales=scales, progress=progress)
