"""The command ``geom-miner voxelize``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import tyro
from rich.console import Console

from geom_miner.cli.answers import print_json
from geom_miner.cli.options import Force
from geom_miner.cli.voxelizing import read_mesh_file, save_blocks
from geom_miner.terminal import Terminal
from geom_miner.voxelize.settings import VoxelizeSettings


@dataclass(frozen=True)
class Voxelize:
    """Turn a mesh into occupancy and say what was found."""

    memory_remedy: ClassVar = "lower --resolution"

    source: tyro.conf.Positional[Path]
    """Mesh file: PLY, OBJ, STL, OFF, 3MF, GLB, glTF, also with .gz."""
    settings: tyro.conf.OmitArgPrefixes[VoxelizeSettings]
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """NPZ file to write: block ids, their samples (8 to a byte, or one in 240ths for coverage),
    constants, grid."""
    coverage: bool = False
    """Write the share of every sample's cell that is inside, instead of whether its center is."""
    report: bool = True
    """Say in plain words what is right and wrong with the mesh, how inside was decided and why."""
    json: bool = False
    """Print all of it as JSON instead."""
    force: Force = False

    def run(self, console: Console) -> None:
        from geom_miner.errors import MediaError
        from geom_miner.outputs import check_output
        from geom_miner.progress_bars import WorkBar
        from geom_miner.voxelize.occupancy import cell_coverage, voxelize_mesh

        if self.output is not None:
            check_output(
                self.output,
                MediaError,
                inputs=[self.source],
                suffixes=(".npz",),
                force=self.force,
            )
        mesh = read_mesh_file(self.source, console)
        with WorkBar(console, f"voxelizing {len(mesh.faces):,} faces") as bar:
            occupancy = voxelize_mesh(mesh, self.settings, progress=bar)
        if self.output is not None:
            blocks = occupancy.blocks
            if self.coverage:
                with WorkBar(console, "measuring the coverage of cells") as bar:
                    blocks = cell_coverage(occupancy, progress=bar)
            save_blocks(self.output, blocks, occupancy.grid)
        if self.json:
            print_json({"source": self.source.name, **asdict(occupancy.report)})
        elif self.report:
            Terminal().print("\n".join(occupancy.report.sentences()))
