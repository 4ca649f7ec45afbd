import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.errors import BlockShapeError, SettingsError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.pyramid import upsample
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.reference import evaluate
from geom_miner.model.block_mlps import BlockMLPs, local_coordinates
from geom_miner.model.representation import Representation


def random_representation(
    shape: tuple[int, ...], *, block: int = 4, scales: int = 3, channels: int = 2, seed: int = 0
) -> Representation:
    """Random MLPs in random blocks, some blocks constant: no fit, any structure."""
    generator = torch.Generator().manual_seed(seed)
    ndim = len(shape)
    architecture = MLPArchitecture(ndim, 5, 2, channels, 10.0)
    finest = BlockGrid.covering(shape, (block,) * ndim, halvings=scales - 1)
    levels = []
    for scale in reversed(range(scales)):
        layout = BlockGrid(tuple(c // 2**scale for c in finest.counts), finest.block_shape)
        ids = layout.all_ids()
        kind = torch.rand(len(ids), generator=generator)
        varying, constant = ids[kind > 0.3], ids[kind <= 0.3]
        fitted = kind[kind > 0.3] > 0.5
        rows = int(fitted.sum())
        levels.append(
            BlockMLPs(
                scale,
                layout,
                architecture,
                varying,
                fitted,
                torch.rand(rows, architecture.num_parameters, generator=generator) - 0.5,
                constant,
                torch.rand(len(constant), channels, generator=generator),
            )
        )
    spacing = tuple(0.5 + k for k in range(ndim))
    return Representation(SampleGrid(shape, spacing, (1.0,) * ndim), scales, tuple(levels))


def dense_decode(representation: Representation, scale: int) -> torch.Tensor:
    """A slow oracle: whole scales as dense arrays, block after block."""
    dense: torch.Tensor | None = None
    for blocks in representation.up_to(scale):
        layout = blocks.layout
        if dense is None:
            dense = torch.zeros(*layout.shape, representation.channels)
        else:
            coarse = SparseBlocks.from_dense(dense, layout.coarser())
            dense = upsample(coarse).to_dense()
        inherited = dense.clone()
        mlps = iter(
            evaluate(
                blocks.architecture,
                blocks.parameters,
                local_coordinates(layout.block_shape, "cpu"),
            )
        )
        boxes = {}
        for block_id in layout.all_ids().tolist():
            start = layout.starts_of(torch.tensor([block_id]))[0].tolist()
            boxes[block_id] = tuple(
                slice(a, a + b) for a, b in zip(start, layout.block_shape, strict=True)
            )
        for block_id, fitted in zip(
            blocks.varying_ids.tolist(), blocks.fitted.tolist(), strict=True
        ):
            if fitted:
                box = boxes[block_id]
                dense[box] = inherited[box] + next(mlps).reshape(dense[box].shape)
        for block_id, value in zip(
            blocks.constant_ids.tolist(), blocks.constant_values, strict=True
        ):
            dense[boxes[block_id]] = value
    assert dense is not None
    return dense[tuple(slice(n) for n in representation.shape_at(scale))]


@pytest.mark.parametrize("shape", [(13,), (6, 22), (9, 6, 17), (3, 4, 5, 6)])
def test_decoding_is_the_recursion_of_the_paper(shape: tuple[int, ...]) -> None:
    representation = random_representation(shape, block=2 if len(shape) == 4 else 4)
    for scale in range(representation.num_scales):
        decoded = representation.decode(scale).to_dense(representation.shape_at(scale))
        assert (decoded - dense_decode(representation, scale)).abs().max() < 1e-5


@given(st.data())
@settings(max_examples=40)
def test_a_region_is_cut_from_the_full_decode(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=3)))
    representation = random_representation(shape, seed=data.draw(st.integers(0, 99)))
    scale = data.draw(st.integers(0, 2))
    full = representation.decode(scale).to_dense(representation.shape_at(scale))
    start = tuple(data.draw(st.integers(0, n - 1)) for n in full.shape[:-1])
    stop = tuple(
        data.draw(st.integers(a + 1, n)) for a, n in zip(start, full.shape[:-1], strict=True)
    )
    region = representation.decode_region(start, stop, scale)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    assert (region - full[box]).abs().max() < 1e-6


@given(st.data())
@settings(max_examples=30)
def test_points_are_interpolated_linearly(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(2, 12), min_size=1, max_size=3)))
    representation = random_representation(shape, seed=data.draw(st.integers(0, 99)))
    scale = data.draw(st.integers(0, 1))
    grid = representation.grid.at_scale(scale)
    full = representation.decode(scale).to_dense(grid.shape).numpy()
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    index = generator.uniform(-1, np.array(grid.shape), (7, len(shape)))
    values = representation.query(grid.index_to_world(index), scale)
    for row, point in zip(values, index, strict=True):
        assert np.abs(row - interpolated(full, point)).max() < 1e-4


def interpolated(full: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Multilinear interpolation axis by axis, edges continued."""
    cell = full
    for axis, x in enumerate(point):
        x = min(max(x, 0.0), full.shape[axis] - 1)
        low = min(int(x), max(full.shape[axis] - 2, 0))
        high = min(low + 1, full.shape[axis] - 1)
        cell = (1 - (x - low)) * cell[low] + (x - low) * cell[high]
    return cell


def test_sample_positions_query_to_their_samples() -> None:
    representation = random_representation((5, 9))
    index = np.stack(np.meshgrid(np.arange(5), np.arange(9), indexing="ij"), axis=-1)
    points = representation.grid.index_to_world(index.reshape(-1, 2))
    full = representation.decode(0).to_dense((5, 9)).reshape(-1, 2).numpy()
    assert np.abs(representation.query(points) - full).max() < 1e-5


def test_no_points_give_no_values() -> None:
    assert random_representation((4, 4)).query(np.empty((0, 2))).shape == (0, 2)


def test_wrong_questions_are_refused() -> None:
    representation = random_representation((8, 8))
    with pytest.raises(SettingsError, match="scale must be"):
        representation.decode(3)
    with pytest.raises(BlockShapeError, match="inside"):
        representation.decode_region((0, 0), (9, 8))
    with pytest.raises(BlockShapeError, match="points must have shape"):
        representation.query(np.zeros((4, 3)))
    with pytest.raises(BlockShapeError, match="finite"):
        representation.query(np.array([[0.0, np.nan]]))


def test_neighboring_blocks_touch() -> None:
    coordinates = local_coordinates((4, 2), "cpu")
    assert coordinates[:, 0].unique().tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert coordinates[:3].tolist() == [[-0.75, -0.5], [-0.75, 0.5], [-0.25, -0.5]]
