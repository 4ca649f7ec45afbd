"""Other ways to store a volume in few bytes: samples of the blocks at the surface, compressed."""

from __future__ import annotations

import lzma
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from geom_miner import SampleGrid, TriangleMesh, VoxelizeSettings, mesh_target
from geom_miner.extract import extract_mesh
from geom_miner.grid import BlockSource, SparseBlocks
from pipelines.studies.size_coders import zstd

# Samples along the edge of a block, as in the presets of the fit.
_BLOCK = 16
# Kinds of blocks in the table in front of the samples.
_OUTSIDE, _INSIDE, _VARYING = 0, 1, 2

Bytes = npt.NDArray[np.uint8]


def occupancy_by_lzma(mesh: TriangleMesh, resolution: int) -> tuple[int, TriangleMesh]:
    """Store whether each sample is inside, a bit each in blocks that vary, by LZMA."""
    blocks, grid = _target(mesh, "occupancy", resolution)
    inside = blocks.read_blocks(blocks.varying_ids)[..., 0].numpy() > 0.5
    table = _table(blocks)
    data = lzma.compress(table.tobytes() + np.packbits(inside).tobytes(), preset=9)
    return len(data), _surface(blocks, table, inside.astype(np.float32), grid)


def band_by_zstd(
    mesh: TriangleMesh, resolution: int, steps: Sequence[float]
) -> Iterator[tuple[float, int, TriangleMesh]]:
    """Store signed distances up to one voxel, rounded to steps, in blocks that vary, by zstd.

    Yields
    ------
    The step in voxels, the bytes, and the surface of the rounded distances.
    """
    blocks, grid = _target(mesh, "distance", resolution)
    # A target's value is half a voxel's distance, counted from the iso level.
    voxels = (blocks.read_blocks(blocks.varying_ids)[..., 0].numpy() - 0.5) * 2
    table = _table(blocks)
    for step in steps:
        largest = min(127, math.ceil(1 / step))
        rounded = np.rint(voxels / step).clip(-largest, largest).astype(np.int8)
        data = zstd(table.tobytes() + rounded.tobytes())
        values = rounded.astype(np.float32) * np.float32(step / 2) + np.float32(0.5)
        yield step, len(data), _surface(blocks, table, values, grid)


def _target(mesh: TriangleMesh, name: str, resolution: int) -> tuple[BlockSource, SampleGrid]:
    settings = VoxelizeSettings(resolution)
    target = mesh_target(mesh, name, settings, scales=1, block_size=_BLOCK).target
    return target.scales[0], target.grid


def _table(blocks: BlockSource) -> Bytes:
    """The kind of every block, in the order of their ids."""
    ids = blocks.layout.all_ids()
    kinds = np.where(blocks.constants_of(ids)[:, 0].numpy() > 0.5, _INSIDE, _OUTSIDE)
    kinds[torch.isin(ids, blocks.varying_ids).numpy()] = _VARYING
    return kinds.astype(np.uint8)


def _surface(
    blocks: BlockSource, table: Bytes, values: npt.NDArray[np.float32], grid: SampleGrid
) -> TriangleMesh:
    """Mesh what the table and the samples of the varying blocks say."""
    layout = blocks.layout
    ids = layout.all_ids()
    constants = torch.zeros(*layout.counts, 1)
    constants[tuple(layout.coordinates_of(ids).T)] = torch.from_numpy(
        (table == _INSIDE).astype(np.float32)
    )[:, None]
    varying = ids[torch.from_numpy(table == _VARYING)]
    decoded = SparseBlocks(layout, varying, torch.from_numpy(values)[..., None], constants)
    return extract_mesh(decoded, grid, iso_level=0.5)
