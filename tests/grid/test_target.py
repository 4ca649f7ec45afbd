"""What a fit is held to: bounds of samples, in any dimension."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch

from geom_miner.errors import BlockShapeError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.pyramid import build_pyramid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.signal_info import SignalInfo, SourceInfo
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target


def ramp(shape: tuple[int, ...]) -> SparseBlocks:
    """Values -1 ... 2 along the first axis."""
    values = torch.linspace(-1, 2, shape[0]).reshape(-1, *[1] * len(shape))
    return SparseBlocks.from_dense(
        values.expand(*shape, 1).clone(), BlockGrid.covering(shape, (2,) * len(shape))
    )


@pytest.mark.parametrize("shape", [(8, 4), (8, 4, 4)])
def test_a_pooled_target_holds_every_sample_of_the_pyramid(shape: tuple[int, ...]) -> None:
    signal = ramp(shape)
    target = Target.pooled(signal, 2, SampleGrid.unit(shape))
    for scale, blocks in enumerate(build_pyramid(signal, 2)):
        ids = blocks.varying_ids
        values = blocks.read_blocks(ids)
        assert torch.equal(target.scales[scale].varying_ids, ids)
        assert torch.equal(target.scales[scale].read_blocks(ids), values)
        assert target.is_exact(scale)
        lower, upper = target.bounds(scale, values)
        assert lower is upper is values


@pytest.mark.parametrize("shape", [(6, 4), (7, 4, 4)])
def test_a_pooled_target_is_padded_until_it_can_be_halved(shape: tuple[int, ...]) -> None:
    target = Target.pooled(ramp(shape), 3, SampleGrid.unit(shape))
    assert target.layout == BlockGrid.covering(shape, (2,) * len(shape), halvings=2)
    assert target.scales[2].layout == target.layout.coarser().coarser()
    everywhere = target.layout.all_ids()
    dense = ramp(shape).extended(target.layout).read_blocks(everywhere)
    assert torch.equal(target.scales[0].read_blocks(everywhere), dense)


@pytest.mark.parametrize("shape", [(7, 4), (7, 4, 4)])
def test_beyond_its_truncation_a_value_is_a_bound_from_one_side(shape: tuple[int, ...]) -> None:
    target = Target((ramp(shape),), (0.75,), (0.5,), SampleGrid.unit(shape), SignalInfo())
    assert not target.is_exact(0)
    values = torch.tensor([-1.0, -0.25, -0.2499, 0.5, 1.2499, 1.25, 2.0])
    lower, upper = target.bounds(0, values)
    inf = math.inf
    assert lower.tolist() == pytest.approx([-inf, -inf, -0.2499, 0.5, 1.2499, 1.25, 1.25])
    assert upper.tolist() == pytest.approx([-0.25, -0.25, -0.2499, 0.5, 1.2499, inf, inf])
    assert bool((lower <= upper).all())


@pytest.mark.parametrize(
    ("truncations", "units"), [((1.0, 1.0), (1.0,)), ((0.0,), (1.0,)), ((1.0,), (-1.0,))]
)
def test_nonsense_is_refused(truncations: tuple[float, ...], units: tuple[float, ...]) -> None:
    with pytest.raises(BlockShapeError, match="truncations and units"):
        Target((ramp((4, 4)),), truncations, units, SampleGrid.unit((4, 4)), SignalInfo())


def test_scales_and_grid_must_fit_together() -> None:
    fine, grid, twice = ramp((4, 4)), SampleGrid.unit((4, 4)), (math.inf,) * 2
    with pytest.raises(BlockShapeError, match="halve"):
        Target((fine, fine), twice, (1.0, 1.0), grid, SignalInfo())
    with pytest.raises(BlockShapeError, match="2 axes"):
        Target((fine,), (1.0,), (1.0,), SampleGrid.unit((4, 4, 4)), SignalInfo())


def test_equal_targets_alone_have_equal_digests() -> None:
    grid = SampleGrid.unit((8, 4))
    first = Target.pooled(ramp((8, 4)), 2, grid)
    assert first.content_digest() == Target.pooled(ramp((8, 4)), 2, grid).content_digest()
    others = [
        Target.pooled(ramp((4, 4)), 1, SampleGrid.unit((4, 4))),
        replace(first, iso_level=0.25),
        replace(first, units=(1.0, 2.0)),
        Target.pooled(ramp((8, 4)).map_values(lambda v: v + 1), 2, grid),
    ]
    assert len({target.content_digest() for target in (first, *others)}) == 5


@pytest.mark.parametrize(
    "info",
    [
        SignalInfo(),
        SignalInfo("image", "image", bits=16, source=SourceInfo("photo")),
        SignalInfo("occupancy", "distance", 0.5, source=SourceInfo("a", 3), notice="no such"),
    ],
)
def test_metadata_of_a_signal_survives_json(info: SignalInfo) -> None:
    values = json.loads(json.dumps({**info.to_json(), "backend": "cpu"}))
    values.setdefault("source", {})["age"] = 3  # What a later version may add is skipped.
    assert SignalInfo.from_json(values) == (info, {"backend": "cpu"})
    assert info.is_distance == (info.target == "distance")
