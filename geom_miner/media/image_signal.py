"""An image as samples in [0, 1], and the same image on sparse blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks

# Share of the type's range below which an image counts as one that uses a small range. An error of
# 40 dB relative to the type's range, which fits stop at, is 28 dB relative to a quarter of it: just
# about what cannot be seen. Depth maps and faint 16-bit images use a few hundredths, in which such
# an error leaves nothing of them; ordinary photographs use nearly all.
_SMALL_SHARE = 0.25


@dataclass(frozen=True)
class ImageSignal:
    """An image as samples.

    Attributes
    ----------
    samples : (height, width, channel) float32 in [0, 1]; 1, 2, 3 or 4 channels
        (gray, gray and alpha, RGB, RGBA).
    bits : bits per channel in the file, 8 or 16.
    notes : whole sentences on what of the file was converted or left out.
    """

    samples: npt.NDArray[np.float32]
    bits: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValueRange:
    """The small range of values that an image uses.

    Attributes
    ----------
    lowest : lowest value of each channel.
    extent : highest minus lowest value, of the channel where this is largest; > 0.
    """

    lowest: tuple[float, ...]
    extent: float

    def describe(self, bits: int) -> str:
        """A sentence on the range and on what follows from it."""
        largest = (1 << bits) - 1
        return (
            f"The picture uses {round(self.extent * largest) + 1:,} of {largest + 1:,} levels: "
            "tolerances and PSNR are relative to this range."
        )


def small_range(samples: npt.NDArray[np.float32]) -> ValueRange | None:
    """The range of values that samples (..., channel) use, if it is below a quarter of [0, 1].

    None for an image that uses more, and for one of constant channels.
    """
    if not samples.size:
        return None
    axes = tuple(range(samples.ndim - 1))
    lowest, highest = samples.min(axis=axes), samples.max(axis=axes)
    extent = float((highest - lowest).max())
    if not 0 < extent < _SMALL_SHARE:
        return None
    return ValueRange(tuple(map(float, lowest)), extent)


def describe_image(image: ImageSignal) -> tuple[str, ...]:
    """Whole sentences on what a user has to know of an image that is read."""
    used = small_range(image.samples)
    return (*image.notes, *([used.describe(image.bits)] if used else []))


def image_to_blocks(image: ImageSignal, block_size: int) -> tuple[SparseBlocks, SampleGrid]:
    """An image on sparse blocks; axes are (height, width), and the longer one spans [0, 1]."""
    height, width, _ = image.samples.shape
    layout = BlockGrid.covering((height, width), (block_size, block_size))
    signal = SparseBlocks.from_dense(torch.from_numpy(image.samples), layout)
    return signal, SampleGrid.unit((height, width))
