"""An image as samples in [0, 1], and the same image on sparse blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks


@dataclass(frozen=True)
class ImageSignal:
    """An image as samples.

    Attributes
    ----------
    samples : (height, width, channel) float32 in [0, 1]; 1, 2, 3 or 4 channels
        (gray, gray and alpha, RGB, RGBA).
    bits : bits per channel in the file, 8 or 16.
    """

    samples: npt.NDArray[np.float32]
    bits: int


def image_to_blocks(image: ImageSignal, block_size: int) -> tuple[SparseBlocks, SampleGrid]:
    """An image on sparse blocks; axes are (height, width), and the longer one spans [0, 1]."""
    height, width, _ = image.samples.shape
    layout = BlockGrid.covering((height, width), (block_size, block_size))
    signal = SparseBlocks.from_dense(torch.from_numpy(image.samples), layout)
    return signal, SampleGrid.unit((height, width))
