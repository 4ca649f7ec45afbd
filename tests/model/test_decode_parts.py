"""Decoding by parts is the full decode, cut."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.errors import BlockShapeError
from geom_miner.model.decode import Box
from tests.model.test_decode import random_representation


@st.composite
def boxes(draw: st.DrawFn, within: Box) -> Box:
    start = tuple(draw(st.integers(a, b - 1)) for a, b in zip(*within, strict=True))
    return start, tuple(draw(st.integers(a + 1, b)) for a, b in zip(start, within[1], strict=True))


@given(st.data())
@settings(max_examples=60)
def test_parts_of_a_region_are_cut_from_the_full_decode(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 24), min_size=2, max_size=3)))
    representation = random_representation(shape, seed=data.draw(st.integers(0, 99)))
    scale = data.draw(st.integers(0, 2))
    full = representation.decode(scale).to_dense(representation.shape_at(scale))
    region = data.draw(boxes(((0,) * len(shape), tuple(full.shape[:-1]))))
    wanted = data.draw(st.lists(boxes(region), max_size=4))
    parts = list(representation.decode_boxes(wanted, region, scale))
    assert len(parts) == len(wanted)
    for part, box in zip(parts, wanted, strict=True):
        cut = full[tuple(slice(a, b) for a, b in zip(*box, strict=True))]
        # Equal but for the order of sums in a batch of another size.
        assert (part.read_region(*box) - cut).abs().max() < 1e-6


def test_a_part_holds_only_the_blocks_of_its_box() -> None:
    representation = random_representation((32, 32, 32))
    everything = ((0, 0, 0), (32, 32, 32))
    box = ((4, 8, 0), (8, 12, 5))
    (part,) = representation.decode_boxes([box], everything)
    layout = part.layout
    starts = layout.starts_of(part.ids)
    touched = (starts + 4 > torch.tensor(box[0])) & (starts < torch.tensor(box[1]))
    assert 0 < len(part.ids) <= 2
    assert touched.all()


def test_only_what_a_region_needs_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    representation = random_representation((64, 64, 64))
    evaluated = []
    from geom_miner.model import decode

    original = decode.upsample_blocks

    def counted(coarser, layout, ids, interpolation):
        evaluated.append(len(ids))
        return original(coarser, layout, ids, interpolation)

    monkeypatch.setattr(decode, "upsample_blocks", counted)
    representation.decode_region((20, 20, 20), (24, 24, 24))
    # One block, and the 2^3 parents that its halo touches.
    assert evaluated[0] <= 8
    assert evaluated[1] <= 1


@pytest.mark.parametrize("region", [((0, 0), (9, 8)), ((-1, 0), (4, 4)), ((4, 0), (4, 8))])
def test_regions_outside_are_refused(region: Box) -> None:
    with pytest.raises(BlockShapeError, match="region must lie inside"):
        list(random_representation((8, 8)).decode_boxes([region], region))
