"""Everything imported and compiled on a small shape, so that what follows is the work alone."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from eval.runs import peak_rss_bytes
from geom_miner import (
    TriangleMesh,
    VoxelizeSettings,
    extract_level,
    fit_to_file,
    preset,
    read_mesh,
    voxelize_mesh,
    write_mesh,
)

_OCTAHEDRON = TriangleMesh(
    np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=float),
    np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    ),
)


def warm_up(preset_name: str) -> int:
    """Run every stage on an octahedron; the largest resident memory so far, in bytes."""
    # All steps: only a surface that is found has every stage of its extraction compiled.
    settings = replace(preset(preset_name), scales=2)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "octahedron.ply"
        write_mesh(path, _OCTAHEDRON)
        occupancy = voxelize_mesh(
            read_mesh(path), VoxelizeSettings(32), block_size=settings.block_size
        )
        model = path.with_suffix(".miner")
        fitted = fit_to_file(occupancy.blocks, occupancy.grid, settings, model)
        extract_level(fitted.representation, 0)
    return peak_rss_bytes()
