"""One mesh per level of detail of a representation."""

from __future__ import annotations

from collections.abc import Callable

from geom_miner.extract.isosurface import extract_mesh
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.model.representation import Representation


def extract_level(
    representation: Representation,
    scale: int,
    *,
    iso_level: float = 0.5,
    backend: str = "auto",
    on_progress: Callable[[int, int], None] | None = None,
) -> TriangleMesh:
    """Decode one scale of an occupancy and mesh it, in the source mesh's own coordinates."""
    blocks = representation.decode(scale, backend=backend)
    grid = representation.grid.at_scale(scale)
    return extract_mesh(blocks, grid, iso_level=iso_level, on_progress=on_progress)
