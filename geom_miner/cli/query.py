"""The command ``geom-miner query``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import tyro
from rich.console import Console

from geom_miner.cli.options import Device, Force, Output, device_of
from geom_miner.constraints import CheckedSettings


@dataclass(frozen=True)
class Query(CheckedSettings):
    """Interpolate a model at points given in world coordinates."""

    memory_remedy: ClassVar = "take fewer points, or a coarser level with --lod"

    model: tyro.conf.Positional[Path]
    """Model file."""
    points: tyro.conf.Positional[Path]
    """NPY file of points, shape (n, axes), in the coordinates of the source: those of the mesh."""
    output: Output
    """NPY file to write: values, shape (n, channel), float32; of a mesh 1/2 at the surface and more
    inside. A distance is one near the surface alone; see the target in the help of fit."""
    lod: int = 0
    """Level of detail, 0 the finest."""
    device: Device = "auto"
    """Where to decode."""
    force: Force = False

    def run(self, console: Console) -> None:
        from geom_miner.errors import MediaError
        from geom_miner.media.arrays import NPY_SIGNATURE, read_array, write_array
        from geom_miner.outputs import check_output, check_suffix, equal_or_new
        from geom_miner.storage.reader import load_model

        check_suffix(self.output, MediaError, (".npy",))
        points = read_array(self.points)
        representation = load_model(self.model, finest=self.lod).to(device_of(self.device))
        check_output(
            self.output,
            MediaError,
            inputs=[self.model, self.points],
            signature=NPY_SIGNATURE,
            force=self.force,
        )
        with console.status("querying"):
            values = representation.query(points, self.lod)
        with equal_or_new(self.output, MediaError, force=self.force) as path:
            write_array(path, values)
        console.print(f"{self.output}: {len(values):,} values", highlight=False)
