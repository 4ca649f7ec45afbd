"""Errors at the faces of blocks against errors inside of them."""

from __future__ import annotations

import numpy as np
import pytest

from eval.metrics import SourceErrors
from geom_miner import SampleGrid
from pipelines.studies.seams import seam


def test_errors_at_block_faces_are_compared_with_those_inside() -> None:
    """Blocks of 8 samples: a face lies at 7.5, the middle of a block at 3.5."""
    grid = SampleGrid((16, 16, 16), (1.0, 1.0, 1.0), (-0.5, -0.5, -0.5))
    points = np.array([[7.4, 3.5, 3.5], [3.5, 7.9, 3.5], [3.5, 3.5, 3.5], [11.0, 3.5, 12.0]])
    errors = SourceErrors(np.array([0.3, 0.5, 0.1, 0.3]), np.zeros(4), points)
    assert seam(errors, grid, (8, 8, 8)) == pytest.approx(2.0)
