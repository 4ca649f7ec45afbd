"""Train the priors: code many chunks and tables one after another, and keep what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.coding import coefficients
from geom_miner.coding.arithmetic import MEASURE, Model, start_coder
from geom_miner.coding.block_table import run_states
from geom_miner.coding.coefficients import code_rows
from geom_miner.coding.levels import BlockLevels
from geom_miner.coding.priors import packed, untrained
from geom_miner.coding.scan import scan_of


class ChunkSample(NamedTuple):
    """A chunk of coefficients to learn from."""

    levels: BlockLevels
    block_shape: tuple[int, ...]
    channels: int


class TableSample(NamedTuple):
    """A block table to learn from, and that of the coarser scale."""

    codes: npt.NDArray[np.int8]
    parents: npt.NDArray[np.int8] | None


def train_priors(
    chunks: Sequence[ChunkSample], tables: Sequence[TableSample], *, passes: int = 1, seed: int = 0
) -> bytes:
    """The content of a file of priors, learned from chunks and tables in random order."""
    models = untrained()
    rng = np.random.default_rng(seed)
    data = np.zeros(0, dtype=np.uint8)
    for _ in range(passes):
        for i in rng.permutation(len(chunks)):
            levels, block_shape, channels = chunks[i]
            code_rows(
                start_coder(MEASURE, data), data, models.chunk, scan_of(block_shape), channels,
                levels.offsets, levels.places, levels.levels,
            )  # fmt: skip
        for i in rng.permutation(len(tables)):
            run_states(start_coder(MEASURE, data), data, models.table, *tables[i])
    _share_between_channels(models.chunk)
    return packed(models)


def _share_between_channels(model: Model) -> None:
    """Let kinds of channels that no sample had start from what the first one learned."""
    for start, size in coefficients.BY_KIND_OF_CHANNEL:
        first = slice(start, start + size)
        for kind in (1, 2):
            other = slice(start + kind * size, start + (kind + 1) * size)
            unseen = model.seen[other] == 0
            model.counters[other][unseen] = model.counters[first][unseen]
            model.seen[other][unseen] = model.seen[first][unseen]
