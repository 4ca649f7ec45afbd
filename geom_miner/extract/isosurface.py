"""Marching cubes on sparse blocks, block by block, welded into one closed mesh.

The library supplies the topology, from the signs of the samples alone; positions are ours. Each
vertex belongs to one edge of the sample lattice, so an integer names it, blocks that share an edge
name it alike, and its position is computed from the edge's two samples by one formula. Hence the
mesh does not depend on how the grid is cut into blocks.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import CHUNK_SAMPLES, SparseBlocks
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Vertices keep this distance, in voxels, from the ends of their lattice edge, so that vertices of
# different edges never coincide, not even as float32 at 4096 samples per axis.
_CLEARANCE = 1e-3

Polygons = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def extract_mesh(
    blocks: SparseBlocks,
    grid: SampleGrid,
    *,
    iso_level: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> TriangleMesh:
    """Mesh the surface between samples below ``iso_level`` (outside) and the others (inside).

    Samples beyond the grid count as outside, so the mesh is always closed. An empty level gives
    a mesh without faces.

    Parameters
    ----------
    blocks : three-dimensional, one channel, higher inside.
    grid : where the samples lie; its shape is the true one, without padding.
    on_progress : called with (blocks meshed, blocks to mesh).

    Returns
    -------
    TriangleMesh in the grid's world units, faces outward. Vertices lie in the order of their
    lattice edges; each is the linear interpolation on its edge, kept 0.001 voxel from its ends.
    """
    if blocks.layout.ndim != 3 or blocks.channels != 1:
        raise BlockShapeError(
            "a mesh needs a signal with 3 axes and 1 channel, "
            f"got {blocks.layout.ndim} axes and {blocks.channels}"
        )
    cells, size = _cells_to_mesh(blocks, grid.shape, iso_level), blocks.layout.block_shape
    starts = cells * torch.tensor(size, device=blocks.device) - 1
    keys: list[npt.NDArray[np.int64]] = []
    positions: list[npt.NDArray[np.float64]] = []
    corners: list[npt.NDArray[np.int64]] = []
    count = 0
    extent = (size[0] + 1, size[1] + 1, size[2] + 1)
    per_chunk = max(1, CHUNK_SAMPLES // (extent[0] * extent[1] * extent[2]))
    for first in range(0, len(starts), per_chunk):
        chunk = starts[first : first + per_chunk]
        boxes = _read_outside(blocks, chunk, extent, grid.shape, iso_level)
        for box, start in zip(boxes, chunk.cpu().numpy(), strict=True):
            doubled, faces = _polygonize(box >= iso_level)
            keys.append(_edge_keys(doubled + 2 * start, grid.shape))
            positions.append(_interpolate(box, doubled, start, iso_level))
            corners.append(faces + count)
            count += len(doubled)
        if on_progress is not None:
            on_progress(min(first + per_chunk, len(starts)), len(starts))
    if not count:
        return TriangleMesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))
    _, where, which = np.unique(np.concatenate(keys), return_index=True, return_inverse=True)
    vertices = grid.index_to_world(np.concatenate(positions)[where])
    return TriangleMesh(vertices, which[np.concatenate(corners)])


def extract_mesh_dense(
    samples: npt.NDArray[np.float32], grid: SampleGrid, *, iso_level: float
) -> TriangleMesh:
    """Mesh a dense volume (x, y, z) as one single block; see ``extract_mesh``."""
    layout = BlockGrid.covering(grid.shape, grid.shape)
    signal = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))[..., None]
    return extract_mesh(SparseBlocks.from_dense(signal, layout), grid, iso_level=iso_level)


def _cells_to_mesh(blocks: SparseBlocks, shape: tuple[int, ...], iso_level: float) -> Tensor:
    """Coordinates (q, 3) of the groups of cells that the level crosses.

    Group q covers the cells from sample q b - 1 to sample q b + b - 1, one block's worth; so it
    reads blocks q - 1 and q on each axis, and there is one group more than blocks.
    """
    layout, device = blocks.layout, blocks.device
    outside, inside, crossed = 0, 1, 2
    state = torch.where(blocks.constants[..., 0] >= iso_level, inside, outside)
    above = blocks.values[..., 0] >= iso_level
    varying = torch.where(above.all(dim=1), inside, torch.where(above.any(dim=1), crossed, outside))
    state[tuple(layout.coordinates_of(blocks.ids).T)] = varying
    for axis, n in enumerate(shape):
        beyond = [slice(None)] * 3
        beyond[axis] = slice(n // layout.block_shape[axis], None)
        part = state[tuple(beyond)]
        part[part == inside] = crossed
    padded = torch.zeros([c + 2 for c in layout.counts], dtype=state.dtype, device=device)
    padded[1:-1, 1:-1, 1:-1] = state
    views = [
        padded[tuple(slice(r, n - 1 + r) for r, n in zip(reach, padded.shape, strict=True))]
        for reach in itertools.product((0, 1), repeat=3)
    ]
    neighbors = torch.stack(views)
    return ((neighbors == crossed).any(dim=0) | (neighbors != neighbors[0]).any(dim=0)).nonzero()


def _read_outside(
    blocks: SparseBlocks,
    starts: Tensor,
    extent: tuple[int, int, int],
    shape: tuple[int, ...],
    iso_level: float,
) -> npt.NDArray[np.float32]:
    """Boxes of samples (q, *extent), samples beyond the true shape replaced by outside ones."""
    boxes = blocks.read(starts, extent)[..., 0].reshape(-1, *extent)
    for axis in range(3):
        index = starts[:, axis, None] + torch.arange(extent[axis], device=starts.device)
        beyond = (index < 0) | (index >= shape[axis])
        view = [len(starts), 1, 1, 1]
        view[axis + 1] = extent[axis]
        # Half below the level: a full last sample then puts the surface on its cell's face.
        boxes.masked_fill_(beyond.reshape(view), iso_level - 0.5)
    return boxes.cpu().numpy()


def _edge_keys(doubled: npt.NDArray[np.int64], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """One integer per lattice edge, from twice the coordinates of its midpoint (v, 3)."""
    spans = [2 * n + 4 for n in shape]
    keys = ((doubled[:, 0] + 2) * spans[1] + doubled[:, 1] + 2) * spans[2] + doubled[:, 2] + 2
    return np.asarray(keys, dtype=np.int64)


def _interpolate(
    box: npt.NDArray[np.float32],
    doubled: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    iso_level: float,
) -> npt.NDArray[np.float64]:
    """Where the level crosses each edge, (v, 3) in samples of the whole grid."""
    low = doubled // 2
    high = doubled - low
    below = box[tuple(low.T)].astype(np.float64)
    beyond = box[tuple(high.T)].astype(np.float64)
    t = np.clip((iso_level - below) / (beyond - below), _CLEARANCE, 1.0 - _CLEARANCE)
    # The whole part is exact before t is added, so every box rounds alike.
    position: npt.NDArray[np.float64] = (low + start) + (high - low) * t[:, None]
    return position


def _by_pymcubes(inside: npt.NDArray[np.bool_]) -> Polygons:
    """Twice the edge midpoints (v, 3) and outward faces (f, 3) of a box of signs."""
    import mcubes

    vertices, faces = mcubes.marching_cubes(inside.astype(np.float32), 0.5)
    return np.rint(2 * vertices).astype(np.int64), faces.astype(np.int64)


def _by_skimage(inside: npt.NDArray[np.bool_]) -> Polygons:
    """The same; ambiguous cells are joined and cut as PyMCubes does, their triangles may differ."""
    from skimage.measure import marching_cubes

    if inside.all() or not inside.any():
        return np.empty((0, 3), dtype=np.int64), np.empty((0, 3), dtype=np.int64)
    # The classic table depends on signs alone, Lewiner's would look at equal values. It joins what
    # PyMCubes cuts, so it is given the complement.
    vertices, faces, _, _ = marching_cubes(
        (~inside).astype(np.float32), 0.5, method="lorensen", gradient_direction="descent"
    )
    return np.rint(2 * vertices).astype(np.int64), faces.astype(np.int64)


# PyMCubes has no wheels for Python 3.13.
_polygonize = _by_skimage if sys.version_info >= (3, 13) else _by_pymcubes
