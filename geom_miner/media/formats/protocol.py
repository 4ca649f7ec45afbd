"""What the module of an image or sample format provides."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from geom_miner.media.image_signal import ImageSignal
from geom_miner.media.sample_stream import SampleStream


class ImageReader(Protocol):
    """Reads an image file; a file that cannot be used raises ``MediaError``."""

    def __call__(self, path: Path, /) -> ImageSignal: ...


class ImageWriter(Protocol):
    """Writes samples (height, width, channel) as an image file of 8 or 16 bits per channel.

    If it fails, an earlier file of this name is left as it was.
    """

    def __call__(self, path: Path, samples: npt.NDArray[np.float32], bits: int, /) -> None: ...


class SampleWriter(Protocol):
    """Writes a stream of samples without ever holding all of them.

    If it fails, an earlier result of this name is left as it was.
    """

    def __call__(self, path: Path, stream: SampleStream, /) -> None: ...
