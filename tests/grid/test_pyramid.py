import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from torch import Tensor

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.pyramid import (
    CUBIC,
    build_pyramid,
    downsample,
    upsample,
    upsample_blocks,
    varying_when_upsampled,
)
from geom_miner.grid.sparse import SparseBlocks
from tests.signals import ball, patchy_signals

POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
MODE = {1: "linear", 2: "bilinear", 3: "trilinear"}


def dense_down(signal: Tensor) -> Tensor:
    pooled = POOL[signal.ndim - 1](signal.movedim(-1, 0)[None], 2)
    return pooled[0].movedim(0, -1)


def dense_up(signal: Tensor) -> Tensor:
    planes = signal.movedim(-1, 0)[None]
    mode = MODE[signal.ndim - 1]
    return F.interpolate(planes, scale_factor=2, mode=mode, align_corners=False)[0].movedim(0, -1)


@given(patchy_signals())
def test_downsampling_is_mean_pooling(case: tuple[Tensor, tuple[int, ...]]) -> None:
    signal, block_shape = case
    layout = BlockGrid.covering(tuple(signal.shape[:-1]), block_shape, halvings=1)
    blocks = SparseBlocks.from_dense(signal, layout)
    assert (downsample(blocks).to_dense() - dense_down(blocks.to_dense())).abs().max() < 1e-6


@given(patchy_signals())
def test_upsampling_is_linear_interpolation(case: tuple[Tensor, tuple[int, ...]]) -> None:
    signal, block_shape = case
    layout = BlockGrid.covering(tuple(signal.shape[:-1]), block_shape)
    blocks = SparseBlocks.from_dense(signal, layout)
    assert (upsample(blocks).to_dense() - dense_up(blocks.to_dense())).abs().max() < 1e-6


@given(patchy_signals())
def test_upsampled_plus_residual_is_the_target(case: tuple[Tensor, tuple[int, ...]]) -> None:
    signal, block_shape = case
    layout = BlockGrid.covering(tuple(signal.shape[:-1]), block_shape, halvings=2)
    fine, middle, coarse = build_pyramid(SparseBlocks.from_dense(signal, layout), 3)
    back = coarse.to_dense()
    for target in (middle, fine):
        prediction = dense_up(back)
        back = prediction + (target.to_dense() - prediction)
    assert (back - fine.to_dense()).abs().max() < 1e-6


@given(patchy_signals())
@settings(max_examples=30)
def test_any_subset_of_blocks_interpolates_alike(case: tuple[Tensor, tuple[int, ...]]) -> None:
    signal, block_shape = case
    layout = BlockGrid.covering(tuple(signal.shape[:-1]), block_shape)
    coarse = SparseBlocks.from_dense(signal, layout)
    fine = BlockGrid(tuple(2 * c for c in layout.counts), block_shape)
    ids = fine.all_ids()
    whole = upsample_blocks(coarse, fine, ids)
    assert torch.equal(upsample_blocks(coarse, fine, ids[1::2]), whole[1::2])
    untouched = ids[~torch.isin(ids, varying_when_upsampled(coarse))]
    values = upsample_blocks(coarse, fine, untouched)
    assert (values - values[:, :1]).abs().max() < 1e-6 if len(values) else True


def test_a_pooled_ball_keeps_its_volume_and_its_place() -> None:
    signal = ball(32)
    levels = build_pyramid(SparseBlocks.from_dense(signal, BlockGrid((4, 4, 4), (8, 8, 8))), 3)
    for level in levels:
        dense = level.to_dense()[..., 0]
        assert float(dense.mean()) == pytest.approx(float(signal.mean()), abs=1e-7)
        axis = (torch.arange(dense.shape[0]) + 0.5) / dense.shape[0] - 0.5
        for k in range(3):
            other = [a for a in range(3) if a != k]
            assert abs(float((dense.sum(dim=other) * axis).sum() / dense.sum())) < 1e-6


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_cubic_upsampling_is_exact_for_quadratic_signals(ndim: int) -> None:
    """Inside, where no edge sample is continued; linear upsampling is not."""
    size = 16

    def quadratic(positions: Tensor) -> Tensor:
        grid = torch.meshgrid(*[positions] * ndim, indexing="ij")
        return sum((0.3 * x + 0.7) * (x - 0.2) for x in grid)[..., None]

    centers = (torch.arange(size) + 0.5) / size
    finer = (torch.arange(2 * size) + 0.5) / (2 * size)
    layout = BlockGrid.covering((size,) * ndim, (4,) * ndim)
    coarse = SparseBlocks.from_dense(quadratic(centers), layout)
    inside = (slice(4, -4),) * ndim
    found = upsample(coarse, CUBIC).to_dense()
    assert (found[inside] - quadratic(finer)[inside]).abs().max() < 1e-5
    linear = upsample(coarse).to_dense()
    assert (linear[inside] - quadratic(finer)[inside]).abs().max() > 1e-4


@given(patchy_signals())
def test_cubic_upsampling_does_not_depend_on_the_blocks(
    case: tuple[Tensor, tuple[int, ...]],
) -> None:
    signal, block_shape = case
    small = BlockGrid.covering(tuple(signal.shape[:-1]), tuple(max(b, 4) for b in block_shape))
    shape = small.shape
    whole = BlockGrid((1,) * len(shape), shape)
    cut = SparseBlocks.from_dense(signal, small)
    one = SparseBlocks.from_dense(cut.to_dense(), whole)
    found, expected = upsample(cut, CUBIC).to_dense(), upsample(one, CUBIC).to_dense()
    assert torch.allclose(found, expected, atol=1e-6)
