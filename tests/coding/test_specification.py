"""The format is what docs/format.md says: a plain decoder reads it, and its bytes do not change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import geom_miner.coding
from geom_miner.coding import BlockLevels, decode_chunk, decode_states, encode_chunk, encode_states
from tests.coding import plain_decoder
from tests.coding.test_block_tables import finer
from tests.coding.test_chunks import sparse

FOLDER = Path(geom_miner.coding.__file__).parent


def priors_of(ndim: int) -> Path:
    return FOLDER / ("priors_2d.bin" if ndim <= 2 else "priors_3d.bin")


@pytest.mark.parametrize(
    ("block_shape", "channels", "blocks", "share"),
    [
        ((10,), 1, 6, 1.0),
        ((8, 8), 3, 6, 0.3),
        ((8, 8), 4, 2, 5.0),
        ((4, 6, 10), 1, 4, 0.2),
        ((8, 8, 8), 2, 3, 0.05),
        ((4, 2, 4, 2), 2, 4, 1.0),
    ],
)
def test_a_plain_decoder_written_from_the_page_reads_chunks(
    block_shape: tuple[int, ...], channels: int, blocks: int, share: float
) -> None:
    levels = sparse(block_shape, blocks * channels, share)
    data = encode_chunk(levels, block_shape, channels)
    priors = priors_of(len(block_shape))
    rows = plain_decoder.decode_chunk(data, priors, block_shape, channels, blocks)
    assert [place for row in rows for place in row] == levels.places.tolist()
    assert [level for row in rows for level in row.values()] == levels.levels.tolist()
    assert [len(row) for row in rows] == np.diff(levels.offsets).tolist()


def test_a_plain_decoder_written_from_the_page_reads_large_levels() -> None:
    row = [(-1) ** bit << bit for bit in range(21)]
    levels = BlockLevels.of_dense(np.array([row + [0] * 43]))
    data = encode_chunk(levels, (8, 8), 1)
    (read,) = plain_decoder.decode_chunk(data, priors_of(2), (8, 8), 1, 1)
    assert list(read.values()) == row


@pytest.mark.parametrize("counts", [(9,), (8, 11), (4, 5, 6), (3, 4, 2, 3)])
def test_a_plain_decoder_written_from_the_page_reads_block_tables(counts: tuple[int, ...]) -> None:
    halved = tuple((count + 1) // 2 for count in counts)
    parents = finer(np.full([(c + 1) // 2 for c in halved], 2, np.int8), halved, 2, 3)
    codes = finer(parents, counts, 3, 4)
    data = encode_states(codes, parents)
    above = dict(np.ndenumerate(parents.astype(int)))
    read = plain_decoder.decode_states(data, priors_of(len(counts)), counts, above)
    assert read == dict(np.ndenumerate(codes.astype(int)))


# A change of these bytes is a change of the format: it needs a new version of the file.
GOLDEN_CHUNK = "95e4b286a7081685d2e3b1ffb3cdfc2253ee"
GOLDEN_TABLE = (
    "c81bed711b1889b05a17f0a280e6410dead44cf65ada0b0e369daf17b9d376aecc9a7c7f"
    "526d5ffedd1d328c6d2fb1134d3311cc59f1bcdec7aa81cdb3a0dc082a370dc98b0ca35c06"
)


def golden_levels() -> BlockLevels:
    index = np.arange(5 * 64)
    dense = np.where(index * index % 11 == 3, (index % 7 - 3) * (index % 64 < 20), 0)
    return BlockLevels.of_dense(dense.reshape(5, 64))


def test_golden_chunk() -> None:
    levels = golden_levels()
    assert encode_chunk(levels, (4, 4, 4), 1).hex() == GOLDEN_CHUNK
    assert decode_chunk(bytes.fromhex(GOLDEN_CHUNK), (4, 4, 4), 1, blocks=5) == levels


def test_golden_table() -> None:
    index = np.arange(256).reshape(16, 16)
    codes = np.array([-1, -2, 1, 2], np.int8)[index * index % 19 % 4]
    assert encode_states(codes).hex() == GOLDEN_TABLE
    assert np.array_equal(decode_states(bytes.fromhex(GOLDEN_TABLE), (16, 16)), codes)
