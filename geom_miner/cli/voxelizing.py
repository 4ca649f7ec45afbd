"""From a source file to the target of a fit, and occupancies as archives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from geom_miner.fit.cosine_settings import AnySettings
    from geom_miner.grid.samples import SampleGrid
    from geom_miner.grid.sparse import SparseBlocks
    from geom_miner.grid.target import Target
    from geom_miner.mesh.triangle_mesh import TriangleMesh
    from geom_miner.voxelize.settings import VoxelizeSettings


def target_of_mesh_file(
    source: Path,
    target: str,
    voxels: VoxelizeSettings,
    settings: AnySettings,
    console: Console,
    *,
    allow_empty: bool = False,
) -> Target:
    """What is fitted to a mesh file; a report on the mesh is printed on the way."""
    from geom_miner.fit.memory import check_fit_memory
    from geom_miner.grid.signal_info import SourceInfo
    from geom_miner.progress_bars import WorkBar, bars
    from geom_miner.targets.mesh import target_of_occupancy
    from geom_miner.voxelize.occupancy import voxelize_mesh

    check_fit_memory((voxels.resolution,) * 3, settings)
    mesh = read_mesh_file(source, console)
    with WorkBar(console, f"voxelizing {len(mesh.faces):,} faces") as bar:
        occupancy = voxelize_mesh(mesh, voxels, block_size=settings.block_size, progress=bar)
    console.print("\n".join(occupancy.report.sentences()), highlight=False)
    return target_of_occupancy(
        occupancy,
        target,
        scales=settings.scales,
        source=SourceInfo(source.stem, faces=occupancy.report.diagnosis.faces),
        allow_empty=allow_empty,
        stages=bars(console),
    )


def target_of_image_file(source: Path, settings: AnySettings, console: Console) -> Target:
    """What is fitted to an image file; what a user has to know of it is printed on the way."""
    from geom_miner.fit.memory import check_fit_memory
    from geom_miner.grid.signal_info import SourceInfo
    from geom_miner.media.image_signal import describe_image
    from geom_miner.media.images import read_image
    from geom_miner.targets.image import image_target

    image = read_image(source)
    for sentence in describe_image(image):
        console.print(sentence, soft_wrap=True)
    *shape, channels = image.samples.shape
    check_fit_memory(tuple(shape), settings, channels=channels)
    return image_target(
        image,
        scales=settings.scales,
        block_size=settings.block_size,
        source=SourceInfo(source.stem),
    )


def read_mesh_file(source: Path, console: Console) -> TriangleMesh:
    """A mesh from its file."""
    from geom_miner.mesh.files import read_mesh

    with console.status(f"reading {source.name}"):
        return read_mesh(source)


def save_blocks(path: Path, blocks: SparseBlocks, grid: SampleGrid) -> None:
    """Write an occupancy or coverage as NPZ."""
    import numpy as np

    from geom_miner.media.arrays import write_archive

    packed = blocks.values.numpy()
    if blocks.packing and blocks.packing.per_byte == 8:
        # NumPy's own order of bits, so that np.unpackbits reads the file without options.
        packed = np.packbits(np.unpackbits(packed, axis=1, bitorder="little"), axis=1)
    write_archive(
        path,
        ids=blocks.ids.numpy(),
        packed=packed,
        levels=np.array(blocks.packing.steps if blocks.packing else 1),
        constants=blocks.constants[..., 0].numpy(),
        block_shape=np.array(blocks.layout.block_shape),
        shape=np.array(grid.shape),
        spacing=np.array(grid.spacing),
        origin=np.array(grid.origin),
    )
