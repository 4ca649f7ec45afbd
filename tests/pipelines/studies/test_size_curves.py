"""Curves of error over size: exact on power laws, of which a line between logarithms is made."""

from __future__ import annotations

import math

import pytest

from pipelines.studies.size_curves import Curve, compare_sizes


def power(factor: float, exponent: float, sizes: tuple[float, ...]) -> Curve:
    return Curve.best_of((size, factor * size**exponent) for size in sizes)


def test_only_points_that_no_smaller_one_beats_are_kept() -> None:
    points = [(30.0, 2.0), (10.0, 3.0), (10.0, 4.0), (40.0, 2.0), (20.0, 3.5), (50.0, 1.0)]
    assert Curve.best_of(points).points == ((10.0, 3.0), (30.0, 2.0), (50.0, 1.0))


def test_interpolation_is_exact_on_a_power_law() -> None:
    curve = power(1000, -1.5, (10, 70, 900))
    for size in (10.0, 33.0, 70.0, 512.0, 900.0):
        assert curve.size_at(1000 * size**-1.5) == pytest.approx(size, rel=1e-12)


def test_nothing_is_extrapolated() -> None:
    curve = power(1, -1, (10, 100))
    assert curve.size_at(0.11) is None
    assert curve.size_at(0.009) is None
    assert Curve.best_of([]).size_at(0.05) is None


def test_a_point_has_its_own_size_and_no_other() -> None:
    point = Curve.best_of([(10.0, 0.5)])
    assert point.size_at(0.5) == 10.0
    assert point.size_at(0.4) is None


def test_two_power_laws_cross_where_algebra_says() -> None:
    steep, flat = power(1, -2, (1, 7, 100)), power(0.1, -1, (1, 30, 100))
    # s^-2 = 0.1 s^-1 at s = 10, where the error is 0.01; for larger errors the flat one is smaller.
    compared = compare_sizes(steep, flat)
    assert compared is not None
    ((low, high),) = compared.smaller
    assert (low, high) == (compared.low, pytest.approx(0.01, rel=1e-9))
    assert (compared.low, compared.high) == pytest.approx((0.001, 0.1))
    other = compare_sizes(flat, steep)
    assert other is not None
    assert other.smaller == ((pytest.approx(0.01, rel=1e-9), other.high),)


def test_curves_without_a_common_error_are_not_compared() -> None:
    assert compare_sizes(power(1, -1, (1, 10)), power(0.01, -1, (1, 10))) is None
    assert compare_sizes(Curve.best_of([]), power(1, -1, (1, 10))) is None


def test_a_point_is_compared_at_its_own_error() -> None:
    point, curve = Curve.best_of([(10.0, 0.05)]), power(1, -1, (1, 100))
    compared = compare_sizes(point, curve)
    assert compared is not None
    assert compared.smaller == ((0.05, 0.05),)
    other = compare_sizes(curve, point)
    assert other is not None
    assert other.smaller == ()


def test_an_error_of_zero_has_a_logarithm() -> None:
    curve = Curve.best_of([(10.0, 1.0), (20.0, 0.0)])
    assert math.isfinite(curve.size_at(0.5) or math.inf)
