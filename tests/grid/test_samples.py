import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geom_miner.errors import BlockShapeError
from geom_miner.grid.samples import SampleGrid

reals = st.floats(-1e3, 1e3)


def test_samples_are_centers_of_cells() -> None:
    grid = SampleGrid((4, 2), (0.5, 2.0), (1.0, -1.0))
    assert np.array_equal(grid.index_to_world([[0, 0], [3, 1]]), [[1.25, 0.0], [2.75, 2.0]])


@given(st.lists(reals, min_size=3, max_size=3), st.floats(1e-2, 1e2), reals)
def test_world_to_index_inverts(point: list[float], spacing: float, origin: float) -> None:
    grid = SampleGrid((5, 6, 7), (spacing, 2 * spacing, spacing), (origin, 0.0, -origin))
    back = grid.index_to_world(grid.world_to_index(point))
    assert np.allclose(back, point, rtol=0, atol=1e-9)


def test_a_coarse_sample_is_the_mean_position_of_its_fine_ones() -> None:
    fine = SampleGrid((12, 8), (0.1, 0.3), (2.0, 5.0))
    coarse = fine.at_scale(2)
    assert coarse.shape == (3, 2)
    children = fine.index_to_world([[i, j] for i in range(4, 8) for j in range(4)])
    assert np.allclose(coarse.index_to_world([[1, 0]])[0], children.mean(axis=0))


def test_a_refined_grid_has_the_same_box_and_is_coarsened_back() -> None:
    coarse = SampleGrid((3, 2), (0.5, 0.25), (2.0, 5.0))
    fine = coarse.refined(2)
    assert fine.shape == (6, 4)
    assert np.allclose(fine.index_to_world([[-0.5, -0.5], [5.5, 3.5]]), [[2, 5], [3.5, 5.5]])
    assert fine.at_scale(1) == coarse


def test_a_side_that_is_no_multiple_is_rounded_up() -> None:
    assert SampleGrid.unit((9, 5)).at_scale(3).shape == (2, 1)


@pytest.mark.parametrize(
    ("shape", "spacing"), [((0, 3), (1.0, 1.0)), ((3, 3), (1.0, 0.0)), ((3,), (1.0, 1.0))]
)
def test_nonsense_is_refused(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    with pytest.raises(BlockShapeError):
        SampleGrid(shape, spacing, (0.0, 0.0))
