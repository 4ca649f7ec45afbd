"""Whether the error of a mesh is larger where the blocks of its fit meet."""

from __future__ import annotations

import numpy as np

from eval.metrics import SourceErrors
from geom_miner import SampleGrid

# Points so near to a block's face, and so far from it, in samples, are compared.
_AT_FACE, _INSIDE = 0.5, 2.0


def seam(errors: SourceErrors, grid: SampleGrid, block_shape: tuple[int, ...]) -> float:
    """Mean error near the faces of blocks over that well inside of them; 1 is no seam.

    Parameters
    ----------
    errors : of points on the mesh.
    grid, block_shape : samples of the fitted scale, and how many of them a block has.
    """
    # A face lies half way between the last sample of one block and the first of the next.
    place = (grid.world_to_index(errors.points) + 0.5) / block_shape
    away = (np.abs(place - np.round(place)) * block_shape).min(axis=1)
    near, inside = errors.distances[away < _AT_FACE], errors.distances[away > _INSIDE]
    return float(near.mean() / inside.mean())
