"""From a mesh file to what a fit or an archive takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from geom_miner.fit.settings import FitSettings
    from geom_miner.grid.samples import SampleGrid
    from geom_miner.grid.sparse import SparseBlocks
    from geom_miner.grid.target import Target
    from geom_miner.mesh.triangle_mesh import TriangleMesh
    from geom_miner.voxelize.occupancy import Occupancy
    from geom_miner.voxelize.settings import VoxelizeSettings


def mesh_target(
    source: Path, voxels: VoxelizeSettings, settings: FitSettings, console: Console
) -> tuple[SparseBlocks | Target, SampleGrid, dict[str, Any]]:
    """What to fit to a mesh, its grid, and facts for the file."""
    from geom_miner.progress import WorkBar
    from geom_miner.voxelize.distance_target import target_of

    mesh, occupancy = read_and_voxelize(source, voxels, settings.block_size, console)
    console.print("\n".join(occupancy.report.sentences()), highlight=False)
    info = {
        "kind": "occupancy",
        "target": voxels.target,
        "iso_level": 0.5,
        "source": {"name": source.stem, "faces": occupancy.report.diagnosis.faces},
    }
    with WorkBar(console, "measuring distances to the surface") as bar:
        target = target_of(mesh, occupancy, voxels, scales=settings.scales, progress=bar)
    return target, occupancy.grid, info


def read_and_voxelize(
    source: Path, settings: VoxelizeSettings, block_size: int, console: Console
) -> tuple[TriangleMesh, Occupancy]:
    """A mesh from its file, and its occupancy or coverage."""
    from geom_miner.mesh.files import read_mesh
    from geom_miner.progress import WorkBar
    from geom_miner.voxelize.occupancy import voxelize_mesh

    with console.status(f"reading {source.name}"):
        mesh = read_mesh(source)
    with WorkBar(console, f"voxelizing {len(mesh.faces):,} faces") as bar:
        return mesh, voxelize_mesh(mesh, settings, block_size=block_size, progress=bar)


def save_occupancy(path: Path, occupancy: Occupancy) -> None:
    """Write an occupancy or coverage as NPZ."""
    import numpy as np

    from geom_miner.media.arrays import write_archive

    blocks, grid = occupancy.blocks, occupancy.grid
    packed = blocks.values.numpy()
    if blocks.packing and blocks.packing.per_byte == 8:
        # NumPy's own order of bits, so that np.unpackbits reads the file without being told.
        packed = np.packbits(np.unpackbits(packed, axis=1, bitorder="little"), axis=1)
    write_archive(
        path,
        ids=blocks.ids.numpy(),
        packed=packed,
        levels=np.array(blocks.packing.levels if blocks.packing else 1),
        constants=blocks.constants[..., 0].numpy(),
        block_shape=np.array(blocks.layout.block_shape),
        shape=np.array(grid.shape),
        spacing=np.array(grid.spacing),
        origin=np.array(grid.origin),
    )
