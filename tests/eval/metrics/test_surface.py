"""Surface distances against analytic shapes, a slow oracle and their symmetries."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

import eval
from eval import MetricError, PointCloud, sample_cloud, scan_metrics, surface_metrics
from eval.metrics import (
    CloudMatches,
    SurfaceSamples,
    cloud_metrics,
    match_clouds,
    sample_surface,
)
from geom_miner import TriangleMesh
from tests.shapes import box, sphere

Floats = npt.NDArray[np.float64]
NONE = np.zeros((0, 3))
DISTANCES = ("acc", "comp", "chamfer_l1", "chamfer_l2", "chamfer_sum_sq", "hausdorff")


Pair = tuple[Floats, Floats]
Oriented = SurfaceSamples | PointCloud


def clouds(ndim: int, max_size: int = 12) -> st.SearchStrategy[Floats]:
    coordinates = st.floats(-8, 8, width=16)
    return st.integers(1, max_size).flatmap(
        lambda n: arrays(np.float64, (n, ndim), elements=coordinates)
    )


# Two clouds of two dimensions, or of three.
pairs = st.sampled_from([2, 3]).flatmap(lambda d: st.tuples(clouds(d), clouds(d)))


def rotation(ndim: int, seed: int) -> Floats:
    if ndim == 3:
        return Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    return Rotation.from_euler("z", seed % 360, degrees=True).as_matrix()[:2, :2]


def slow(a: Floats, b: Floats) -> dict[str, float]:
    """Every definition, computed from the full table of distances."""
    table = np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))
    there, back = table.min(axis=1), table.min(axis=0)
    p, r = (there <= 1.5).mean(), (back <= 1.5).mean()
    return {
        "acc": there.mean(),
        "comp": back.mean(),
        "chamfer_l1": (there.mean() + back.mean()) / 2,
        "chamfer_l2": ((there**2).mean() + (back**2).mean()) / 2,
        "chamfer_sum_sq": (there**2).mean() + (back**2).mean(),
        "hausdorff": max(there.max(), back.max()),
        "one_sided_hausdorff": there.max(),
        "fscore": 2 * p * r / (p + r) if p + r else 0.0,
    }


def fast(a: Floats, b: Floats) -> dict[str, float]:
    matches = match_clouds(a, b)
    metrics = {name: getattr(matches, name) for name in DISTANCES}
    one_sided = float(matches.to_reference.max())
    return metrics | {"one_sided_hausdorff": one_sided, "fscore": matches.fscore(1.5)}


def normal_consistency(a: Oriented, b: Oriented) -> float:
    return match_clouds(a.points, b.points).normal_consistency(a.normals, b.normals)


@settings(max_examples=50)
@given(pair=pairs)
def test_fast_equals_slow(pair: Pair) -> None:
    # The tree sums squares in another order: a few units in the last place, no more.
    assert fast(*pair) == pytest.approx(slow(*pair), rel=1e-14, abs=1e-300)


@settings(max_examples=25)
@given(pair=pairs)
def test_swapping_the_clouds_swaps_acc_and_comp_only(pair: Pair) -> None:
    a, b = pair
    one, other = match_clouds(a, b), match_clouds(b, a)
    assert (one.acc, one.comp) == (other.comp, other.acc)
    for name in DISTANCES[2:]:
        assert getattr(one, name) == getattr(other, name)
    assert one.fscore(1.5) == pytest.approx(other.fscore(1.5), rel=1e-15)


@settings(max_examples=25)
@given(pair=pairs, seed=st.integers(0, 2**32 - 1))
def test_moving_both_clouds_changes_nothing(pair: Pair, seed: int) -> None:
    turn, shift = rotation(pair[0].shape[1], seed), np.array([3.0, -2.0, 0.5])
    moved = match_clouds(*(each @ turn.T + shift[: each.shape[1]] for each in pair))
    still = match_clouds(*pair)
    for name in DISTANCES:
        assert getattr(moved, name) == pytest.approx(getattr(still, name), rel=1e-9, abs=1e-13)


@settings(max_examples=25)
@given(pair=pairs, exponent=st.integers(-20, 20))
def test_distances_scale_with_the_clouds(pair: Pair, exponent: int) -> None:
    scale = 2.0**exponent
    scaled, unscaled = match_clouds(*(each * scale for each in pair)), match_clouds(*pair)
    for name in DISTANCES:
        power = 2 if name in ("chamfer_l2", "chamfer_sum_sq") else 1
        # A power of two: every bit of the fraction stays.
        assert getattr(scaled, name) == getattr(unscaled, name) * scale**power
    assert scaled.fscore(1.5 * scale) == unscaled.fscore(1.5)


@settings(max_examples=25)
@given(ndim=st.sampled_from([2, 3]), seed=st.integers(0, 2**32 - 1))
def test_normal_consistency_is_symmetric_and_turns_with_the_surfaces(ndim: int, seed: int) -> None:
    rng, turn = np.random.default_rng(seed), rotation(ndim, seed)
    a, b = (PointCloud(*rng.standard_normal((2, n, ndim))) for n in (9, 12))
    value = normal_consistency(a, b)
    matches = match_clouds(a.points, b.points)
    there = np.abs((a.normals * b.normals[matches.in_reference]).sum(axis=1)).mean()
    back = np.abs((b.normals * a.normals[matches.in_reconstruction]).sum(axis=1)).mean()
    assert value == pytest.approx((there + back) / 2, rel=1e-14)
    assert value == pytest.approx(normal_consistency(b, a), rel=1e-14)
    flipped = PointCloud(a.points, -a.normals)
    assert value == pytest.approx(normal_consistency(flipped, b), rel=1e-14)
    moved = [PointCloud(c.points @ turn.T * 3 + 1, c.normals @ turn.T) for c in (a, b)]
    assert value == pytest.approx(normal_consistency(*moved), rel=1e-9)


def test_identical_clouds_are_at_distance_zero() -> None:
    cloud = np.random.default_rng(0).random((500, 3))
    matches = match_clouds(cloud, cloud[::-1])
    assert [getattr(matches, name) for name in DISTANCES] == [0.0] * len(DISTANCES)
    assert matches.fscore(1e-9) == 1.0


def test_a_shifted_lattice_is_at_the_shift() -> None:
    lattice = np.stack(np.meshgrid(*[np.arange(5.0)] * 3), axis=-1).reshape(-1, 3)
    matches = match_clouds(lattice + np.array([0.25, 0, 0]), lattice)
    assert (matches.acc, matches.comp, matches.hausdorff) == (0.25, 0.25, 0.25)
    assert (matches.chamfer_l2, matches.chamfer_sum_sq) == (0.0625, 0.125)
    # "Within" includes the threshold itself.
    assert (matches.fscore(0.25), matches.fscore(0.2499)) == (1.0, 0.0)


def test_parallel_planes_are_at_their_distance() -> None:
    d, n = 0.2, 200_000
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    low = TriangleMesh(square, faces)
    high = TriangleMesh(square + np.array([0, 0, d]), faces[:, ::-1])
    metrics = surface_metrics(high, low, threshold=d / 2, samples=n, seed=0)
    # The nearest sample lies s sideways, E[s^2] = 1/(pi n): at most that excess over d.
    excess = 1 / (math.pi * n)
    assert d < metrics["chamfer_l1"] < d + excess / (2 * d) * 1.1
    assert d**2 < metrics["chamfer_l2"] < d**2 + excess * 1.1
    assert metrics["normal_consistency"] == 1.0  # opposite normals are not penalized
    assert metrics["fscore"] == 0.0


def test_concentric_spheres_are_at_the_difference_of_radii() -> None:
    metrics = surface_metrics(
        sphere(1.2, subdivisions=5), sphere(1.0, subdivisions=5), threshold=0.3, samples=50_000
    )
    # Facets lie at most R h^2/8 = 2.3e-4 inside; the nearest sample is 0.0045 sideways at the
    # root of the mean square, which adds 0.0045^2 / (2 * 0.2) = 5e-5.
    for name in ("acc", "comp", "chamfer_l1"):
        assert metrics[name] == pytest.approx(0.2, abs=4e-4)
    assert metrics["fscore"] == 1.0
    assert metrics["normal_consistency"] == pytest.approx(1.0, abs=2e-3)


def test_concentric_circles_are_at_the_difference_of_radii() -> None:
    def circle(radius: float, n: int) -> PointCloud:
        angle = 2 * math.pi * np.arange(n) / n
        around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return PointCloud(radius * around, around)

    n = 4000
    matches = match_clouds(circle(1.5, n).points, circle(1.0, n).points)
    assert [matches.acc, matches.comp, matches.hausdorff] == pytest.approx([0.5] * 3, rel=1e-12)
    # Half a step apart at most: (pi / n)^2 * 1.5 / 2 more than the difference, over 1/2.
    odd = match_clouds(circle(1.5, n).points, circle(1.0, n + 1).points)
    assert 0.5 < odd.chamfer_l1 < odd.hausdorff < 0.5 + 1.5 * (math.pi / n) ** 2
    consistency = normal_consistency(circle(1.5, n), circle(1.0, n + 1))
    assert math.cos(math.pi / n) <= consistency < 1


def test_two_samplings_of_one_surface_are_at_the_sampling_distance() -> None:
    shape = box((0, 0, 0), (2, 1, 1))
    metrics = surface_metrics(shape, shape, threshold=0.1, samples=50_000)
    assert metrics["sampling_distance"] == pytest.approx(0.5 * math.sqrt(10 / 50_000))
    assert metrics["chamfer_l1"] == pytest.approx(metrics["sampling_distance"], rel=0.02)


def test_a_scan_is_measured_one_way_only() -> None:
    shape = sphere(1.0, subdivisions=5)
    directions = np.random.default_rng(0).standard_normal((5000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # The upper half, 0.2 outside: what lies below the scan is not held against the surface.
    scan = PointCloud(1.2 * directions * np.sign(directions[:, 2:]))
    metrics = scan_metrics(scan, shape, samples=50_000)
    # Facets lie at most 2.3e-4 inside; a sample s beside the nearest point is at
    # sqrt(0.2^2 + 1.2 s^2), where s^2 has an exponential distribution of mean area / (pi n).
    excess = 1.2 * shape.area / (math.pi * 50_000) / (2 * 0.2)
    assert 0.2 < metrics["one_sided_scan_chamfer"] < 0.2 + 2.3e-4 + 1.1 * excess
    assert 0.2 + excess < metrics["one_sided_scan_hausdorff"] < 0.2 + 2.3e-4 + 15 * excess
    assert metrics["sampling_distance"] == pytest.approx(0.5 * math.sqrt(shape.area / 50_000))
    assert metrics == scan_metrics(scan, shape, 50_000, 0)
    assert metrics != scan_metrics(scan, shape, 50_000, 1)


def test_a_scan_of_the_surface_is_at_the_sampling_distance() -> None:
    shape = box((0, 0, 0), (2, 1, 1))
    scan = PointCloud(sample_surface(shape, 20_000, 9).points)
    metrics = scan_metrics(scan, shape, samples=50_000)
    assert metrics["one_sided_scan_chamfer"] == pytest.approx(
        metrics["sampling_distance"], rel=0.02
    )


def test_nothing_is_infinitely_far_from_a_scan() -> None:
    nothing = TriangleMesh(np.eye(3), np.zeros((0, 3), dtype=int))
    metrics = scan_metrics(PointCloud(np.ones((3, 3))), nothing, samples=10)
    assert metrics["one_sided_scan_chamfer"] == metrics["one_sided_scan_hausdorff"] == math.inf


def test_a_dense_cloud_stands_for_its_mesh() -> None:
    shape, other = sphere(1.0, subdivisions=4), sphere(1.1, subdivisions=4)
    drawn = sample_cloud(other, 20_000, 5)
    metrics = cloud_metrics(shape, drawn, threshold=0.15, samples=20_000)
    meshes = surface_metrics(shape, other, threshold=0.15, samples=20_000)
    assert metrics.keys() == meshes.keys()
    for name in ("acc", "comp", "chamfer_l1", "chamfer_l2", "normal_consistency", "fscore"):
        assert metrics[name] == pytest.approx(meshes[name], rel=2e-3)
    bare = cloud_metrics(shape, PointCloud(drawn.points), threshold=0.15, samples=20_000)
    assert bare == {name: metrics[name] for name in metrics if name != "normal_consistency"}


def test_missing_normals_are_refused() -> None:
    bare, full = PointCloud(np.ones((2, 3))), PointCloud(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(MetricError, match="reference normals must have shape"):
        normal_consistency(full, bare)
    one = SurfaceSamples(np.ones((2, 3)), np.ones((1, 3)))
    with pytest.raises(MetricError, match="reconstruction must have one normal per point"):
        normal_consistency(one, full)


def test_equal_seeds_give_equal_numbers() -> None:
    a, b = sphere(1.0, subdivisions=2), box()
    first, again = (surface_metrics(a, b, threshold=0.1, samples=500, seed=4) for _ in range(2))
    assert first == again
    with pytest.raises(MetricError, match="seed must be >= 0"):
        surface_metrics(a, b, threshold=0.1, samples=500, seed=-1)


def test_normals_are_compared_by_absolute_cosine() -> None:
    points = np.array([[0.0, 0, 0], [5, 0, 0]])
    up = SurfaceSamples(points, np.array([[0.0, 0, 1], [0, 0, 1]]))
    tilted = SurfaceSamples(points, np.array([[0.0, 0, -1], [0, 0.8, 0.6]]))
    assert normal_consistency(up, tilted) == pytest.approx((1 + 0.6) / 2, rel=1e-15)


@pytest.mark.parametrize("name", DISTANCES)
def test_empty_clouds_by_the_stated_convention(name: str) -> None:
    three = np.ones((3, 3))
    pairs = [(NONE, three), (three, NONE), (NONE, NONE)]
    assert [getattr(match_clouds(*pair), name) for pair in pairs] == [math.inf, math.inf, 0]


def test_empty_clouds_by_the_stated_convention_in_scores() -> None:
    three = SurfaceSamples(np.ones((3, 3)), np.tile([0.0, 0, 1], (3, 1)))
    none = SurfaceSamples(NONE, NONE)
    pairs = [(none, three), (three, none), (none, none)]
    assert [normal_consistency(*pair) for pair in pairs] == [0, 0, 1]
    assert [match_clouds(a.points, b.points).fscore(1) for a, b in pairs] == [0, 0, 1]


def test_inputs_are_left_alone() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((40, 3)), rng.random((50, 3))
    copies = a.copy(), b.copy()
    assert fast(a, b) == fast(a, b)
    assert np.array_equal(a, copies[0])
    assert np.array_equal(b, copies[1])


@pytest.mark.parametrize(
    "bad",
    [np.full((2, 3), np.nan), np.array([[0, 0, np.inf]]), np.ones((2, 2)), np.ones((2, 4))],
)
def test_bad_points_are_refused(bad: Floats) -> None:
    for pair in ((bad, np.ones((1, 3))), (np.ones((1, 3)), bad)):
        with pytest.raises(MetricError, match="must"):
            match_clouds(*pair)


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan, math.inf])
def test_bad_thresholds_are_refused(threshold: float) -> None:
    with pytest.raises(MetricError, match="threshold must be positive"):
        match_clouds(np.ones((1, 3)), np.ones((1, 3))).fscore(threshold)


def test_no_metric_is_called_chamfer_alone() -> None:
    shape = box()
    metrics = surface_metrics(shape, shape, threshold=0.1, samples=10)
    assert "chamfer" not in {*metrics, *dir(CloudMatches), *eval.__all__}
