"""Samples in one bit or one byte: nothing is lost, and sparse blocks read as if unpacked."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geom_miner.errors import BlockShapeError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.packing import Packing
from geom_miner.grid.pyramid import build_pyramid
from geom_miner.grid.sparse import SparseBlocks


@given(
    steps=st.sampled_from([1, 2, 240, 255]),
    rows=st.integers(0, 4),
    samples=st.integers(1, 70),
    seed=st.integers(0, 2**31),
)
def test_what_is_packed_is_read_again(steps: int, rows: int, samples: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(0, steps + 1, (rows, samples), generator=generator) / steps
    packing = Packing(steps)
    packed = packing.pack(values)
    assert packed.dtype == torch.uint8
    assert packed.shape == (rows, packing.row_bytes(samples))
    assert packing.row_bytes(samples) == (-(-samples // 8) if steps == 1 else samples)
    assert torch.equal(packing.unpack(packed, samples), values)
    row, sample = torch.cartesian_prod(torch.arange(rows), torch.arange(samples)).T
    assert torch.equal(packing.read(packed, row, sample), values.flatten())
    assert packing.sum(packed) == pytest.approx(float(values.sum(dtype=torch.float64)))


@pytest.mark.parametrize("steps", [1, 240])
@pytest.mark.parametrize("shape", [(6, 10), (4, 6, 10)])
@pytest.mark.parametrize("channels", [1, 3])
def test_packed_blocks_read_like_plain_ones(
    steps: int, shape: tuple[int, ...], channels: int
) -> None:
    """Rows, boxes, padding, another grid and the pyramid."""
    ndim = len(shape)
    signal = torch.zeros(*shape, channels)
    signal[2:5] = torch.randint(0, steps + 1, signal[2:5].shape) / steps
    layout = BlockGrid.covering(shape, (2,) * ndim)
    plain = SparseBlocks.from_dense(signal, layout)
    packed = plain.packed(Packing(steps))
    assert torch.equal(packed.to_dense(shape), signal)
    assert torch.equal(packed.rows(slice(None)), plain.values)
    ids = layout.all_ids()
    assert torch.equal(packed.read_blocks(ids), plain.read_blocks(ids))
    starts = torch.full((1, ndim), -1)
    assert torch.equal(packed.read(starts, (3,) * ndim), plain.read(starts, (3,) * ndim))
    larger = BlockGrid.covering(shape, (2,) * ndim, halvings=2)
    wide, plain_wide = packed.extended(larger), plain.extended(larger)
    assert wide.packing == Packing(steps)
    assert torch.equal(wide.to_dense(), plain_wide.to_dense())
    assert wide.to("cpu").packing == Packing(steps)
    for ours, theirs in zip(build_pyramid(wide, 2), build_pyramid(plain_wide, 2), strict=True):
        assert torch.equal(ours.ids, theirs.ids)
        assert torch.equal(ours.to_dense(), theirs.to_dense())


def test_packed_rows_of_another_length_are_refused() -> None:
    layout = BlockGrid((1, 1), (4, 4))
    rows = torch.zeros(1, 3, dtype=torch.uint8)
    with pytest.raises(BlockShapeError, match="values must have shape"):
        SparseBlocks(layout, torch.tensor([0]), rows, torch.zeros(1, 1, 1), Packing())
    with pytest.raises(BlockShapeError, match="steps"):
        Packing(256)
