"""Every search against the table of all distances, on the processor and where there is a GPU."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eval.errors import MetricError
from eval.metrics import nearest
from eval.metrics.nearest import (
    SearchedPoints,
    choose_by_differences,
    find_nearest,
    kaolin_chooser,
    nearest_by_tree,
    nearest_on_device,
)
from geom_miner.errors import SettingsError

Floats = npt.NDArray[np.float64]
KAOLIN = "kaolin.metrics.pointcloud"
# How much farther than the nearest a neighbor chosen in float32 may be, of half the longest side.
FLOAT32 = 2.0**-18

pairs = st.integers(2, 3).flatmap(
    lambda d: st.tuples(
        *(
            st.integers(1, 20).flatmap(
                lambda n: arrays(np.float64, (n, d), elements=st.floats(-8, 8, width=16))
            )
            for _ in range(2)
        )
    )
)


def scattered(n: int, d: int, seed: int) -> Floats:
    return np.random.default_rng(seed).random((n, d))


def slow(points: Floats, cloud: Floats) -> Floats:
    return np.sqrt(((points[:, None] - cloud[None]) ** 2).sum(axis=2)).min(axis=1)


def half_side(points: Floats, cloud: Floats) -> float:
    both = np.concatenate([points, cloud])
    return float(np.ptp(both, axis=0).max()) / 2


def check(
    neighbors: tuple[Floats, npt.NDArray[np.int64]], points: Floats, cloud: Floats, slack: float
) -> None:
    """Distances are those to the points named, and no farther than the nearest by more."""
    distances, indices = neighbors
    assert distances.dtype == np.float64
    assert indices.dtype == np.int64
    np.testing.assert_allclose(
        distances, np.linalg.norm(points - cloud[indices], axis=1), rtol=1e-14, atol=0
    )
    true = slow(points, cloud)
    assert (distances >= true * (1 - 1e-14)).all()
    assert (distances <= true * (1 + 1e-14) + slack).all()


def by_tree(points: Floats, cloud: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    return nearest_by_tree(SearchedPoints(points), SearchedPoints(cloud))


def test_searches_of_the_same_points_agree() -> None:
    points, cloud = SearchedPoints(scattered(300, 3, 6)), SearchedPoints(scattered(400, 3, 7))
    first, again = find_nearest(points, cloud), find_nearest(points, cloud)
    alone, back = find_nearest(points.points, cloud.points), find_nearest(cloud, points)
    for one, other in (
        (first, again),
        (first, alone),
        (back, by_tree(cloud.points, points.points)),
    ):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


@given(pair=pairs)
def test_the_tree_finds_the_nearest(pair: tuple[Floats, Floats]) -> None:
    check(by_tree(*pair), *pair, slack=0)


@settings(max_examples=50)
@given(pair=pairs, tile=st.integers(1, 100))
def test_differences_find_the_nearest(pair: tuple[Floats, Floats], tile: int) -> None:
    def choose(points: torch.Tensor, cloud: torch.Tensor) -> torch.Tensor:
        return choose_by_differences(points, cloud, tile=tile)

    check(nearest_on_device(*pair, choose, "cpu"), *pair, FLOAT32 * half_side(*pair))


@pytest.mark.parametrize("d", [2, 3])
def test_the_tensor_search_equals_the_tree(d: int) -> None:
    # Multiples of 2**-20 stay what they are in float32, and so do their differences.
    points, cloud = (np.round(scattered(2000, d, seed) * 2**20) / 2**20 for seed in (0, 1))
    exact, by_tensor = (
        by_tree(points, cloud),
        nearest_on_device(points, cloud, choose_by_differences, "cpu"),
    )
    np.testing.assert_array_equal(exact[1], by_tensor[1])
    np.testing.assert_allclose(exact[0], by_tensor[0], rtol=1e-14, atol=0)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_near_points_far_from_the_origin_keep_their_distances(d: int, scale: float) -> None:
    cloud = (scattered(500, d, 0) + 1e4) * scale
    points = cloud[::-1] + scattered(500, d, 1) * 1e-5 * scale
    neighbors = nearest_on_device(points, cloud, choose_by_differences, "cpu")
    np.testing.assert_array_equal(neighbors[1], np.arange(500)[::-1])
    np.testing.assert_allclose(neighbors[0], by_tree(points, cloud)[0], rtol=1e-12, atol=0)


def test_clouds_larger_than_a_tile() -> None:
    points, cloud = scattered(30, 3, 2), scattered(40_000, 3, 3)
    neighbors = nearest_on_device(points, cloud, choose_by_differences, "cpu")
    assert neighbors[1].max() > 1 << 14  # the nearest of some are not among the first columns
    check(neighbors, points, cloud, FLOAT32 / 2)


def test_one_position_for_all_points() -> None:
    points = np.full((4, 2), 3.25)
    for neighbors in (
        by_tree(points, points),
        nearest_on_device(points, points, choose_by_differences, "cpu"),
    ):
        assert neighbors[0].tolist() == [0.0] * 4


def test_an_empty_cloud_is_infinitely_far() -> None:
    distances, indices = find_nearest(np.zeros((3, 2)), np.zeros((0, 2)))
    assert distances.tolist() == [np.inf] * 3
    assert indices.tolist() == [-1] * 3


def test_no_points_have_no_neighbors() -> None:
    none, five = np.zeros((0, 3)), np.zeros((5, 3))
    for neighbors in (
        find_nearest(none, five),
        nearest_on_device(none, five, choose_by_differences, "cpu"),
    ):
        assert [len(each) for each in neighbors] == [0, 0]


def test_inputs_are_left_alone() -> None:
    points, cloud = scattered(50, 3, 4), scattered(60, 3, 5)
    copies = points.copy(), cloud.copy()
    by_tree(points, cloud)
    nearest_on_device(points, cloud, choose_by_differences, "cpu")
    assert np.array_equal(points, copies[0])
    assert np.array_equal(cloud, copies[1])


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(MetricError, match="device must be cpu or cuda, got 'tpu'"):
        find_nearest(np.zeros((1, 3)), np.zeros((1, 3)), device="tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_refused() -> None:
    with pytest.raises(SettingsError, match="no CUDA GPU"):
        find_nearest(np.zeros((1, 3)), np.zeros((1, 3)), device="cuda")


def _sided_distance(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Kaolin's signature: batches of three coordinates in, squared distances and indices out."""
    assert first.shape[::2] == second.shape[::2] == (1, 3)
    assert first.dtype == second.dtype == torch.float32
    assert first.is_contiguous()
    assert second.is_contiguous()
    squares = (first[:, :, None] - second[:, None]).square().sum(dim=3)
    return tuple(squares.min(dim=2))  # type: ignore[return-value]


@pytest.mark.parametrize("d", [2, 3])
def test_kaolin_is_called_by_its_signature(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(KAOLIN)
    module.sided_distance = _sided_distance  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, KAOLIN, module)
    chooser = kaolin_chooser()
    assert chooser is not None
    points, cloud = scattered(70, d, 6), scattered(80, d, 7)
    check(nearest_on_device(points, cloud, chooser, "cpu"), points, cloud, FLOAT32 / 2)


def test_a_placeholder_is_not_kaolin(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kaolin", "kaolin.metrics"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, KAOLIN, ModuleType(KAOLIN))
    assert kaolin_chooser() is None
    monkeypatch.setitem(sys.modules, KAOLIN, None)
    assert kaolin_chooser() is None


@pytest.mark.parametrize("installed", [True, False])
def test_kaolin_is_used_if_installed(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def recorder(name: str) -> nearest.NeighborChooser:
        def choose(points: torch.Tensor, cloud: torch.Tensor) -> torch.Tensor:
            used.append(name)
            return choose_by_differences(points, cloud)

        return choose

    ours, kaolin = recorder("ours"), recorder("kaolin")
    monkeypatch.setattr("geom_miner.kernels.choose_device", {"cuda": "cpu"}.__getitem__)
    monkeypatch.setattr(nearest, "choose_by_differences", ours)
    monkeypatch.setattr(nearest, "kaolin_chooser", lambda: kaolin if installed else None)
    find_nearest(scattered(3, 3, 0), scattered(3, 3, 1), device="cuda")
    assert used == ["kaolin" if installed else "ours"]


@pytest.mark.gpu
@pytest.mark.parametrize("d", [2, 3])
def test_a_gpu_finds_the_nearest(d: int) -> None:
    points, cloud = scattered(3000, d, 8), scattered(4000, d, 9)
    check(find_nearest(points, cloud, device="cuda"), points, cloud, FLOAT32 / 2)
    ours = nearest_on_device(points, cloud, choose_by_differences, "cuda")
    check(ours, points, cloud, FLOAT32 / 2)


@pytest.mark.gpu
@pytest.mark.parametrize("d", [2, 3])
def test_kaolin_agrees_with_ours(d: int) -> None:
    chooser = kaolin_chooser()
    if chooser is None:
        pytest.skip("Kaolin is not installed")
    points, cloud = scattered(3000, d, 10), scattered(4000, d, 11)
    check(nearest_on_device(points, cloud, chooser, "cuda"), points, cloud, FLOAT32 / 2)
