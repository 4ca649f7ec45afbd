"""Damaged chunks and block tables: one sentence, or what an encoder writes as these bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from geom_miner.coding import decode_chunk, decode_states, encode_chunk, encode_states
from geom_miner.errors import BlockShapeError
from geom_miner.records import RecordError
from tests.coding.test_block_tables import Codes, ball
from tests.coding.test_chunks import sparse


def damaged(data: bytes, count: int) -> list[bytes]:
    """The bytes cut, extended, and with some changed."""
    rng = np.random.default_rng(0)
    found = [data[:length] for length in range(0, len(data), max(1, len(data) // 20))]
    found += [data + b"\0", data + b"\1", b"\0" + data, b"", bytes(40), b"\xff" * 40]
    for _ in range(count):
        changed = np.frombuffer(data, np.uint8).copy()
        at = rng.integers(0, len(data), rng.integers(1, 4))
        changed[at] = rng.integers(0, 256, len(at))
        found.append(changed.tobytes())
    return [each for each in found if each != data]


def refused(cases: list[bytes], again: Callable[[bytes], bytes]) -> int:
    """How many are refused; the others must be what encoding the decoded gives."""
    messages = []
    for case in cases:
        try:
            assert again(case) == case
        except RecordError as error:
            messages.append(str(error))
    assert all(" is damaged: " in message for message in messages)
    return len(messages)


@pytest.mark.parametrize(("block_shape", "channels"), [((8, 8), 3), ((4, 4, 4), 1)])
def test_a_damaged_chunk_is_refused_or_is_another_chunk(
    block_shape: tuple[int, ...], channels: int
) -> None:
    levels = sparse(block_shape, 8 * channels, 0.3)
    data = encode_chunk(levels, block_shape, channels)

    def again(case: bytes) -> bytes:
        read = decode_chunk(case, block_shape, channels, blocks=8)
        return encode_chunk(read, block_shape, channels)

    cases = damaged(data, 300)
    # The last bytes are changed in one of 40 cases; before them, nearly every change moves the end.
    assert refused(cases, again) > 0.9 * len(cases)


def test_a_damaged_block_table_is_refused_or_is_another_table() -> None:
    codes = ball(16, 2)
    data = encode_states(codes)

    def again(case: bytes) -> bytes:
        read: Codes = decode_states(case, codes.shape)
        return encode_states(read)

    cases = damaged(data, 300)
    assert refused(cases, again) > 0.6 * len(cases)


@pytest.mark.parametrize("length", [0, 1, 4])
def test_a_cut_chunk_is_refused(length: int) -> None:
    data = encode_chunk(sparse((8, 8, 8), 64, 0.3), (8, 8, 8), 1)
    with pytest.raises(RecordError, match="a chunk of coefficients is damaged: "):
        decode_chunk(data[:length], (8, 8, 8), 1, blocks=64)


@pytest.mark.parametrize("trailing", [b"\0", b"\1", bytes(1000)])
def test_trailing_bytes_are_refused(trailing: bytes) -> None:
    data = encode_chunk(sparse((8, 8), 16, 0.3), (8, 8), 1)
    with pytest.raises(RecordError, match="does not end where its blocks do"):
        decode_chunk(data + trailing, (8, 8), 1, blocks=16)
    with pytest.raises(RecordError, match="does not end where its blocks do"):
        decode_states(encode_states(ball(16, 2)) + trailing, (16, 16))


def test_more_levels_than_the_caller_allows_are_refused() -> None:
    levels = sparse((8, 8), 16, 0.3)
    data, count = encode_chunk(levels, (8, 8), 1), len(levels.levels)
    assert decode_chunk(data, (8, 8), 1, blocks=16, most_levels=count) == levels
    with pytest.raises(RecordError, match="it has more levels than its file says"):
        decode_chunk(data, (8, 8), 1, blocks=16, most_levels=count - 1)


def test_constants_beyond_the_palette_are_refused() -> None:
    data = encode_states(np.full((4, 4), -3, dtype=np.int8))
    with pytest.raises(RecordError, match="it has constant 2 of 2"):
        decode_states(data, (4, 4), palette=2)


def test_codes_of_parents_without_meaning_are_refused() -> None:
    with pytest.raises(BlockShapeError, match="parents must be 1, 2, or below 0"):
        decode_states(b"", (2, 2), np.full((1, 1), 3, dtype=np.int8))
