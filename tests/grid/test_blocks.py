import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geom_miner.errors import BlockShapeError
from geom_miner.grid.blocks import BlockGrid

counts = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@given(counts)
def test_ids_name_every_block_once(counts: tuple[int, ...]) -> None:
    grid = BlockGrid(counts, (4,) * len(counts))
    coordinates = grid.all_coordinates()
    ids = grid.ids_of(coordinates)
    assert len(torch.unique(ids)) == math.prod(counts)
    assert torch.equal(grid.coordinates_of(ids), coordinates)


@given(counts)
def test_parent_is_a_shift_of_the_id(half: tuple[int, ...]) -> None:
    fine = BlockGrid(tuple(2 * c for c in half), (2,) * len(half))
    coordinates = fine.all_coordinates()
    parents = fine.coarser().ids_of(coordinates // 2)
    assert torch.equal(fine.ids_of(coordinates) >> fine.ndim, parents)


def test_morton_order_interleaves_the_bits() -> None:
    grid = BlockGrid((2, 2), (4, 4))
    ids = grid.ids_of(torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]))
    assert ids.tolist() == [0, 1, 2, 3]


def test_covering_rounds_up_to_halvable_counts() -> None:
    grid = BlockGrid.covering((33, 16, 100), (16, 16, 16), halvings=2)
    assert grid.counts == (4, 4, 8)
    assert BlockGrid.covering((33, 16, 100), (16, 16, 16)).counts == (3, 1, 7)


def test_odd_counts_cannot_be_halved() -> None:
    with pytest.raises(BlockShapeError, match="even"):
        BlockGrid((2, 3), (4, 4)).coarser()
