"""From a mesh to its occupancy on a grid: sparse blocks of 0 and 1, and a report."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import torch

from geom_miner.compile_notice import announce_compiling
from geom_miner.errors import SettingsError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.packing import Packing
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.memory import require_memory
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.normalize import grid_for_mesh
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.progress import Progress, silent
from geom_miner.voxelize.repair import Repaired, repair
from geom_miner.voxelize.report import Method
from geom_miner.voxelize.report import VoxelizeReport as VoxelizeReport
from geom_miner.voxelize.settings import InsideTest, VoxelizeSettings
from geom_miner.voxelize.winding import WindingNumbers, winding_available

if TYPE_CHECKING:
    from geom_miner.voxelize.columns import ColumnCast, Subsamples


# Least memory of a block, varying or not: its constant, and its row among the varying ones.
_BYTES_PER_BLOCK = 1 + 4


@dataclass(frozen=True)
class Occupancy:
    """Inside (1) and outside (0) of a mesh at the sample centers of a grid.

    Attributes
    ----------
    blocks : 0 and 1, a bit each; one channel; axes 0, 1, 2 are x, y, z.
    settings : of the voxelization.
    repaired : the mesh as the inside test saw it.
    """

    grid: SampleGrid
    blocks: SparseBlocks
    report: VoxelizeReport
    settings: VoxelizeSettings
    repaired: Repaired


@announce_compiling("the voxelizer", 15)
def voxelize_mesh(
    mesh: TriangleMesh,
    settings: VoxelizeSettings | None = None,
    *,
    block_size: int = 16,
    grid: SampleGrid | None = None,
    progress: Progress = silent,
) -> Occupancy:
    """Decide for every sample of a cube around the mesh whether it lies inside.

    Parameters
    ----------
    settings : defaults to ``VoxelizeSettings()``.
    grid : samples of another cube, which takes the place of the settings' resolution and fill.
    block_size : samples along one edge of the blocks that the result is stored in.
    progress : called with the share done, in (0, 1].

    Raises
    ------
    MeshError
        The mesh is flat or has no faces.
    BackendUnavailable
        The chosen test needs a package that is not installed.
    """
    settings = VoxelizeSettings() if settings is None else settings
    if grid is None:
        grid = grid_for_mesh(mesh, settings.resolution, settings.fill)
    resolution = grid.shape[0]
    if grid.shape != (resolution,) * 3:
        raise SettingsError(f"grid must have as many samples along every axis, got {grid.shape}")
    layout = BlockGrid.covering(grid.shape, (block_size,) * 3)
    require_memory(
        _BYTES_PER_BLOCK * layout.num_blocks,
        f"voxelizing at resolution {resolution}",
        "lower --resolution",
    )
    given = diagnose(mesh)
    repaired = repair(mesh, given)
    diagnosis = repaired.diagnosis
    if settings.inside not in ("winding", "embree"):
        # Compile, or load what is compiled, before the clock starts: one face on two samples.
        corner = TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
        plain, unit = replace(settings, inside="parity"), SampleGrid.unit((2, 2, 2))
        find_inside(replace(repaired, mesh=corner), unit, plain, block_size=2)
    started = time.perf_counter()
    found = find_inside(repaired, grid, settings, block_size=block_size, progress=progress)
    inside = found.blocks.sum(grid.shape)
    cell = float(np.prod(grid.spacing))
    report = VoxelizeReport(
        requested=settings.inside,
        method=found.method,
        reason=found.reason,
        resolution=resolution,
        columns=sum(axis.columns for axis in found.axes),
        odd_columns=sum(axis.odd_columns for axis in found.axes),
        unbalanced_columns=sum(axis.unbalanced_columns for axis in found.axes),
        crossings=sum(axis.crossings for axis in found.axes),
        overlap_samples=max((axis.overlap_samples for axis in found.axes), default=0),
        disputed_samples=found.disputed_samples,
        winding_samples=found.winding_samples,
        spacing=grid.spacing[0],
        inside_fraction=inside / resolution**3,
        thickness=2 * inside * cell / (diagnosis.area * grid.spacing[0]) if inside else 0.0,
        mixed_blocks=len(found.blocks.ids),
        duplicates_removed=repaired.duplicates_removed,
        second_sides_removed=repaired.second_sides_removed,
        faces_flipped=repaired.faces_flipped,
        components_flipped=repaired.components_flipped,
        seconds=time.perf_counter() - started,
        diagnosis=given,
        repaired=diagnosis,
    )
    progress(1.0)
    return Occupancy(grid, found.blocks, report, settings, repaired)


def cell_coverage(occupancy: Occupancy, *, progress: Progress = silent) -> SparseBlocks:
    """The share of every sample's cell that is inside, in 240ths, on the occupancy's blocks.

    16 columns are cast through each cell and cut to a fifteenth of it, by the occupancy's own
    inside test.

    Raises
    ------
    SettingsError
        The occupancy was found by a test of single points, which have no coverage.
    """
    from geom_miner.voxelize.columns import COVERAGE

    settings = occupancy.settings
    if settings.inside in ("winding", "embree"):
        raise SettingsError(
            f"inside={settings.inside} tests single points, which have no coverage; take "
            "inside=auto or target=occupancy"
        )
    found = _by_columns(
        occupancy.repaired, occupancy.grid, occupancy.blocks.layout, settings, COVERAGE, progress
    )
    return found.blocks


@dataclass(frozen=True)
class InsideResult:
    """Which samples are inside, the test that decided it, and the reason for that test."""

    blocks: SparseBlocks
    method: Method
    reason: str
    axes: tuple[ColumnCast, ...] = ()
    disputed_samples: int = 0
    winding_samples: int = 0


def find_inside(
    repaired: Repaired,
    grid: SampleGrid,
    settings: VoxelizeSettings,
    *,
    block_size: int,
    progress: Progress = silent,
) -> InsideResult:
    """Inside at the samples of any grid, by the test of the settings.

    Parameters
    ----------
    settings : their resolution and fill do not matter.
    """
    from geom_miner.voxelize.columns import OCCUPANCY

    layout = BlockGrid.covering(grid.shape, (block_size,) * 3)
    if settings.inside in ("winding", "embree"):
        return _point_by_point(repaired.mesh, grid, layout, settings.inside, progress)
    return _by_columns(repaired, grid, layout, settings, OCCUPANCY, progress)


def _by_columns(
    repaired: Repaired,
    grid: SampleGrid,
    layout: BlockGrid,
    settings: VoxelizeSettings,
    subsamples: Subsamples,
    progress: Progress,
) -> InsideResult:
    """One axis or three; what three dispute goes to winding numbers if the choice is ours."""
    from geom_miner.voxelize.columns import cast_columns
    from geom_miner.voxelize.vote import vote

    mesh, diagnosis, inside = repaired.mesh, repaired.diagnosis, settings.inside
    vertices = grid.world_to_index(mesh.vertices)
    shape = (grid.shape[0], grid.shape[1], grid.shape[2])

    # What decides on three axes is known before only where the mesh itself is open.
    expected = 3 if inside == "majority" or (inside == "auto" and not diagnosis.closed) else 1

    def columns(axis: int, behind: int = 0) -> ColumnCast:
        def report(share: float) -> None:
            progress(min((behind + share) / expected, 1.0))

        return cast_columns(
            vertices,
            mesh.faces,
            shape,
            layout,
            axis=axis,
            directed=inside == "auto",
            subsamples=subsamples,
            progress=report,
        )

    # Built once, and only if something is disputed.
    @cache
    def winding() -> WindingNumbers:
        return WindingNumbers(mesh)

    def by_winding(index: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return winding().inside(grid.index_to_world(index))

    along_z = columns(2)
    if inside == "auto":
        reason, three = _choose_axes(along_z, repaired)
    else:
        reason, three = _as_asked(inside), inside == "majority"
    if not three:
        method: Method = "direction" if along_z.overlap_samples else "parity"
        return InsideResult(along_z.blocks, method, reason, (along_z,))
    axes = (columns(0, 1), columns(1, 2), along_z)
    found = vote(
        axes,
        shape,
        is_inside=by_winding if inside == "auto" and winding_available() else None,
        # In a closed mesh parity is right, whatever the directions.
        check_unbalanced=not diagnosis.closed,
    )
    method = "majority+winding" if found.decided else "majority"
    return InsideResult(found.blocks, method, reason, axes, found.disputed, found.decided)


def _choose_axes(along_z: ColumnCast, repaired: Repaired) -> tuple[str, bool]:
    """The reason for the test that fits the mesh, and whether it needs columns on three axes."""
    three = ", so all three axes were cast"
    diagnosis, mesh = repaired.diagnosis, "the repaired mesh" if repaired.repairs else "the mesh"
    if along_z.odd_columns:
        return "columns along z meet the surface an odd number of times" + three, True
    if not diagnosis.closed:
        fault = "holes" if diagnosis.open_edges else "edges with an odd number of faces"
        return f"{mesh} has {fault}, although no column along z runs through one" + three, True
    if along_z.unbalanced_columns and not diagnosis.watertight:
        return f"{mesh} is closed, but it has no consistent outside" + three, True
    if along_z.overlap_samples:
        return f"{mesh} is closed and overlaps itself, so directions were counted", False
    return f"{mesh} is closed, and no solids in it overlap, so parity is right", False


def _as_asked(inside: InsideTest) -> str:
    return f"the settings ask for inside={inside}"


def _point_by_point(
    mesh: TriangleMesh,
    grid: SampleGrid,
    layout: BlockGrid,
    inside: Literal["winding", "embree"],
    progress: Progress,
) -> InsideResult:
    """Ask every sample, one layer of blocks at a time: slow, a cross-check."""
    from geom_miner.voxelize.embree import embree_inside

    test = WindingNumbers(mesh).inside if inside == "winding" else partial(embree_inside, mesh)
    thickness = layout.block_shape[0]
    layer_layout = BlockGrid((1, *layout.counts[1:]), layout.block_shape)
    layers = []
    for layer in range(layout.counts[0]):
        planes = np.arange(layer * thickness, min((layer + 1) * thickness, grid.shape[0]))
        index = np.stack(
            np.meshgrid(planes, *[np.arange(n) for n in grid.shape[1:]], indexing="ij"), axis=-1
        )
        found = test(grid.index_to_world(index).reshape(-1, 3))
        dense = torch.from_numpy(found.reshape(index.shape[:3]).astype(np.uint8))[..., None]
        layers.append(SparseBlocks.from_dense(dense, layer_layout).packed(Packing()))
        progress((layer + 1) / layout.counts[0])
    return InsideResult(SparseBlocks.stacked(layers), inside, _as_asked(inside))
