"""Mesh one level of detail of a representation."""

from __future__ import annotations

import os
from collections.abc import Sequence

from geom_miner.extract.isosurface import extract_mesh, extract_to_ply
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.model.representation import Representation
from geom_miner.progress import Progress, silent


def extract_level(
    representation: Representation,
    scale: int,
    *,
    iso_level: float = 0.5,
    backend: str = "auto",
    progress: Progress = silent,
) -> TriangleMesh:
    """Decode one scale and mesh its isosurface, in the coordinates of the source mesh.

    Parameters
    ----------
    scale : 0 is the finest.
    iso_level : value of the surface; inside is higher.
    backend : the kernel that decodes.
    progress : called with the share of the meshing done, in (0, 1].
    """
    blocks = representation.decode(scale, backend=backend)
    grid = representation.grid.at_scale(scale)
    return extract_mesh(blocks, grid, iso_level=iso_level, progress=progress)


def write_level_ply(
    path: str | os.PathLike[str],
    representation: Representation,
    scale: int,
    *,
    iso_level: float = 0.5,
    comments: Sequence[str] = (),
    backend: str = "auto",
    progress: Progress = silent,
) -> tuple[int, int]:
    """Write the mesh of ``extract_level`` as PLY without holding it in memory.

    Parameters are those of ``extract_level`` and ``extract_to_ply``.

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
        progress=progress,
    )
