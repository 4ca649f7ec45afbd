"""One mesh per level of detail of a representation."""

from __future__ import annotations

import os
from collections.abc import Sequence

from geom_miner.extract.isosurface import OnProgress, extract_mesh, extract_to_ply
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.model.representation import Representation


def extract_level(
    representation: Representation,
    scale: int,
    *,
    iso_level: float = 0.5,
    backend: str = "auto",
    on_progress: OnProgress | None = None,
) -> TriangleMesh:
    """Decode one scale of an occupancy and mesh it, in the source mesh's own coordinates."""
    blocks = representation.decode(scale, backend=backend)
    grid = representation.grid.at_scale(scale)
    return extract_mesh(blocks, grid, iso_level=iso_level, on_progress=on_progress)


def write_level_ply(
    path: str | os.PathLike[str],
    representation: Representation,
    scale: int,
    *,
    iso_level: float = 0.5,
    comments: Sequence[str] = (),
    backend: str = "auto",
    on_progress: OnProgress | None = None,
) -> tuple[int, int]:
    """Write the mesh of ``extract_level`` as PLY without holding it; see ``extract_to_ply``.

    Returns
    -------
    Numbers of vertices and faces.
    """
    blocks = representation.decode(scale, backend=backend)
    return extract_to_ply(
        path,
        blocks,
        representation.grid.at_scale(scale),
        iso_level=iso_level,
        comments=comments,
        on_progress=on_progress,
    )
