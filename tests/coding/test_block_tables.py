"""Block tables: what is encoded is decoded, in few bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from geom_miner.coding import decode_states, encode_states, states_bits
from geom_miner.errors import BlockShapeError

Codes = npt.NDArray[np.int8]


def ball(count: int, ndim: int) -> Codes:
    """Blocks of a ball: its surface is coded, constant 0 outside and constant 1 inside."""
    at = (np.indices((count,) * ndim) + 0.5) / count - 0.5
    radius = np.sqrt((at**2).sum(axis=0))
    codes = np.where(radius > 0.4, -1, -2).astype(np.int8)
    codes[np.abs(radius - 0.4) < 0.5 * np.sqrt(ndim) / count] = 2
    return codes


def finer(codes: Codes, counts: tuple[int, ...], palette: int, seed: int) -> Codes:
    """Random codes below parents, whose constants are inherited."""
    rng = np.random.default_rng(seed)
    random = np.where(rng.random(counts) < 0.5, rng.integers(1, 3, counts), 0)
    constants = -1 - rng.integers(0, palette, counts)
    for axis in range(codes.ndim):
        codes = np.repeat(codes, 2, axis=axis)
    inherited = codes[tuple(slice(count) for count in counts)]
    return np.where(inherited < 0, inherited, np.where(random, random, constants)).astype(np.int8)


@pytest.mark.parametrize("counts", [(9,), (8, 12), (5, 4, 7), (3, 4, 2, 5)])
@pytest.mark.parametrize("palette", [1, 2, 128])
def test_two_scales_of_random_codes_are_decoded(counts: tuple[int, ...], palette: int) -> None:
    halved = tuple((count + 1) // 2 for count in counts)
    top = finer(np.full([(c + 1) // 2 for c in halved], 2, np.int8), halved, palette, 0)
    codes = finer(top, counts, palette, 1)
    data, below = encode_states(top), encode_states(codes, top)
    assert np.array_equal(decode_states(data, halved, palette=palette), top)
    assert np.array_equal(decode_states(below, counts, top, palette=palette), codes)
    assert len(below) <= 1.001 * states_bits(codes, top) / 8 + 4


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_ball_takes_about_a_bit_for_each_coded_block(ndim: int) -> None:
    parents, codes = ball(32, ndim), ball(64, ndim)
    inherited = np.kron(parents, np.ones((2,) * ndim, np.int8))
    codes = np.where(inherited < 0, inherited, codes)
    data = encode_states(codes, parents)
    assert np.array_equal(decode_states(data, codes.shape, parents), codes)
    # A curve of blocks turns more often than a surface, for its few blocks.
    assert len(data) * 8 < {2: 2.0, 3: 1.0}[ndim] * np.count_nonzero(codes == 2)


@pytest.mark.parametrize("code", [-2, -1, 1, 2])
def test_equal_blocks_take_next_to_nothing(code: int) -> None:
    codes = np.full((32, 32, 32), code, dtype=np.int8)
    data = encode_states(codes)
    assert len(data) <= 64
    assert np.array_equal(decode_states(data, codes.shape), codes)


def test_children_of_constant_blocks_take_no_bytes() -> None:
    parents = np.full((4, 4), -2, dtype=np.int8)
    assert encode_states(np.full((8, 8), -2, dtype=np.int8), parents) == b""
    assert (decode_states(b"", (8, 8), parents) == -2).all()


def test_codes_without_meaning_and_contradictions_are_refused() -> None:
    parents = np.full((1, 1), -1, dtype=np.int8)
    with pytest.raises(BlockShapeError, match="must be those of their parents"):
        encode_states(np.full((2, 2), 1, dtype=np.int8), parents)
    with pytest.raises(BlockShapeError, match="codes must be 1, 2, or below 0"):
        encode_states(np.zeros((2, 2), dtype=np.int8))
    with pytest.raises(BlockShapeError, match=r"parents of \(2, 4\) blocks must be int8 \(1, 2\)"):
        encode_states(np.full((2, 4), 1, dtype=np.int8), parents)
