"""Order and classify the frequencies of a block, by integers that depend on its shape alone."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.errors import BlockShapeError

# Classes of distance from frequency zero.
RINGS = 48


# Samples of the largest block. Tables and time grow with them.
MOST_SAMPLES = 1 << 20


class Scan(NamedTuple):
    """Frequencies of a block in the order in which they are coded."""

    places: npt.NDArray[np.int32]  # flat index of each, row-major
    rings: npt.NDArray[np.int32]  # class of its distance from frequency zero
    axes: npt.NDArray[np.int32]  # axes along which it is not zero, as bits
    # (samples + 1, ndim) by place: the place one lower along each axis. The number of samples
    # stands for none, and is its own neighbor.
    neighbors: npt.NDArray[np.int32]
    units: npt.NDArray[np.int32]  # (., ndim) frequency along each axis; 256 is the sampling rate


@lru_cache(maxsize=32)
def scan_of(block_shape: tuple[int, ...]) -> Scan:
    """The scan of a block shape: ascending distance from frequency zero, ties by place.

    Raises
    ------
    BlockShapeError
        There are not 1 to 4 axes, a size is not positive, or there are more than 2^20 samples.
    """
    ndim, samples = len(block_shape), math.prod(block_shape)
    if not 1 <= ndim <= 4 or min(block_shape) < 1 or samples > MOST_SAMPLES:
        raise BlockShapeError(
            f"block_shape must have 1 to 4 axes and 1 to 2^20 samples, got {block_shape}"
        )
    index = np.indices(block_shape).reshape(ndim, -1).T
    units = 256 * index // np.array(block_shape)
    square = (units**2).sum(axis=1)
    order = np.argsort(square, kind="stable")
    roots = np.array([math.isqrt(value) for value in square.tolist()])
    strides = [math.prod(block_shape[axis + 1 :]) for axis in range(ndim)]
    below = np.where(index > 0, np.arange(samples)[:, None] - np.array(strides), samples)
    tables = (
        order,
        np.minimum(roots >> 3, RINGS - 1)[order],
        ((index > 0) << np.arange(ndim)).sum(axis=1)[order],
        np.concatenate([below, np.full((1, ndim), samples)]),
        units[order],
    )
    return Scan(*(np.ascontiguousarray(table, dtype=np.int32) for table in tables))
