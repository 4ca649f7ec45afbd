"""TIFF files of 16 bits per channel, of either byte order and any number of channels."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MediaError, missing_extra
from geom_miner.outputs import MADE_BY

if TYPE_CHECKING:
    from types import ModuleType

# Little-endian and big-endian, and both as BigTIFF.
_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Tags of orientation and color profile.
_ORIENTATION, _PROFILE = 274, 34675


class SizeCheck(Protocol):
    """Refuses an image that is too large; size is width and height."""

    def __call__(
        self, size: tuple[int, int], /, *, bytes_per_pixel: float, channels: int
    ) -> None: ...


@dataclass(frozen=True)
class DeepTiff:
    """The first page of a TIFF file.

    Attributes
    ----------
    samples : (height, width, channel) as stored.
    pages : how many pages the file has.
    orientation : as in EXIF, 1 for upright.
    profile : its color profile, or None.
    """

    samples: npt.NDArray[np.uint16]
    pages: int
    orientation: int
    profile: bytes | None


def is_deep_tiff(path: Path) -> bool:
    """Whether a file is a TIFF whose first page has more than 8 bits per channel."""
    with path.open("rb") as stream:
        if stream.read(4) not in _SIGNATURES:
            return False
    tifffile = _tifffile()
    try:
        with tifffile.TiffFile(path) as tiff:
            bits = tiff.pages[0].bitspersample
    except Exception:
        # Whatever is wrong, Pillow gets the file and says so.
        return False
    return bool(np.max(bits) > 8)


def read_deep_tiff(path: Path, check_size: SizeCheck) -> DeepTiff:
    """Read the first page.

    Parameters
    ----------
    check_size : is called before the samples are read.

    Raises
    ------
    MediaError
        Its samples are no unsigned integers of 16 bits, or its compression needs a package.
    """
    with _tifffile().TiffFile(path) as tiff:
        page = tiff.pages[0]
        if page.dtype != np.uint16:
            kind = page.dtype or f"numbers of {page.bitspersample} bits"
            raise MediaError(
                f"{path} has samples of type {kind}; convert it to 8 or 16 bits per channel"
            )
        channels = int(page.samplesperpixel)
        size = (page.imagewidth, page.imagelength)
        check_size(size, bytes_per_pixel=2 * channels, channels=channels)
        try:
            samples = page.asarray()
        except (KeyError, ImportError) as error:
            if "imagecodecs" not in str(error):
                raise
            raise missing_extra(
                f"reading {path} with compression {page.compression.name} needs imagecodecs",
                "tiff",
                instead="save it without compression",
            ) from error
        if page.photometric.name == "MINISWHITE":
            samples = np.iinfo(np.uint16).max - samples
        elif page.photometric.name not in ("MINISBLACK", "RGB"):
            raise MediaError(
                f"{path} holds 16-bit samples of {page.photometric.name}; convert it to gray or RGB"
            )
        tags = page.tags
        return DeepTiff(
            _channels_last(samples, page.axes),
            len(tiff.pages),
            int(tags[_ORIENTATION].value) if _ORIENTATION in tags else 1,
            bytes(tags[_PROFILE].value) if _PROFILE in tags else None,
        )


def write_deep_tiff(stream: IO[bytes], samples: npt.NDArray[np.uint16]) -> None:
    """Write samples (height, width, channel) of 2, 3 or 4 channels, without compression."""
    channels = samples.shape[-1]
    # tifffile asks a file for its name, which a scratch file may lack.
    whole = io.BytesIO()
    _tifffile().imwrite(
        whole,
        samples,
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig",
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        metadata=None,
        software=MADE_BY,
    )
    stream.write(whole.getbuffer())


def _channels_last(samples: npt.NDArray[np.uint16], axes: str) -> npt.NDArray[np.uint16]:
    if "S" not in axes:
        return samples[..., None]
    return np.moveaxis(samples, axes.index("S"), -1)


def _tifffile() -> ModuleType:
    import tifffile

    # It logs what it finds odd in a file, to a user who can do nothing about it.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    module: ModuleType = tifffile
    return module
