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
    mesh_target,
    preset,
    read_mesh,
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
    chosen = preset(preset_name)
    settings = replace(chosen.settings, scales=2)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "octahedron.ply"
        write_mesh(path, _OCTAHEDRON)
        target = mesh_target(
            read_mesh(path),
            chosen.target,
            VoxelizeSettings(32),
            scales=2,
            block_size=settings.block_size,
        ).target
        fitted = fit_to_file(target, settings, path.with_suffix(".miner"))
        extract_level(fitted.representation, 0)
    return peak_rss_bytes()
