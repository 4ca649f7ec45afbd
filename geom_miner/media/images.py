"""Read and write image files; the suffix chooses the format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MediaError
from geom_miner.file_formats import collect_formats
from geom_miner.media.formats.pillow import read_by_pillow
from geom_miner.media.formats.protocol import ImageReader, ImageWriter
from geom_miner.media.image_signal import ImageSignal

READERS: dict[str, ImageReader] = collect_formats("geom_miner.media.formats", "IMAGE_READERS")
WRITERS: dict[str, ImageWriter] = collect_formats("geom_miner.media.formats", "IMAGE_WRITERS")
IMAGE_SUFFIXES = tuple(READERS)
WRITABLE_IMAGE_SUFFIXES = tuple(WRITERS)


def read_image(path: Path | str) -> ImageSignal:
    """Read an image file, rotated upright by its EXIF orientation.

    A file of unknown suffix is read as what its content is.

    Raises
    ------
    MediaError
        The file is missing, empty, cut short or no image.
    """
    path = Path(path)
    return READERS.get(path.suffix.lower(), read_by_pillow)(path)


def write_image(path: Path | str, samples: npt.NDArray[np.float32], *, bits: int = 8) -> None:
    """Write samples (height, width, channel): PNG or TIFF clipped to [0, 1], NPY as they are.

    Parameters
    ----------
    bits : per channel, 8 or 16.

    Raises
    ------
    MediaError
        The suffix is unknown, or the file cannot be written. An earlier file of this name is left
        as it was.
    """
    path = Path(path)
    WRITERS[check_writable_suffix(path)](path, samples, bits)


def check_writable_suffix(path: Path) -> str:
    """The path's suffix in lower case, if ``write_image`` can write it; else a MediaError."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise MediaError(f"output must end in one of {', '.join(WRITERS)}, got {path}")
    return suffix
