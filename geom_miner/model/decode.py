"""From block functions to samples: one scale on top of the next coarser one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from geom_miner.grid.blocks import BlockGrid, Box
from geom_miner.grid.pyramid import doubled, upsample_blocks
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.model.scale_blocks import ScaleBlocks


def decode_scale(
    coarser: SparseBlocks | None,
    blocks: ScaleBlocks,
    *,
    only: Tensor | None = None,
    backend: str = "auto",
) -> SparseBlocks:
    """Reconstruct one scale: upsampled coarser scale plus block functions (MINER, eq. 4).

    The same function closes a scale while fitting and decodes a file, so both give the same bits.

    Parameters
    ----------
    coarser : reconstruction of the next coarser scale; None at the coarsest, which adds to zero.
    only : Morton ids, ascending; blocks to reconstruct. Other varying blocks come out as
        constants and must not be read.
    """
    layout, channels, device = blocks.layout, blocks.channels, blocks.device
    ids, fitted, chosen = blocks.varying_ids, blocks.fitted, None
    if only is not None:
        wanted = torch.isin(ids, only)
        chosen = wanted[fitted]
        ids, fitted = ids[wanted], fitted[wanted]
    if coarser is None:
        constants = torch.zeros(*layout.counts, channels, device=device)
        values = torch.zeros(len(ids), layout.block_samples, channels, device=device)
    else:
        constants = doubled(coarser.constants)
        values = upsample_blocks(coarser, layout, ids, blocks.interpolation)
    constants[tuple(layout.coordinates_of(blocks.constant_ids).T)] = blocks.constant_values
    values[fitted] += blocks.evaluate(chosen, backend=backend)
    if blocks.limits is not None:
        values.clamp_(*blocks.limits)
        constants.clamp_(*blocks.limits)
    return SparseBlocks(layout, ids, values, constants)


def decode_blocks(
    scales: Sequence[ScaleBlocks], ids: Tensor, *, backend: str = "auto"
) -> SparseBlocks:
    """Reconstruct some blocks of the last of ``scales`` (coarsest first) and all they depend on.

    Parameters
    ----------
    ids : Morton ids of wanted blocks of that scale; constant ones may be among them.
    """
    coarser = decode_below(scales, ids, backend=backend)
    return decode_scale(coarser, scales[-1], only=ids, backend=backend)


def decode_below(
    scales: Sequence[ScaleBlocks], ids: Tensor, *, backend: str = "auto"
) -> SparseBlocks | None:
    """Decode what some blocks of the last of ``scales`` read of the next coarser scale.

    Parameters
    ----------
    ids : as for ``decode_blocks``.

    Returns
    -------
    None where there is no coarser scale.
    """
    if len(scales) == 1:
        return None
    wanted = scales[-1].varying_ids[torch.isin(scales[-1].varying_ids, ids)]
    needed = parents_with_halo(scales[-1].layout, wanted, scales[-1].interpolation.halo)
    return decode_blocks(scales[:-1], needed, backend=backend)


def varying_in_box(blocks: ScaleBlocks, box: Box) -> Tensor:
    """Morton ids of the varying blocks that hold samples of an index box, ascending."""
    shape = torch.tensor(blocks.layout.block_shape, device=blocks.varying_ids.device)
    start, stop = (torch.tensor(end, device=shape.device) for end in box)
    first = blocks.layout.starts_of(blocks.varying_ids)
    return blocks.varying_ids[((first < stop) & (first + shape > start)).all(dim=1)]


def parents_with_halo(layout: BlockGrid, ids: Tensor, halo: int) -> Tensor:
    """Morton ids of the coarser blocks that upsampling into some blocks reads, ascending."""
    coarse = layout.coarser()
    shape = torch.tensor(coarse.block_shape, device=ids.device)
    last = torch.tensor(coarse.counts, device=ids.device) - 1
    first = layout.starts_of(ids) // 2 - halo
    first_block = torch.div(first, shape, rounding_mode="floor")
    beyond = torch.div(first + shape // 2 + 2 * halo - 1, shape, rounding_mode="floor")
    most = int((beyond - first_block).max()) if len(ids) else 0
    found = []
    for corner in itertools.product(range(most + 1), repeat=layout.ndim):
        block = first_block + torch.tensor(corner, device=ids.device)
        found.append(coarse.ids_of(block.minimum(beyond).clamp(min=0).minimum(last)))
    return torch.unique(torch.cat(found)) if found else ids
