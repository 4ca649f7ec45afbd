"""NPY files of images and samples, without rounding or clipping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.media.arrays import write_array, write_array_in_slabs
from geom_miner.media.sample_stream import SampleStream


def write_image_as_npy(path: Path, samples: npt.NDArray[np.float32], bits: int) -> None:
    """Write an image as it is, (height, width, channel) float32, whatever ``bits`` is."""
    write_array(path, samples)


def write_npy(path: Path, stream: SampleStream) -> None:
    """Write samples as (*shape, channel), slab by slab."""
    shape = (*stream.shape, stream.channels)
    write_array_in_slabs(path, shape, stream.dtype, stream.slabs(0))


IMAGE_WRITERS = {".npy": write_image_as_npy}
SAMPLE_WRITERS = {".npy": write_npy}
