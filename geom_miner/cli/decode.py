"""The command ``geom-miner decode``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import tyro
from rich.console import Console

from geom_miner.cli.answers import print_json
from geom_miner.cli.options import Device, Force, Output, device_of
from geom_miner.cli.region import parse_region
from geom_miner.constraints import CheckedSettings


@dataclass(frozen=True)
class Decode(CheckedSettings):
    """Decode samples of a model: a picture as PNG or TIFF, anything as NPY, NRRD or Zarr."""

    memory_remedy: ClassVar = "take a smaller --region, or a coarser level with --lod"

    model: tyro.conf.Positional[Path]
    """Model file."""
    output: Output
    """File to write: .png or .tif for two axes; .npy (*shape, channel), .nrrd or .zarr for any."""
    lod: int = 0
    """Level of detail, 0 the finest; coarser ones read only the start of the file."""
    region: str | None = None
    """Box of samples to decode, per axis (rows, columns of an image; x, y, z of a mesh) start:stop
    (a missing number is the axis's end) or one index, which leaves the axis out: 10:200,:64,: or
    the slice 100,:,:"""
    dtype: Literal["float32", "uint8"] = "float32"
    """Type of the samples; uint8 is occupancy cut at 1/2, 1 inside and 0 outside."""
    compress: bool = True
    """Pack the samples of .nrrd (gzip) and .zarr (zstd)."""
    device: Device = "auto"
    """Where to decode."""
    force: Force = False
    json: bool = False
    """Print shape and file as JSON."""

    def run(self, console: Console) -> None:
        from geom_miner.cli.decoding import check_kind, sample_stream, write_samples
        from geom_miner.progress_bars import WorkBar
        from geom_miner.storage.reader import load_model

        check_kind(self.output)
        representation = load_model(self.model, finest=self.lod).to(device_of(self.device))
        region = parse_region(self.region, representation.shape_at(self.lod))
        with WorkBar(console, "decoding") as bar:
            stream = sample_stream(
                representation, self.lod, region, self.dtype, self.compress, progress=bar
            )
            shape = write_samples(self.output, stream, inputs=[self.model], force=self.force)
        if self.json:
            print_json({"file": str(self.output), "lod": self.lod, "shape": shape})
        else:
            sizes = " x ".join(map(str, shape))
            console.print(f"{self.output}: {sizes} (the last axis is the channel)", highlight=False)
