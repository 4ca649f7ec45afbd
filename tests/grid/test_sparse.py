import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from geom_miner.errors import BlockShapeError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.sparse import SparseBlocks, paired_samples
from tests.signals import ball, patchy_signals


def clamped(signal: Tensor, index: list[int]) -> Tensor:
    """A slow oracle: the sample at an index, the edges continued outwards."""
    at = tuple(min(max(i, 0), n - 1) for i, n in zip(index, signal.shape[:-1], strict=True))
    return signal[at]


@given(patchy_signals(), st.integers(0, 2))
def test_dense_and_sparse_are_the_same(case: tuple[Tensor, tuple[int, ...]], halvings: int) -> None:
    signal, block_shape = case
    layout = BlockGrid.covering(tuple(signal.shape[:-1]), block_shape, halvings=halvings)
    blocks = SparseBlocks.from_dense(signal, layout)
    assert torch.equal(blocks.to_dense(tuple(signal.shape[:-1])), signal)
    values = blocks.values
    assert bool((values != values[:, :1]).flatten(1).any(dim=1).all()), "a stored block is constant"


@given(patchy_signals(), st.data())
def test_read_continues_the_edges(
    case: tuple[Tensor, tuple[int, ...]], data: st.DataObject
) -> None:
    signal, block_shape = case
    shape = tuple(signal.shape[:-1])
    blocks = SparseBlocks.from_dense(signal, BlockGrid.covering(shape, block_shape))
    start = [data.draw(st.integers(-3, n + 2)) for n in shape]
    extent = tuple(data.draw(st.integers(1, 5)) for _ in shape)
    box = blocks.read(torch.tensor([start]), extent)[0]
    offsets = torch.cartesian_prod(*[torch.arange(e) for e in extent]).reshape(-1, len(shape))
    for row, offset in zip(box, offsets.tolist(), strict=True):
        index = [a + b for a, b in zip(start, offset, strict=True)]
        assert torch.equal(row, clamped(signal, index))


@given(patchy_signals())
def test_extending_continues_the_edges(case: tuple[Tensor, tuple[int, ...]]) -> None:
    signal, block_shape = case
    shape = tuple(signal.shape[:-1])
    blocks = SparseBlocks.from_dense(signal, BlockGrid.covering(shape, block_shape))
    larger = BlockGrid.covering(shape, block_shape, halvings=2)
    assert torch.equal(
        blocks.extended(larger).to_dense(), SparseBlocks.from_dense(signal, larger).to_dense()
    )


@given(patchy_signals(), st.integers(0, 2**31))
def test_pairs_weigh_every_true_sample_once(
    case: tuple[Tensor, tuple[int, ...]], seed: int
) -> None:
    signal, block_shape = case
    shape = tuple(signal.shape[:-1])
    other = signal.clone()
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.1
    other[mask] += 1.0
    layout = BlockGrid.covering(shape, block_shape, halvings=1)
    pairs = list(
        paired_samples(
            SparseBlocks.from_dense(signal, layout), SparseBlocks.from_dense(other, layout), shape
        )
    )
    weight = sum(int(w.sum()) for _, _, w in pairs)
    distance = sum(float(((a - b).abs() * w[:, None]).double().sum()) for a, b, w in pairs)
    assert weight == shape_size(shape)
    assert distance == pytest.approx(float((signal - other).abs().double().sum()), rel=1e-6)


def shape_size(shape: tuple[int, ...]) -> int:
    return int(torch.tensor(shape).prod())


def test_a_ball_is_stored_by_its_surface() -> None:
    blocks = SparseBlocks.from_dense(ball(64), BlockGrid.covering((64, 64, 64), (8, 8, 8)))
    assert len(blocks.ids) < 0.5 * blocks.layout.num_blocks
    assert blocks.constants[3, 3, 3].item() == 1.0
    assert blocks.slots[3, 3, 3].item() == -1


def test_shapes_that_do_not_fit_are_refused() -> None:
    layout = BlockGrid((2, 2), (4, 4))
    with pytest.raises(BlockShapeError, match="values"):
        SparseBlocks(layout, torch.tensor([0]), torch.zeros(1, 15, 1), torch.zeros(2, 2, 1))
    with pytest.raises(BlockShapeError, match="ascending"):
        SparseBlocks(layout, torch.tensor([1, 0]), torch.zeros(2, 16, 1), torch.zeros(2, 2, 1))
