"""From a mesh to its occupancy on a grid: sparse blocks of 0 and 1, and a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks, paired_samples
from geom_miner.mesh.diagnose import Diagnosis, diagnose
from geom_miner.mesh.normalize import grid_for_mesh
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.settings import VoxelizeSettings

if TYPE_CHECKING:
    from geom_miner.voxelize.columns import ColumnCrossings

Progress = Callable[[float], None]
Method = Literal["parity", "majority", "winding", "embree"]


@dataclass(frozen=True)
class VoxelizeReport:
    """What was done and found while voxelizing."""

    method: Method
    """The test that decided what is inside."""
    resolution: int
    """Samples along each side of the cube."""
    columns: int
    """Columns of samples that the surface crosses, over all axes that were cast."""
    odd_columns: int
    """Those crossed an odd number of times: 0 for a closed mesh."""
    crossings: int
    """Crossings of columns and surface, over all axes that were cast."""
    inside_fraction: float
    """Share of the cube's samples that are inside."""
    mixed_blocks: int
    """Blocks that hold both values."""
    seconds: float
    """Time of voxelizing, without the diagnosis."""
    diagnosis: Diagnosis
    """The mesh's own condition."""

    def sentences(self) -> list[str]:
        """The report in plain words."""
        ways = {
            "parity": "by counting crossings along z",
            "majority": "by a vote of the crossings along x, y and z",
            "winding": "by winding numbers",
            "embree": "by a vote of Embree rays",
        }
        lines = [
            f"Voxelized at {self.resolution}^3 in {self.seconds:.2f} s {ways[self.method]}: "
            f"{self.inside_fraction:.2%} inside, {self.mixed_blocks:,} blocks at the surface."
        ]
        if self.odd_columns:
            lines.append(
                f"{self.odd_columns:,} of {self.columns:,} columns meet the surface an odd number "
                "of times, as happens at holes; "
                + (
                    "the vote of three axes decides there."
                    if self.method == "majority"
                    else "what follows their last crossing counts as outside."
                )
            )
        if not self.inside_fraction:
            lines.append("No sample is inside: raise the resolution or look for holes.")
        return [*lines, *self.diagnosis.sentences()]


@dataclass(frozen=True)
class Occupancy:
    """Inside (1) and outside (0) of a mesh at the sample centers of a grid.

    ``blocks`` holds uint8, one channel; axes 0, 1, 2 are x, y, z.
    """

    grid: SampleGrid
    blocks: SparseBlocks
    report: VoxelizeReport


def voxelize_mesh(
    mesh: TriangleMesh,
    settings: VoxelizeSettings | None = None,
    *,
    block_size: int = 16,
    progress: Progress | None = None,
) -> Occupancy:
    """Decide for every sample of a cube around the mesh whether it lies inside.

    Parameters
    ----------
    settings : defaults to ``VoxelizeSettings()``.
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
    grid = grid_for_mesh(mesh, settings.resolution, settings.fill)
    diagnosis = diagnose(mesh)
    if settings.inside not in ("winding", "embree"):
        # Compile, or load what is compiled, before the clock starts: one face on two samples.
        tiny = BlockGrid((1, 1, 1), (2, 2, 2))
        corner = TriangleMesh(np.eye(3), mesh.faces[:1] * 0 + np.arange(3, dtype=mesh.faces.dtype))
        _by_columns(corner, SampleGrid.unit((2, 2, 2)), tiny, "parity")
    started = time.perf_counter()
    layout = BlockGrid.covering(grid.shape, (block_size,) * 3)
    if settings.inside in ("winding", "embree"):
        blocks = _point_by_point(mesh, grid, layout, settings.inside, progress)
        method: Method = settings.inside
        columns = odd = crossings = 0
    else:
        blocks, method, columns, odd, crossings = _by_columns(mesh, grid, layout, settings.inside)
    report = VoxelizeReport(
        method=method,
        resolution=settings.resolution,
        columns=columns,
        odd_columns=odd,
        crossings=crossings,
        inside_fraction=count_inside(blocks, grid.shape) / settings.resolution**3,
        mixed_blocks=len(blocks.ids),
        seconds=time.perf_counter() - started,
        diagnosis=diagnosis,
    )
    if progress is not None:
        progress(1.0)
    return Occupancy(grid, blocks, report)


def count_inside(blocks: SparseBlocks, shape: tuple[int, ...]) -> int:
    """Number of samples of value 1 among the first ``shape`` ones."""
    if blocks.layout.shape == shape:
        constant = blocks.constants[blocks.slots < 0].sum(dtype=torch.int64)
        varying = blocks.values.sum(dtype=torch.int64)
        return int(constant) * blocks.layout.block_samples + int(varying)
    total = 0
    for values, _, weight in paired_samples(blocks, blocks, shape):
        total += int((values[:, 0].long() * weight).sum())
    return total


def _by_columns(
    mesh: TriangleMesh, grid: SampleGrid, layout: BlockGrid, inside: str
) -> tuple[SparseBlocks, Method, int, int, int]:
    """Blocks, the method used, and columns, odd columns and crossings over the axes cast."""
    from geom_miner.voxelize.columns import cast_columns

    vertices = grid.world_to_index(mesh.vertices)
    shape = (grid.shape[0], grid.shape[1], grid.shape[2])

    def cast(axis: int) -> ColumnCrossings:
        return cast_columns(vertices, mesh.faces, shape, axis=axis)

    casts = [cast(2)] if inside != "majority" else [cast(0), cast(1), cast(2)]
    if inside == "auto" and casts[0].odd_columns:
        casts = [cast(0), cast(1), casts[0]]
    method: Method = "parity" if len(casts) == 1 else "majority"
    totals = (
        sum(c.columns for c in casts),
        sum(c.odd_columns for c in casts),
        sum(c.crossings for c in casts),
    )
    return _vote(casts, layout), method, *totals


def _vote(casts: list[ColumnCrossings], layout: BlockGrid) -> SparseBlocks:
    """Majority of one or three axes' parities, on the blocks where any of them varies."""
    from geom_miner.voxelize.columns import FULL, MIXED

    counts = (layout.counts[0], layout.counts[1], layout.counts[2])
    block_size = layout.block_shape[0]
    needed = len(casts) // 2 + 1
    mixed = np.zeros(counts, dtype=bool)
    full_votes = np.zeros(counts, dtype=np.uint8)
    for cast in casts:
        states = cast.block_states(counts, block_size)
        mixed |= states == MIXED
        full_votes += states == FULL
    constants = torch.from_numpy((full_votes >= needed).astype(np.uint8))[..., None]
    constants[torch.from_numpy(mixed)] = 0

    ids, coordinates = _in_morton_order(layout, torch.from_numpy(np.argwhere(mixed)))
    slots = np.full(counts, -1, dtype=np.int32)
    slots[tuple(coordinates.numpy().T)] = np.arange(len(ids), dtype=np.int32)
    votes = casts[0].fill_blocks(slots, len(ids), block_size)
    if len(casts) == 1:
        return SparseBlocks(layout, ids, torch.from_numpy(votes)[..., None], constants)
    for cast in casts[1:]:
        votes += cast.fill_blocks(slots, len(ids), block_size)
    values = torch.from_numpy((votes >= needed).astype(np.uint8))
    # Three axes that vary in a block may still agree on one value by majority.
    varying = (values != values[:, :1]).any(dim=1)
    same = coordinates[~varying]
    constants[tuple(same.T)] = values[~varying][:, :1]
    return SparseBlocks(layout, ids[varying], values[varying][..., None], constants)


def _in_morton_order(layout: BlockGrid, coordinates: Tensor) -> tuple[Tensor, Tensor]:
    ids, order = layout.ids_of(coordinates).sort()
    return ids, coordinates[order]


def _point_by_point(
    mesh: TriangleMesh,
    grid: SampleGrid,
    layout: BlockGrid,
    inside: Literal["winding", "embree"],
    progress: Progress | None,
) -> SparseBlocks:
    """Ask every sample, one layer of blocks at a time: slow, a cross-check."""
    from geom_miner.voxelize.embree import embree_inside
    from geom_miner.voxelize.winding import winding_inside

    test = {"winding": winding_inside, "embree": embree_inside}[inside]
    thickness = layout.block_shape[0]
    layer_layout = BlockGrid((1, *layout.counts[1:]), layout.block_shape)
    ids, values, constants = [], [], []
    for layer in range(layout.counts[0]):
        planes = np.arange(layer * thickness, min((layer + 1) * thickness, grid.shape[0]))
        index = np.stack(
            np.meshgrid(planes, *[np.arange(n) for n in grid.shape[1:]], indexing="ij"), axis=-1
        )
        found = test(mesh, grid.index_to_world(index).reshape(-1, 3))
        dense = torch.from_numpy(found.reshape(index.shape[:3]).astype(np.uint8))[..., None]
        part = SparseBlocks.from_dense(dense, layer_layout)
        coordinates = layer_layout.coordinates_of(part.ids)
        coordinates[:, 0] += layer
        ids.append(layout.ids_of(coordinates))
        values.append(part.values)
        constants.append(part.constants)
        if progress is not None:
            progress((layer + 1) / layout.counts[0])
    all_ids, order = torch.cat(ids).sort()
    return SparseBlocks(layout, all_ids, torch.cat(values)[order], torch.cat(constants))
