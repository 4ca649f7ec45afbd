"""Least memory that decoding takes: arrays that are certainly there at the same time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from geom_miner.grid.blocks import Box
from geom_miner.model.scale_blocks import ScaleBlocks

_FLOAT = 4
_SLOT = 4


def decoding_bytes(scales: Sequence[ScaleBlocks]) -> int:
    """Bytes for decoding the whole last one of ``scales``, coarsest first."""
    needs, coarser = [0], 0
    for blocks in scales:
        # Its own samples lie beside the coarser ones, and the functions' values beside both.
        own = _samples_bytes(blocks, len(blocks.varying_ids))
        outputs = _samples_bytes(blocks, len(blocks.fitted_ids))
        needs.append(table_bytes(blocks) + coarser + own + outputs)
        coarser = own
    return max(needs)


def table_bytes(blocks: ScaleBlocks) -> int:
    """Bytes of what is kept for every block of a scale, varying or not, and once per sample."""
    layout, channels = blocks.layout, blocks.channels
    coordinates = 8 * layout.ndim * layout.block_samples
    return layout.num_blocks * (_FLOAT * channels + _SLOT) + coordinates


def streaming_bytes(blocks: ScaleBlocks, region: Box) -> int:
    """Bytes for decoding a region of a scale layer by layer, a block thick."""
    extent = [b - a for a, b in zip(*region, strict=True)]
    thickness = min(extent[0], blocks.layout.block_shape[0])
    layer = thickness * math.prod(extent[1:]) * blocks.channels
    return table_bytes(blocks) + _FLOAT * layer


def _samples_bytes(blocks: ScaleBlocks, count: int) -> int:
    return _FLOAT * count * blocks.layout.block_samples * blocks.channels
