"""The Laplacian pyramid's two moves on sparse blocks: mean-pool down, interpolate up.

Both follow the one convention of sample centers (MINER, section 3.1): a coarse sample is the mean
of its 2**ndim fine samples; upsampling interpolates between coarse sample centers, the signal
continued by its edge samples.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.sparse import CHUNK_SAMPLES, SparseBlocks


@dataclass(frozen=True)
class Interpolation:
    """How a signal is upsampled along one axis, to centers a quarter of a sample off the old ones.

    Parameters
    ----------
    weights : of the coarse samples ``1 - halo`` to ``halo`` before and after, for the fine sample
        a quarter behind coarse sample 0; mirrored for the one a quarter before it.
    coefficients : of the polynomials, constant term first, that give the weights of the same
        samples at any position between samples 0 and 1.
    """

    name: str
    weights: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]

    @property
    def halo(self) -> int:
        """Coarse samples that are read beyond each end of a block."""
        return len(self.weights) // 2

    def weights_at(self, positions: Tensor) -> Tensor:
        """Weights of the samples ``1 - halo`` to ``halo``, (q, 2 halo), at (q,) in [0, 1]."""
        powers = positions[:, None] ** torch.arange(
            len(self.coefficients[0]), device=positions.device
        )
        table = torch.tensor(self.coefficients, dtype=positions.dtype, device=positions.device)
        return powers @ table.T


LINEAR = Interpolation("linear", (0.75, 0.25), ((1.0, -1.0), (0.0, 1.0)))
CUBIC = Interpolation(
    "cubic",
    (-0.0703125, 0.8671875, 0.2265625, -0.0234375),
    (
        (0.0, -0.5, 1.0, -0.5),
        (1.0, 0.0, -2.5, 1.5),
        (0.0, 0.5, 2.0, -1.5),
        (0.0, 0.0, -0.5, 0.5),
    ),
)
"""Cubic convolution (Keys 1981, a = -1/2): exact for quadratic signals."""


def downsample(fine: SparseBlocks) -> SparseBlocks:
    """Halve every axis by averaging 2**ndim samples into one.

    Blocks whose mean does not vary are reduced to a constant again.
    """
    layout = fine.layout.coarser()
    ndim, channels = layout.ndim, fine.channels
    corners = list(itertools.product((0, 1), repeat=ndim))
    children = fine.constants.float()
    varies = torch.zeros(layout.counts, dtype=torch.bool, device=fine.device)
    first = children[(slice(None, None, 2),) * ndim]
    for corner in corners:
        part = tuple(slice(c, None, 2) for c in corner)
        varies |= (fine.slots[part] >= 0) | (children[part] != first).any(dim=-1)
    ids = layout.ids_of(varies.nonzero()).sort().values

    # A child fills one corner of its parent: with its pooled samples, or with its constant.
    half = tuple(b // 2 for b in layout.block_shape)
    values = torch.empty(len(ids), *layout.block_shape, channels, device=fine.device)
    for corner in corners:
        child = 2 * layout.coordinates_of(ids) + torch.tensor(corner, device=fine.device)
        index = tuple(child.T)
        part = tuple(slice(c * h, (c + 1) * h) for c, h in zip(corner, half, strict=True))
        octant = values[(slice(None), *part)]
        octant[:] = children[index].reshape(len(ids), *[1] * ndim, channels)
        slots = fine.slots[index].long()
        rows = (slots >= 0).nonzero()[:, 0]
        _put_pooled(octant, rows, fine, slots[rows])
    values = values.reshape(len(ids), layout.block_samples, channels)

    constants = first.clone()
    still = (values == values[:, :1]).flatten(1).all(dim=1)
    if bool(still.any()):
        constants[tuple(layout.coordinates_of(ids[still]).T)] = values[still, 0]
        ids, values = ids[~still], values[~still]
    return SparseBlocks(layout, ids, values, constants)


def _put_pooled(out: Tensor, rows: Tensor, fine: SparseBlocks, slots: Tensor) -> None:
    """Write the means of 2**ndim neighbors of some varying blocks into rows of ``out``."""
    block_shape, channels = fine.layout.block_shape, fine.channels
    ndim = len(block_shape)
    split = [n for b in block_shape for n in (b // 2, 2)]
    per_chunk = max(1, CHUNK_SAMPLES // math.prod(block_shape))
    for at in range(0, len(rows), per_chunk):
        box = fine.rows(slots[at : at + per_chunk])
        pooled = box.reshape(len(box), *split, channels).mean(dim=tuple(range(2, 2 * ndim + 1, 2)))
        out[rows[at : at + per_chunk]] = pooled


def build_pyramid(signal: SparseBlocks, scales: int) -> list[SparseBlocks]:
    """The signal at every scale, finest (0) first: entry j is the signal mean-pooled by 2**j."""
    levels = [signal]
    for _ in range(scales - 1):
        levels.append(downsample(levels[-1]))
    return levels


def upsample_blocks(
    coarse: SparseBlocks, layout: BlockGrid, ids: Tensor, interpolation: Interpolation = LINEAR
) -> Tensor:
    """Interpolate a signal at the next finer scale, in the named blocks of ``layout`` only.

    Reads each block's quadrant of its parent and a halo of coarse samples around it.

    Returns
    -------
    (q, sample, channel) float32
    """
    if any(b % 2 for b in layout.block_shape):
        raise BlockShapeError(f"block_shape must be even to be upsampled, got {layout.block_shape}")
    halo = interpolation.halo
    extent = tuple(b // 2 + 2 * halo for b in layout.block_shape)
    starts = layout.starts_of(ids) // 2 - halo
    out = torch.empty(len(ids), layout.block_samples, coarse.channels, device=coarse.device)
    per_chunk = max(1, CHUNK_SAMPLES // layout.block_samples)
    for at in range(0, len(ids), per_chunk):
        box = coarse.read(starts[at : at + per_chunk], extent)
        box = box.reshape(len(box), *extent, coarse.channels)
        for axis in range(1, layout.ndim + 1):
            box = _double_axis(box, axis, interpolation)
        out[at : at + per_chunk] = box.reshape(len(box), layout.block_samples, -1)
    return out


def _double_axis(box: Tensor, axis: int, interpolation: Interpolation) -> Tensor:
    """Interpolate n samples and the halo around them along one axis to 2 n."""
    halo, weights = interpolation.halo, interpolation.weights
    n = box.shape[axis] - 2 * halo
    behind = _sum_of_taps(box, axis, range(1, 2 * halo + 1), weights, n)
    before = _sum_of_taps(box, axis, range(2 * halo - 1, -1, -1), weights, n)
    return torch.stack((before, behind), dim=axis + 1).flatten(axis, axis + 1)


def _sum_of_taps(
    box: Tensor, axis: int, starts: Iterable[int], weights: Iterable[float], n: int
) -> Tensor:
    """Weighted sum of slices of n entries along an axis, one for each start."""
    taps = [box.narrow(axis, at, n) for at in starts]
    return functools.reduce(
        torch.add, [weight * tap for weight, tap in zip(weights, taps, strict=True)]
    )


def varying_when_upsampled(coarse: SparseBlocks) -> Tensor:
    """Morton ids of the finer blocks that are not constant in the upsampled signal.

    A fine block reads its parent and, through the halo, the parent's neighbors on its own side, as
    long as half a block is no narrower than the halo.
    """
    ndim, counts = coarse.layout.ndim, coarse.layout.counts
    fine = BlockGrid(tuple(2 * c for c in counts), coarse.layout.block_shape)
    varying = coarse.slots >= 0
    touched = torch.zeros(fine.counts, dtype=torch.bool, device=coarse.device)
    index = [torch.arange(c, device=coarse.device) for c in counts]
    for side in itertools.product((0, 1), repeat=ndim):
        part = touched[tuple(slice(s, None, 2) for s in side)]
        for reach in itertools.product((0, 1), repeat=ndim):
            at = torch.meshgrid(
                *[
                    (index[k] + r * (2 * s - 1)).clamp(0, counts[k] - 1)
                    for k, (s, r) in enumerate(zip(side, reach, strict=True))
                ],
                indexing="ij",
            )
            part |= varying[at] | (coarse.constants[at] != coarse.constants).any(dim=-1)
    return fine.ids_of(touched.nonzero()).sort().values


def upsample(coarse: SparseBlocks, interpolation: Interpolation = LINEAR) -> SparseBlocks:
    """The whole signal at the next finer scale, constant blocks kept as constants."""
    fine = BlockGrid(tuple(2 * c for c in coarse.layout.counts), coarse.layout.block_shape)
    ids = varying_when_upsampled(coarse)
    return SparseBlocks(
        fine, ids, upsample_blocks(coarse, fine, ids, interpolation), doubled(coarse.constants)
    )


def doubled(table: Tensor) -> Tensor:
    """Repeat every entry of a block table (*counts, ...) for its 2**ndim children."""
    for axis in range(table.ndim - 1):
        table = table.repeat_interleave(2, dim=axis)
    return table
