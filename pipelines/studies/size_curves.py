"""Curves of error over size: the best points, interpolation between them, and where two cross."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

# Errors below this count as this: logarithms of zero do not exist. No error that matters is as
# small; it is 1e-6 voxel at 256^3 in units of the longest side.
_LEAST = 4e-9


@dataclass(frozen=True)
class Curve:
    """The best points of a method: whatever is smaller has a larger error.

    Parameters
    ----------
    points : (size, error), both > 0, by ascending size; errors descend.
    """

    points: tuple[tuple[float, float], ...]

    @classmethod
    def best_of(cls, points: Iterable[tuple[float, float]]) -> Curve:
        """Leave out every point that another one beats in size without a larger error."""
        best: list[tuple[float, float]] = []
        for size, error in sorted((size, max(error, _LEAST)) for size, error in points):
            if not best or error < best[-1][1]:
                best.append((size, error))
        return cls(tuple(best))

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest error; infinity and 0 without points."""
        if not self.points:
            return math.inf, 0.0
        return self.points[-1][1], self.points[0][1]

    def size_at(self, error: float) -> float | None:
        """Size at an error, on a line between logarithms; None outside the range."""
        low, high = self.range
        if not low <= error <= high:
            return None
        for (size, above), (next_size, below) in itertools.pairwise(self.points):
            if below <= error <= above:
                share = math.log(above / error) / math.log(above / below)
                return math.exp((1 - share) * math.log(size) + share * math.log(next_size))
        return self.points[0][0]


@dataclass(frozen=True)
class Comparison:
    """Where a curve has fewer bytes than another one.

    Parameters
    ----------
    low, high : smallest and largest error that both curves reach.
    smaller : intervals of errors, ascending, in which the first curve is the smaller one.
    """

    low: float
    high: float
    smaller: tuple[tuple[float, float], ...]


def compare_sizes(first: Curve, second: Curve) -> Comparison | None:
    """Compare two curves at every error that both reach; None if there is no such error."""
    low = max(first.range[0], second.range[0])
    high = min(first.range[1], second.range[1])
    if low > high:
        return None
    knots = {low, high, *(error for curve in (first, second) for _, error in curve.points)}
    errors = sorted(error for error in knots if low <= error <= high)
    gains = [_gain(first, second, error) for error in errors]
    crossings = [
        _zero(errors[k], errors[k + 1], gains[k], gains[k + 1])
        for k in range(len(errors) - 1)
        if gains[k] * gains[k + 1] < 0
    ]
    ends = [low, *crossings, high]
    # Between crossings the sign is that of the middle.
    smaller = tuple(
        piece
        for piece in itertools.pairwise(ends)
        if _gain(first, second, math.sqrt(piece[0] * piece[1])) > 0
    )
    return Comparison(low, high, smaller)


def _gain(first: Curve, second: Curve, error: float) -> float:
    """Logarithm of how many times the second curve needs the bytes of the first."""
    own, other = first.size_at(error), second.size_at(error)
    assert own is not None
    assert other is not None
    return math.log(other / own)


def _zero(a: float, b: float, gain_a: float, gain_b: float) -> float:
    """Where a line over the logarithm of the error crosses zero."""
    share = gain_a / (gain_a - gain_b)
    return math.exp((1 - share) * math.log(a) + share * math.log(b))
