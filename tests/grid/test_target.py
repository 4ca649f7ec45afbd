"""What a fit is held to: bounds of samples, in any dimension."""

from __future__ import annotations

import math

import pytest
import torch

from geom_miner.errors import BlockShapeError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.pyramid import build_pyramid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target


def ramp(shape: tuple[int, ...]) -> SparseBlocks:
    """Values -1 ... 2 along the first axis."""
    values = torch.linspace(-1, 2, shape[0]).reshape(-1, *[1] * len(shape))
    return SparseBlocks.from_dense(
        values.expand(*shape, 1).clone(), BlockGrid.covering(shape, (2,) * len(shape))
    )


@pytest.mark.parametrize("shape", [(8, 4), (8, 4, 4)])
def test_a_pooled_target_means_every_sample_of_the_pyramid(shape: tuple[int, ...]) -> None:
    signal = ramp(shape)
    target = Target.pooled(signal, 2)
    for scale, blocks in enumerate(build_pyramid(signal, 2)):
        assert torch.equal(target.scales[scale].values, blocks.values)
        assert target.means_all(scale)
        values = blocks.rows(slice(None))
        lower, upper = target.bounds(scale, values)
        assert lower is upper is values


@pytest.mark.parametrize("shape", [(7, 4), (7, 4, 4)])
def test_beyond_its_reach_a_value_is_a_bound_from_one_side(shape: tuple[int, ...]) -> None:
    target = Target((ramp(shape),), (0.75,), (0.5,))
    assert not target.means_all(0)
    values = torch.tensor([-1.0, -0.25, -0.2499, 0.5, 1.2499, 1.25, 2.0])
    lower, upper = target.bounds(0, values)
    inf = math.inf
    assert lower.tolist() == pytest.approx([-inf, -inf, -0.2499, 0.5, 1.2499, 1.25, 1.25])
    assert upper.tolist() == pytest.approx([-0.25, -0.25, -0.2499, 0.5, 1.2499, inf, inf])
    assert bool((lower <= upper).all())


def test_a_target_is_extended_at_every_scale() -> None:
    fine, coarse = ramp((6, 4)), ramp((3, 2))
    target = Target((fine, coarse), (1.0, 2.0), (0.5, 1.0))
    layout = BlockGrid.covering((6, 4), (2, 2), halvings=1)
    wide = target.extended(layout)
    assert wide.layout == layout
    assert wide.scales[1].layout == layout.coarser()
    assert torch.equal(wide.scales[1].to_dense((3, 2)), coarse.to_dense((3, 2)))
    assert (wide.reaches, wide.units, wide.channels) == (target.reaches, target.units, 1)
    assert wide.to("cpu").scales[0].layout == layout


@pytest.mark.parametrize(
    ("reaches", "units"), [((1.0, 1.0), (1.0,)), ((0.0,), (1.0,)), ((1.0,), (-1.0,))]
)
def test_nonsense_is_refused(reaches: tuple[float, ...], units: tuple[float, ...]) -> None:
    with pytest.raises(BlockShapeError, match="reaches and units"):
        Target((ramp((4, 4)),), reaches, units)
