"""Encode and decode a chunk: the coefficients of some blocks that are coded together, alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.coding.arithmetic import (
    COST,
    DECODE,
    ENCODE,
    MEASURE,
    finish,
    is_finished,
    room_for,
    start_coder,
)
from geom_miner.coding.coefficients import (
    GOOD,
    TOO_LARGE,
    TOO_MANY_LEVELS,
    TOO_MANY_PLACES,
    TOO_SHORT,
    code_rows,
)
from geom_miner.coding.levels import MOST_LEVEL, BlockLevels
from geom_miner.coding.priors import fresh, priors
from geom_miner.coding.scan import Scan, scan_of
from geom_miner.errors import BlockShapeError
from geom_miner.records import RecordError

_WRONG = {
    TOO_SHORT: "it is cut short",
    TOO_MANY_PLACES: "a row has more levels than its block has frequencies",
    TOO_LARGE: f"a level exceeds {MOST_LEVEL}",
    TOO_MANY_LEVELS: "it has more levels than its file says",
}


def encode_chunk(levels: BlockLevels, block_shape: tuple[int, ...], channels: int) -> bytes:
    """Encode the levels of some blocks; models start from the shipped priors.

    Parameters
    ----------
    levels : rows are channels of blocks: block 0 channel 0, block 0 channel 1, ...
    block_shape : samples per axis of a block, 1 to 4 axes.
    channels : rows of each block.

    Raises
    ------
    BlockShapeError
        The rows are no whole blocks, or a place lies outside its block.
    """
    scan = _checked(levels, block_shape, channels)
    # A row has at most 41 decisions for its count and one for each place, a nonzero 58 more.
    decisions = len(levels) * (len(scan.places) + 41) + 58 * len(levels.levels)
    data = np.zeros(room_for(decisions), dtype=np.uint8)
    coder = start_coder(ENCODE, data)
    _run(coder, data, levels, scan, channels)
    return data[: finish(coder, data)].tobytes()


def chunk_bits(levels: BlockLevels, block_shape: tuple[int, ...], channels: int) -> float:
    """The ideal length of an encoded chunk in bits: the sum of -log2 of all probabilities."""
    scan = _checked(levels, block_shape, channels)
    data = np.zeros(0, dtype=np.uint8)
    coder = start_coder(MEASURE, data)
    _run(coder, data, levels, scan, channels)
    return float(coder[COST]) / 65536


def decode_chunk(
    data: bytes,
    block_shape: tuple[int, ...],
    channels: int,
    *,
    blocks: int,
    most_levels: int | None = None,
) -> BlockLevels:
    """Decode what ``encode_chunk`` encoded; takes time and memory for ``blocks``, whatever it is.

    Parameters
    ----------
    blocks : number of blocks of the chunk.
    most_levels : upper bound of the number of levels; by default, one for each sample.

    Raises
    ------
    RecordError
        No levels have these bytes; one sentence says what was seen.
    """
    scan = scan_of(block_shape)
    if channels < 1 or blocks < 0:
        raise BlockShapeError(f"channels must be >= 1 and blocks >= 0, got {channels} and {blocks}")
    rows = blocks * channels
    most = rows * len(scan.places)
    most = most if most_levels is None else min(most, max(most_levels, 0))
    # A writable copy, of the type that encoding has: one compilation serves both.
    buffer = np.frombuffer(data, dtype=np.uint8).copy()
    coder = start_coder(DECODE, buffer)
    levels = (np.zeros(rows + 1, np.int64), np.zeros(most, np.int32), np.zeros(most, np.int32))
    state = code_rows(coder, buffer, fresh(priors(len(block_shape)).chunk), scan, channels, *levels)
    if state != GOOD:
        raise RecordError(f"a chunk of coefficients is damaged: {_WRONG[state]}")
    if not is_finished(coder, buffer):
        raise RecordError("a chunk of coefficients is damaged: it does not end where its blocks do")
    offsets, places, values = levels
    return BlockLevels(offsets, places[: offsets[-1]].copy(), values[: offsets[-1]].copy())


def _checked(levels: BlockLevels, block_shape: tuple[int, ...], channels: int) -> Scan:
    scan = scan_of(block_shape)
    if channels < 1 or len(levels) % channels:
        raise BlockShapeError(
            f"rows must be whole blocks of {channels} channels, got {len(levels)}"
        )
    if levels.places.max(initial=-1) >= len(scan.places):
        raise BlockShapeError(
            f"places must lie in a block of {len(scan.places)} samples, got {levels.places.max()}"
        )
    return scan


def _run(
    coder: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    levels: BlockLevels,
    scan: Scan,
    channels: int,
) -> None:
    model = fresh(priors(scan.units.shape[1]).chunk)
    code_rows(coder, data, model, scan, channels, levels.offsets, levels.places, levels.levels)
