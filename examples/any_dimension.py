"""Fit a signal of one's own: here a short video of a moving disc, three axes, one channel.

Run: python examples/any_dimension.py video.miner
"""

from __future__ import annotations

import sys

import torch

from geom_miner import FitSettings, SampleGrid, Target, fit_to_file
from geom_miner.grid import BlockGrid, SparseBlocks


def moving_disc(frames: int, side: int) -> torch.Tensor:
    """A video (time, height, width, channel) in [0, 1]."""
    axes = [torch.linspace(0, 1, n) for n in (frames, side, side)]
    t, y, x = torch.meshgrid(*axes, indexing="ij")
    distance = ((y - 0.5) ** 2 + (x - 0.25 - 0.5 * t) ** 2).sqrt()
    return torch.sigmoid((0.2 - distance) * 60)[..., None]


def main(output: str) -> None:
    video = moving_disc(frames=16, side=64)
    shape = tuple(video.shape[:-1])
    settings = FitSettings(scales=2, block_size=8, width=16)
    blocks = SparseBlocks.from_dense(video, BlockGrid.covering(shape, (8, 8, 8)))
    target = Target.pooled(blocks, settings.scales, SampleGrid.unit(shape))
    model = fit_to_file(target, settings, output).representation
    error = (model.decode().to_dense(shape) - video).square().mean()
    print(f"{-10 * float(torch.log10(error)):.1f} dB, {model.num_parameters:,} parameters")


if __name__ == "__main__":
    main(*sys.argv[1:])
