"""Image files to samples in [0, 1] and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps

from geom_miner.atomic_files import new_file
from geom_miner.errors import MediaError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.media.arrays import write_array

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
WRITABLE_SUFFIXES = (".png", ".tif", ".tiff", ".npy")

# Gigapixel images are this program's business; the file is the user's own.
Image.MAX_IMAGE_PIXELS = None


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


def read_image(path: Path | str) -> ImageSignal:
    """Read an image file, turned upright as its EXIF entry says.

    Raises
    ------
    MediaError
        The file is missing, empty, cut short or no image.
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise MediaError(f"{path} is empty; copy the image again")
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            if not _is_plain(image.mode):
                image = _converted(image, path)
            array = np.asarray(image)
    except MediaError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no image, or it is cut short"
        raise MediaError(f"cannot read {path}: {reason}; check the file") from error
    if array.ndim == 2:
        array = array[..., None]
    if array.dtype == np.uint8:
        return ImageSignal(array.astype(np.float32) / 255.0, 8)
    if array.dtype in (np.uint16, np.int32) and array.min() >= 0 and array.max() <= 65535:
        return ImageSignal((array / 65535.0).astype(np.float32), 16)
    raise MediaError(
        f"{path} has samples of type {array.dtype}; convert it to 8 or 16 bits per channel"
    )


def image_to_blocks(image: ImageSignal, block_size: int) -> tuple[SparseBlocks, SampleGrid]:
    """An image as sparse blocks; axes are (height, width), the longer one spans [0, 1]."""
    height, width, _ = image.samples.shape
    layout = BlockGrid.covering((height, width), (block_size, block_size))
    signal = SparseBlocks.from_dense(torch.from_numpy(image.samples), layout)
    return signal, SampleGrid.unit((height, width))


def write_image(path: Path | str, samples: npt.NDArray[np.float32], *, bits: int = 8) -> None:
    """Write samples (height, width, channel): PNG or TIFF clipped to [0, 1], NPY as they are.

    16 bits are written for one channel only, which is what PNG libraries support here.
    """
    path = Path(path)
    suffix = check_writable_suffix(path)
    if bits == 16 and samples.shape[-1] != 1:
        bits = 8
    top = 255 if bits == 8 else 65535
    kind = np.uint8 if bits == 8 else np.uint16
    if suffix == ".npy":
        write_array(path, samples)
        return
    pixels = np.rint(np.clip(samples, 0.0, 1.0) * top).astype(kind)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    form = "PNG" if suffix == ".png" else "TIFF"
    with new_file(path, MediaError) as file:
        image.save(file, format=form)


def check_writable_suffix(path: Path) -> str:
    """The path's suffix, lower case, if ``write_image`` can write it; else a MediaError."""
    suffix = path.suffix.lower()
    if suffix not in WRITABLE_SUFFIXES:
        raise MediaError(f"output must end in one of {', '.join(WRITABLE_SUFFIXES)}, got {path}")
    return suffix


def _is_plain(mode: str) -> bool:
    return mode in ("L", "LA", "RGB", "RGBA", "I;16", "I")


def _converted(image: Image.Image, path: Path) -> Image.Image:
    """Palettes, bilevel and CMYK images as the plain mode that loses nothing visible."""
    if image.mode == "1":
        return image.convert("L")
    if image.mode not in ("P", "PA", "CMYK", "YCbCr", "La", "RGBa"):
        raise MediaError(
            f"{path} has samples of mode {image.mode}; convert it to 8 or 16 bits per channel"
        )
    transparent = "transparency" in image.info or image.mode in ("PA", "La", "RGBa")
    return image.convert("RGBA" if transparent else "RGB")
