"""Amounts of memory such as 4GB, and the least memory that a fit takes."""

from __future__ import annotations

import re

from geom_miner.errors import SettingsError
from geom_miner.fit.settings import BlockSettings
from geom_miner.grid.blocks import BlockGrid
from geom_miner.memory import format_bytes, require_memory

# Of --memory (1 EiB): PyTorch counts in 63 bits.
MOST_MEMORY = 1 << 60
_MOST_DIGITS = 30

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


def parse_memory(text: str) -> int:
    """Bytes of ``4GB``, ``500 MB`` or ``2GiB``.

    Raises
    ------
    SettingsError
        It is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?I?)B?", text.strip().upper())
    if not found or found[2] not in _UNITS:
        raise SettingsError(f"memory must be an amount such as 4GB or 500MB, got {text!r}")
    # In whole numbers where it is one: float ends at 400 digits.
    whole = found[1].isdigit() and len(found[1]) <= _MOST_DIGITS
    amount = int(found[1]) if whole else float(found[1])
    if not amount * _UNITS[found[2]] <= MOST_MEMORY:
        raise SettingsError(f"memory must be at most {format_bytes(MOST_MEMORY)}, got {text[:40]}")
    return int(amount * _UNITS[found[2]])


def check_fit_memory(
    shape: tuple[int, ...], settings: BlockSettings, *, channels: int = 1, memory: int = 0
) -> None:
    """Refuse a fit that cannot fit into memory, before its target is made.

    Counted is what every fit of a signal that is not constant has: numbers for each block of the
    padded grid, the samples of one block, and the budget for blocks under training where there are
    blocks enough to use it.

    Parameters
    ----------
    shape : samples per axis of the finest scale.
    memory : budget for blocks under training.

    Raises
    ------
    OutOfMemory
        Less memory is free.
    BlockShapeError
        There are more blocks than can be numbered.
    """
    block_shape = (settings.block_size,) * len(shape)
    layout = BlockGrid.covering(shape, block_shape, halvings=settings.scales - 1)
    # Ids of all blocks are made from their coordinates and sorted: both lie beside the result.
    tables = layout.num_blocks * (8 * (layout.ndim + 3) + 4 * channels)
    one_block = 4 * layout.block_samples * channels
    # Of a block that varies: the target at every scale, the prediction and the reconstruction, and
    # the positions of its samples.
    signals = one_block * (settings.scales + 2) + 4 * layout.ndim * layout.block_samples
    # While it is trained: target, prediction and a bound with its copy.
    training = min(max(memory, 4 * one_block), 4 * one_block * layout.num_blocks)
    samples = " x ".join(map(str, shape))
    require_memory(
        tables + signals + training,
        f"a fit of {samples} samples in {settings.scales} scales of blocks of "
        f"{settings.block_size}",
        "lower --scales, --block-size, --memory or the resolution",
    )
