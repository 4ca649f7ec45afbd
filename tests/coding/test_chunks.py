"""Chunks of coefficients: what is encoded is decoded, at the ideal length."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geom_miner.coding import BlockLevels, chunk_bits, decode_chunk, encode_chunk
from geom_miner.errors import BlockShapeError

SHAPES = [
    ((16,), 1),
    ((8, 8), 3),
    ((16, 16), 1),
    ((8, 8, 8), 1),
    ((4, 6, 10), 2),
    ((4, 4, 4, 4), 2),
]


def sparse(block_shape: tuple[int, ...], rows: int, share: float, seed: int = 0) -> BlockLevels:
    """Levels that are rarer and smaller at high frequencies, some rows without any."""
    rng = np.random.default_rng(seed)
    frequency = np.indices(block_shape).reshape(len(block_shape), -1).sum(axis=0)
    scale = 12 * share * np.exp(-frequency / 3.0)
    dense = np.rint(rng.laplace(size=(rows, math.prod(block_shape))) * scale).astype(np.int64)
    dense[rng.random(rows) < 0.2] = 0
    return BlockLevels.of_dense(dense)


@pytest.mark.parametrize(("block_shape", "channels"), SHAPES)
@pytest.mark.parametrize("share", [0.05, 1.0])
def test_a_chunk_decodes_to_what_was_encoded_at_the_ideal_length(
    block_shape: tuple[int, ...], channels: int, share: float
) -> None:
    levels = sparse(block_shape, 64 * channels, share)
    data = encode_chunk(levels, block_shape, channels)
    assert decode_chunk(data, block_shape, channels, blocks=64) == levels
    ideal = chunk_bits(levels, block_shape, channels) / 8
    # The coder's interval is seldom shorter than 2^24, and it ends with at most 4 bytes.
    assert ideal - 1 <= len(data) <= 1.001 * ideal + 4


def test_levels_of_every_magnitude_are_decoded() -> None:
    values = [sign * (1 << bit) + off for bit in range(20) for sign in (-1, 1) for off in (0, 1)]
    row = [value for value in [*values, 1 << 20, -(1 << 20)] if value]
    levels = BlockLevels.of_dense(np.array([row + [0] * (512 - len(row))]))
    data = encode_chunk(levels, (8, 8, 8), 1)
    assert decode_chunk(data, (8, 8, 8), 1, blocks=1) == levels


def test_dense_noise_and_empty_rows_are_decoded() -> None:
    rng = np.random.default_rng(1)
    dense = rng.integers(-(1 << 20), 1 << 20, size=(7, 3, 64))
    dense[3] = 0
    dense[:, 1] = 0
    levels = BlockLevels.of_dense(dense.reshape(21, 64))
    data = encode_chunk(levels, (8, 8), 3)
    assert decode_chunk(data, (8, 8), 3, blocks=7) == levels


def test_no_blocks_are_no_bytes() -> None:
    levels = BlockLevels.of_dense(np.zeros((0, 64), dtype=np.int32))
    assert encode_chunk(levels, (8, 8), 1) == b""
    assert decode_chunk(b"", (8, 8), 1, blocks=0) == levels


def test_places_outside_the_block_and_half_blocks_are_refused() -> None:
    levels = BlockLevels(np.array([0, 1]), np.array([64], np.int32), np.array([1], np.int32))
    with pytest.raises(BlockShapeError, match="places must lie in a block of 64 samples, got 64"):
        encode_chunk(levels, (8, 8), 1)
    with pytest.raises(BlockShapeError, match="rows must be whole blocks of 3 channels, got 1"):
        encode_chunk(levels, (8, 8, 8), 3)


@pytest.mark.parametrize(
    ("offsets", "places", "levels", "rule"),
    [
        ([0, 2], [3, 3], [1, 1], "ascend within a row"),
        ([0, 1, 2], [3, -1], [1, 1], "places must be >= 0"),
        ([0, 1], [3], [0], "levels must be nonzero"),
        ([0, 1], [3], [(1 << 20) + 1], "within 1048576"),
        ([0, 2, 1], [3], [1], "offsets must ascend"),
        ([1, 1], [3], [1], "offsets must ascend"),
        ([0, 2], [3], [1, 1], "places must be as many as levels"),
    ],
)
def test_block_levels_check_themselves(
    offsets: list[int], places: list[int], levels: list[int], rule: str
) -> None:
    with pytest.raises(BlockShapeError, match=rule):
        BlockLevels(np.array(offsets), np.array(places, np.int32), np.array(levels, np.int32))


def test_places_may_start_again_in_the_next_row() -> None:
    levels = BlockLevels(
        np.array([0, 0, 1, 1, 2]), np.array([3, 0], np.int32), np.array([1, -2], np.int32)
    )
    assert levels.to_dense(4).tolist() == [[0] * 4, [0, 0, 0, 1], [0] * 4, [-2, 0, 0, 0]]
    assert levels.rows(1, 3).to_dense(4).tolist() == [[0, 0, 0, 1], [0] * 4]


def test_decoding_no_channels_is_refused() -> None:
    with pytest.raises(BlockShapeError, match="channels must be >= 1 and blocks >= 0, got 0 and 1"):
        decode_chunk(b"", (8, 8), 0, blocks=1)
