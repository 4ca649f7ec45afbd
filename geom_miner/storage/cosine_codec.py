"""Sections of cosine blocks: a JSON line, packed numbers, the block table, chunks of levels.

``docs/format.md`` specifies the bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from geom_miner.coding import decode_states, encode_states
from geom_miner.compile_notice import announce_compiling
from geom_miner.grid.blocks import BlockGrid
from geom_miner.memory import require_memory
from geom_miner.model.block_cosines import MIXINGS, BlockCosines, CosineBatch, SparseLevels
from geom_miner.records import RecordError
from geom_miner.storage.packed_numbers import PackedReader, pack_floats, pack_numbers
from geom_miner.storage.scale_head import SectionHead, split_head
from geom_miner.storage.stored_levels import CHUNK_BLOCKS, StoredLevels, encode_levels

VERSION = 2
# Codes of a block table: varying without coefficients, and with; constants are negative.
_PREDICTED, _CODED = 1, 2
_MOST_PALETTE = 127
# Times the largest level and the number of samples, and summed over scales, it stays finite.
_MOST_STEP = 1e20
_MOST_AXES, _MOST_CHANNELS, _MOST_SIZE = 4, 64, 64
# Blocks of a scale at most, and for each byte of its table: a few bytes must not fill the memory.
_MOST_BLOCKS, _MOST_BLOCKS_PER_BYTE = 1 << 26, 1 << 17

Codes = npt.NDArray[np.int8]


def pack_scale(blocks: BlockCosines, coarser: Sequence[BlockCosines]) -> bytes:
    """The payload of a SCALE section.

    Parameters
    ----------
    coarser : the scales before it, coarsest first.
    """
    layout = blocks.layout
    palette = _palette(blocks)
    parents = _codes_of(coarser)
    codes = _codes(blocks, parents)
    with announce_compiling("the encoder of block tables", 15):
        table = encode_states(codes, parents)
    chunks = encode_levels(blocks.levels, layout.block_shape, blocks.channels)
    limits = () if blocks.limits is None else blocks.limits
    numbers = [
        *(layout.ndim, *layout.counts, *layout.block_shape),
        *(blocks.channels, list(MIXINGS).index(blocks.mixing)),
        *(len(limits) // 2, len(palette), len(table)),
    ]
    floats = [*blocks.steps, *limits, *(value for entry in palette for value in entry)]
    lengths = pack_numbers(map(len, chunks))
    start = _line(blocks.scale) + pack_numbers(numbers) + pack_floats(floats)
    return b"".join([start, table, lengths, *chunks])


def unpack_scale(payload: bytes, coarser: Sequence[BlockCosines]) -> BlockCosines:
    """The inverse of ``pack_scale``.

    Raises
    ------
    ValueError
        The payload is damaged, or does not continue the coarser scales.
    """
    head, packed = split_head(payload, SectionHead)
    reader = PackedReader(packed)
    ndim = reader.number(_MOST_AXES)
    layout = BlockGrid(reader.numbers(ndim), reader.numbers(ndim, _MOST_SIZE))
    _check_layout(layout, coarser)
    channels, mixing = reader.number(_MOST_CHANNELS), reader.number(len(MIXINGS) - 1)
    if channels < 1:
        raise RecordError("channels must be at least 1")
    has_limits, colors = reader.number(1), reader.number(_MOST_PALETTE)
    table_bytes = reader.number()
    steps = reader.floats(channels)
    if not 0 < min(steps) <= max(steps) <= _MOST_STEP:
        raise RecordError(f"steps must lie in (0, {_MOST_STEP:g}]")
    limits = None
    if has_limits:
        low, high = reader.floats(2)
        if low > high:
            raise RecordError("limits must ascend")
        limits = (low, high)
    palette = [reader.floats(channels) for _ in range(colors)]
    _check_size(layout, table_bytes)
    parents = _codes_of(coarser)
    with announce_compiling("the decoder of block tables", 15):
        codes = decode_states(reader.take(table_bytes), layout.counts, parents, palette=colors)
    ids, kinds = _listed(codes, parents, layout)
    varying, constant = kinds > 0, kinds < 0
    coded = int((kinds == _CODED).sum())
    chunks = [reader.number() for _ in range(-(-coded // CHUNK_BLOCKS))]
    levels = StoredLevels(
        tuple(reader.take(length) for length in chunks), coded, channels, layout.block_shape
    )
    if reader.rest():
        raise RecordError("bytes are left behind its last chunk")
    values = torch.tensor(palette, dtype=torch.float32).reshape(-1, channels)
    return BlockCosines(
        head.scale,
        layout,
        steps,
        list(MIXINGS)[mixing],
        ids[varying],
        torch.from_numpy(kinds[varying] == _CODED),
        levels,
        ids[constant],
        values[torch.from_numpy(-1 - kinds[constant].astype(np.int64))],
        limits,
    )


def pack_batch(batch: CosineBatch) -> bytes:
    """The payload of a BATCH section: a part of a scale that is not whole yet, not compressed."""
    levels = batch.levels
    fitted = np.packbits(batch.fitted.cpu().numpy()).tobytes()
    channels = len(levels) // max(int(batch.fitted.sum()), 1)
    numbers = pack_numbers([len(batch.fitted), channels, len(levels), len(levels.levels)])
    arrays = [levels.offsets.diff().int(), levels.places, levels.levels]
    return b"".join(
        [_line(batch.scale), numbers, fitted]
        + [tensor.cpu().numpy().astype("<i4").tobytes() for tensor in arrays]
    )


def unpack_batch(payload: bytes) -> CosineBatch:
    """The inverse of ``pack_batch``.

    Raises
    ------
    ValueError
        The payload is damaged.
    """
    head, packed = split_head(payload, SectionHead)
    reader = PackedReader(packed)
    count, channels, rows, entries = reader.numbers(4, len(payload) * 8)
    fitted = np.unpackbits(np.frombuffer(reader.take(-(-count // 8)), np.uint8))[:count]
    if int(fitted.sum()) * channels != rows:
        raise RecordError(f"a batch must have {channels} rows for each fitted block, got {rows}")
    counts, places, levels = (
        np.frombuffer(reader.take(4 * size), "<i4").astype(np.int32)
        for size in (rows, entries, entries)
    )
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    sound = (counts >= 0).all() and offsets[-1] == entries and (places >= 0).all() and levels.all()
    if not sound or reader.rest():
        raise RecordError("a batch's coefficients do not fit together")
    coefficients = SparseLevels(*map(torch.from_numpy, (offsets, places, levels)))
    return CosineBatch(head.scale, torch.from_numpy(fitted.astype(bool)), coefficients)


def _line(scale: int) -> bytes:
    return json.dumps({"codec": "cosine", "scale": scale}, separators=(",", ":")).encode() + b"\n"


def _palette(blocks: BlockCosines) -> list[tuple[float, ...]]:
    """The constants that the block table names.

    A table takes over the entry of a constant parent. So where a signal is truncated, and every
    scale has constants of its own, entry 0 is outside and entry 1 inside at all of them.
    """
    found = torch.unique(blocks.constant_values, dim=0)
    entries: list[tuple[float, ...]] = [tuple(map(float, row)) for row in found]
    if blocks.limits is None:
        return entries
    low, high = blocks.limits
    middle = (low + high) / 2
    below = [entry for entry in entries if entry[0] <= middle]
    above = [entry for entry in entries if entry[0] > middle]
    return [(below or [(low,)])[0], (above or [(high,)])[0]]


def _codes_of(scales: Sequence[BlockCosines]) -> Codes | None:
    """The block table of the last of some scales, coarsest first; None if there are none."""
    codes = None
    for blocks in scales:
        codes = _codes(blocks, codes)
    return codes


def _codes(blocks: BlockCosines, parents: Codes | None) -> Codes:
    """The block table of a scale."""
    layout = blocks.layout
    if parents is None:
        codes = np.zeros(layout.counts, dtype=np.int8)
    else:
        codes = parents
        for axis in range(layout.ndim):
            codes = np.repeat(codes, 2, axis=axis)
        codes = np.ascontiguousarray(codes)
    at = tuple(layout.coordinates_of(blocks.varying_ids.cpu()).T.numpy())
    codes[at] = np.where(blocks.fitted.cpu().numpy(), _CODED, _PREDICTED)
    palette = _palette(blocks)
    values = blocks.constant_values.cpu()
    at = tuple(layout.coordinates_of(blocks.constant_ids.cpu()).T.numpy())
    index = np.zeros(len(values), dtype=np.int8)
    for number, entry in enumerate(palette):
        index[(values == torch.tensor(entry)).all(dim=1).numpy()] = -1 - number
    codes[at] = index
    return codes


def _listed(codes: Codes, parents: Codes | None, layout: BlockGrid) -> tuple[Tensor, Codes]:
    """Morton ids, ascending, of the blocks that the table lists, and their codes."""
    listed = np.ones(layout.counts, dtype=bool)
    if parents is not None:
        listed = parents > 0
        for axis in range(layout.ndim):
            listed = np.repeat(listed, 2, axis=axis)
    ids, order = layout.ids_of(torch.from_numpy(np.argwhere(listed))).sort()
    return ids, np.ascontiguousarray(codes[listed][order.numpy()])


def _check_layout(layout: BlockGrid, coarser: Sequence[BlockCosines]) -> None:
    if any(size % 2 for size in layout.block_shape):
        raise RecordError(f"blocks must have even sides, got {layout.block_shape}")
    if coarser and coarser[-1].layout != layout.coarser():
        raise RecordError("its blocks must halve to those of the next coarser scale")


def _check_size(layout: BlockGrid, table_bytes: int) -> None:
    """Refuse more blocks than a table of so many bytes can describe, or than memory can hold."""
    most = min(_MOST_BLOCKS, _MOST_BLOCKS_PER_BYTE * (table_bytes + 1))
    if layout.num_blocks > most:
        raise RecordError(f"a table of {table_bytes} bytes cannot list {layout.num_blocks} blocks")
    require_memory(32 * layout.num_blocks, "a block table", "take a coarser level (--lod)")
