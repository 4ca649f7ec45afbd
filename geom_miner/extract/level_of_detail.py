"""Mesh one level of detail of a representation."""

from __future__ import annotations

import os
from collections.abc import Sequence

from geom_miner.errors import SettingsError
from geom_miner.extract.isosurface import extract_mesh, extract_to_ply
from geom_miner.grid.pyramid import upsample
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.model.representation import Representation
from geom_miner.progress import Progress, silent


def extract_level(
    representation: Representation,
    scale: int,
    *,
    iso_level: float = 0.5,
    supersample: int = 1,
    backend: str = "auto",
    progress: Progress = silent,
) -> TriangleMesh:
    """Decode one scale and mesh its isosurface, in the coordinates of the source mesh.

    Parameters
    ----------
    scale : 0 is the finest.
    iso_level : value of the surface; inside is higher.
    supersample : 1, 2 or 4: mesh so many samples along each axis for every one of the scale,
        interpolated as the model says. Of a model of cosine blocks that is closer to the source;
        linear interpolation, of block MLPs, adds nothing.
    backend : the kernel that decodes.
    progress : called with the share of the meshing done, in (0, 1].
    """
    blocks, grid = _samples(representation, scale, supersample, backend)
    return extract_mesh(blocks, grid, iso_level=iso_level, progress=progress)


def write_level_ply(
    path: str | os.PathLike[str],
    representation: Representation,
    scale: int,
    *,
    iso_level: float = 0.5,
    supersample: int = 1,
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
    blocks, grid = _samples(representation, scale, supersample, backend)
    return extract_to_ply(
        path,
        blocks,
        grid,
        iso_level=iso_level,
        comments=comments,
        progress=progress,
    )


def _samples(
    representation: Representation, scale: int, supersample: int, backend: str
) -> tuple[SparseBlocks, SampleGrid]:
    """The decoded scale, upsampled so many times, and its grid."""
    if supersample not in (1, 2, 4):
        raise SettingsError(f"supersample must be 1, 2 or 4, got {supersample}")
    blocks = representation.decode(scale, backend=backend)
    interpolation = representation.up_to(scale)[-1].interpolation
    for _ in range(supersample.bit_length() - 1):
        blocks = upsample(blocks, interpolation)
    return blocks, representation.grid.at_scale(scale).refined(supersample)
