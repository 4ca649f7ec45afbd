"""Contour lines of a function sampled in the plane, by ContourPy, which Matplotlib brings."""

from __future__ import annotations

import numpy as np
from contourpy import contour_generator

from eval.clouds.point_cloud import Floats
from geom_miner import SampleGrid


def closed_contours(values: Floats, grid: SampleGrid) -> tuple[Floats, ...]:
    """The zero set of the interpolated samples, as closed polylines in world units.

    Everything beyond the grid counts as outside, so a region that the border cuts is closed along
    it. The first and the last point of a line are the same; inside lies to its left.

    Parameters
    ----------
    values : (x, y) float64 samples, negative inside.
    grid : of the samples.
    """
    # Padding samples are as far outside as any sample on the border is inside, or farther.
    outside = max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    padded = np.pad(values, 1, constant_values=outside)
    # ContourPy's first axis is y, and it keeps higher values to the left.
    lines = contour_generator(z=-padded.T).lines(0.0)
    return tuple(grid.index_to_world(np.asarray(line) - 1) for line in lines)
