"""Extract the zero set of a function on a grid, evaluating the function only near the surface."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eval.clouds.point_cloud import Floats
from eval.methods.implicit.contour_lines import closed_contours
from eval.methods.protocol import Contours
from geom_miner import SampleGrid, TriangleMesh
from geom_miner.extract import extract_mesh
from geom_miner.grid import BlockGrid, SparseBlocks

Function = Callable[[Tensor], Tensor]
"""Values (n,) at points (n, ndim) float32; negative inside."""

MARGIN = 0.1
"""Margin of the extraction box on every side, as a share of the points' longest side."""
# Samples along the edge of a block, and of a coarse sample's cell, as powers of 2. Small blocks
# evaluate few samples away from the surface.
_BLOCK, _COARSE = 3, 2
# Points that are evaluated at once: the values of a wide layer take a few tens of MB.
_CHUNK = 1 << 15


def extraction_grid(low: Floats, high: Floats, resolution: int) -> SampleGrid:
    """Equally spaced samples over the box around (low, high), enlarged by MARGIN.

    Parameters
    ----------
    low, high : (ndim,) corners of the points' bounding box.
    resolution : samples along the longest side of the enlarged box, >= 8.
    """
    margin = MARGIN * float((high - low).max())
    sides = high - low + 2 * margin
    spacing = float(sides.max()) / resolution
    shape = np.ceil(sides / spacing - 1e-9).astype(int)
    origin = (low + high - shape * spacing) / 2
    return SampleGrid(tuple(shape.tolist()), (spacing,) * len(shape), tuple(origin.tolist()))


def extract_level_set(function: Function, grid: SampleGrid, device: str) -> TriangleMesh | Contours:
    """The zero set of a function on a grid: triangles in three dimensions, lines in two.

    Everything beyond the grid counts as outside, so a zero set that leaves the grid is closed
    along its border. ``narrow_band`` says which surfaces it may miss in three dimensions.

    Parameters
    ----------
    function : evaluated without derivatives, on the device.
    grid : of the samples, two or three dimensions.
    """
    if grid.ndim == 2:
        values = _evaluate_all(function, grid, device)
        return Contours(closed_contours(values.double().numpy(), grid))
    band = narrow_band(function, grid, device)
    threads = torch.get_num_threads()
    try:
        return extract_mesh(band, grid, iso_level=0.0)
    finally:
        # Numba's first parallel loop changes the thread count for every user of OpenMP.
        torch.set_num_threads(threads)


def narrow_band(function: Function, grid: SampleGrid, device: str) -> SparseBlocks:
    """Minus the function near its zero set, and its sign elsewhere: inside is higher.

    Coarse samples, one for every four along an axis, show where to begin: at a coarse sample from
    which the zero set lies within one step, if the function continues with its steepest slope on
    either side along each axis. From there the surface is followed: blocks are added until no sign
    changes across a face of an evaluated block. So each connected component of the surface that
    comes within a coarse cell of such a sample is found completely, as on the dense grid. A
    component may be missed if it is smaller than a coarse cell of 4 samples, encloses no coarse
    sample, and the values around it are not small.
    """
    layout = BlockGrid.covering(grid.shape, (2**_BLOCK,) * grid.ndim)
    coarse = _coarse_samples(function, grid, layout, device)
    near_zero = _near_zero(coarse)
    per_block = 2 ** (_BLOCK - _COARSE)
    signs = torch.where(_split(coarse, per_block)[..., 0] < 0, 1.0, -1.0)
    band = _Band(function, grid, layout, device, signs)
    new = _split(near_zero, per_block).any(dim=-1)
    while bool(new.any()):
        new = band.add(new)
    return band.blocks()


@dataclass
class _Band:
    """Evaluated blocks, and the sign of the others: 1 inside, -1 outside, of shape (*counts)."""

    function: Function
    grid: SampleGrid
    layout: BlockGrid
    device: str
    signs: Tensor

    def __post_init__(self) -> None:
        self._evaluated = torch.zeros(self.layout.counts, dtype=torch.bool)
        self._values: list[Tensor] = []
        self._coordinates: list[Tensor] = []

    def add(self, new: Tensor) -> Tensor:
        """Evaluate the blocks marked in (*counts) bool; marks those into which the sign changes."""
        coordinates = new.nonzero()
        ndim, block = self.layout.ndim, self.layout.block_shape
        starts = coordinates * torch.tensor(block)
        values = -_evaluate(self.function, self.grid, starts, block, self.device)
        self._evaluated |= new
        self._values.append(values)
        self._coordinates.append(coordinates)
        reached = torch.zeros_like(new)
        counts = torch.tensor(self.layout.counts)
        for axis, (step, side) in itertools.product(range(ndim), ((-1, 0), (1, -1))):
            neighbors = coordinates.clone()
            neighbors[:, axis] += step
            exists = (neighbors[:, axis] >= 0) & (neighbors[:, axis] < counts[axis])
            neighbors = neighbors[exists]
            inside = values[exists].select(axis + 1, side).flatten(1) >= 0
            neighbor_inside = self.signs[tuple(neighbors.T)] > 0
            changes = (inside != neighbor_inside[:, None]).any(dim=1)
            reached[tuple(neighbors[changes].T)] = True
        return reached & ~self._evaluated

    def blocks(self) -> SparseBlocks:
        """The band and the signs around it, as marching cubes takes them."""
        coordinates = torch.cat([*self._coordinates, torch.empty(0, self.layout.ndim).long()])
        values = torch.cat([*self._values, torch.empty(0, *self.layout.block_shape)])
        ids, order = self.layout.ids_of(coordinates).sort()
        rows = values.flatten(1)[order][..., None].contiguous()
        return SparseBlocks(self.layout, ids, rows, self.signs[..., None].contiguous())


def _coarse_samples(function: Function, grid: SampleGrid, layout: BlockGrid, device: str) -> Tensor:
    """Values at the centers of groups of samples, over whole blocks."""
    shape = tuple(n >> _COARSE for n in layout.shape)
    spacing = tuple(s * 2**_COARSE for s in grid.spacing)
    return _evaluate_all(function, SampleGrid(shape, spacing, grid.origin), device)


def _near_zero(values: Tensor) -> Tensor:
    """Samples from which the steepest differences along the axes reach zero within one step."""
    steepness = torch.zeros_like(values)
    for axis in range(values.ndim):
        if values.shape[axis] > 1:
            change = values.diff(dim=axis).abs().transpose(0, axis)
            no_change = torch.zeros_like(change[:1])
            before, after = torch.cat([no_change, change]), torch.cat([change, no_change])
            steepness += torch.maximum(after, before).transpose(0, axis).square()
    return values.square() <= steepness


def _split(values: Tensor, size: int) -> Tensor:
    """Values (*shape) cut into cubes of that size: (*counts, size**ndim)."""
    ndim = values.ndim
    cut = values.reshape([n for side in values.shape for n in (side // size, size)])
    return cut.permute(*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2)).flatten(ndim)


def _evaluate_all(function: Function, grid: SampleGrid, device: str) -> Tensor:
    """Values (*shape) float32 on the CPU at every sample."""
    starts = torch.zeros(grid.shape[0], grid.ndim, dtype=torch.int64)
    starts[:, 0] = torch.arange(grid.shape[0])
    planes = _evaluate(function, grid, starts, (1, *grid.shape[1:]), device)
    return planes.reshape(grid.shape)


def _evaluate(
    function: Function, grid: SampleGrid, starts: Tensor, extent: tuple[int, ...], device: str
) -> Tensor:
    """Values (q, *extent) float32 on the CPU, in boxes of samples from starts (q, ndim)."""
    inner = torch.cartesian_prod(*(torch.arange(n) for n in extent))
    spacing = torch.tensor(grid.spacing, dtype=torch.float64)
    origin = torch.tensor(grid.origin, dtype=torch.float64)
    values = torch.empty(len(starts), len(inner))
    boxes_at_once = max(1, _CHUNK // len(inner))
    with torch.no_grad():
        for first in range(0, len(starts), boxes_at_once):
            rows = slice(first, first + boxes_at_once)
            index = (starts[rows, None] + inner).reshape(-1, grid.ndim)
            points = ((index + 0.5) * spacing + origin).float().to(device)
            values[rows] = function(points).reshape(-1, len(inner)).cpu()
    return values.reshape(len(starts), *extent)
