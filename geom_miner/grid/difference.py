"""How far two signals on sparse blocks are apart."""

from __future__ import annotations

import math

from geom_miner.grid.sparse import SparseBlocks, paired_samples


def mean_squared_error(a: SparseBlocks, b: SparseBlocks, shape: tuple[int, ...]) -> float:
    """Mean squared difference of two signals of one layout, summed in float64.

    Parameters
    ----------
    shape : samples per axis without padding, which does not count; at least one.
    """
    total, count = 0.0, 0
    for p, q, weight in paired_samples(a, b, shape):
        squares = (p.double() - q.double()).square_().sum(dim=1)
        total += float((squares * weight).sum())
        count += int(weight.sum())
    return total / (count * b.channels)


def peak_signal_to_noise(error: float, peak: float = 1.0) -> float:
    """10 log10(peak^2 / mean squared error) in decibels; infinite for no error."""
    return 10 * math.log10(peak**2 / error) if error > 0 else math.inf
