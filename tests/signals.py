"""Small signals with known truth and hypothesis strategies for grids of any dimension."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from geom_miner.fit.history import FitStatus, ScaleHistory
from geom_miner.fit.observer import Observer
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.model.block_mlps import BlockMLPs


def ball(size: int, ndim: int = 3, radius: float = 0.7) -> Tensor:
    """Occupancy of a ball around the middle of the cube [-1, 1]^ndim, (*shape, 1)."""
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    squares = sum(a.square() for a in torch.meshgrid(*[axis] * ndim, indexing="ij"))
    assert isinstance(squares, Tensor)
    return (squares < radius**2).float()[..., None]


def as_blocks(signal: Tensor, block_size: int) -> tuple[SparseBlocks, SampleGrid]:
    """A dense signal on sparse blocks, and its unit grid."""
    shape = tuple(signal.shape[:-1])
    layout = BlockGrid.covering(shape, (block_size,) * len(shape))
    return SparseBlocks.from_dense(signal, layout), SampleGrid.unit(shape)


def as_target(signal: Tensor, block_size: int, scales: int) -> Target:
    """A dense signal as the target of a fit, every sample exact."""
    blocks, grid = as_blocks(signal, block_size)
    return Target.pooled(blocks, scales, grid)


class Recorder(Observer):
    """Keeps everything that a fit reports."""

    def __init__(self) -> None:
        self.statuses: list[FitStatus] = []
        self.scales: list[BlockMLPs] = []
        self.history: list[ScaleHistory] = []

    def on_progress(self, status: FitStatus) -> None:
        self.statuses.append(status)

    def on_scale(self, blocks: BlockMLPs, history: ScaleHistory) -> None:
        self.scales.append(blocks)
        self.history.append(history)


@st.composite
def patchy_signals(draw: st.DrawFn, max_ndim: int = 3) -> tuple[Tensor, tuple[int, ...]]:
    """A random signal (*shape, channel), constant in places, and an even block shape."""
    ndim = draw(st.integers(1, max_ndim))
    shape = tuple(draw(st.integers(1, 14)) for _ in range(ndim))
    block_shape = tuple(draw(st.sampled_from([2, 4])) for _ in range(ndim))
    channels = draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    signal = torch.rand(*shape, channels, generator=generator)
    signal[: draw(st.integers(0, shape[0]))] = draw(st.sampled_from([0.0, 1.0]))
    return signal, block_shape
