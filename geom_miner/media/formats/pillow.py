"""Image files that Pillow reads and writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from geom_miner.atomic_files import new_file
from geom_miner.errors import MediaError
from geom_miner.media.image_signal import ImageSignal
from geom_miner.outputs import MADE_BY

# Pillow refuses large images, as a guard against malicious uploads. Here the file is the user's.
Image.MAX_IMAGE_PIXELS = None

# Modes whose samples are used as they are, and modes that are converted to gray or RGB.
_PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "I")
_CONVERTIBLE_MODES = ("P", "PA", "CMYK", "YCbCr", "La", "RGBa")


def read_by_pillow(path: Path) -> ImageSignal:
    """Read an image, rotated upright by its EXIF orientation.

    Raises
    ------
    MediaError
        The file is missing, empty, cut short or no image.
    """
    try:
        if path.stat().st_size == 0:
            raise MediaError(f"{path} is empty; copy the image again")
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode not in _PLAIN_MODES:
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


def write_by_pillow(path: Path, samples: npt.NDArray[np.float32], bits: int) -> None:
    """Write an image, clipped to [0, 1].

    16 bits are written for one channel only, because Pillow has no 16-bit color.
    """
    has_16_bits = bits == 16 and samples.shape[-1] == 1
    largest = 65535 if has_16_bits else 255
    dtype = np.uint16 if has_16_bits else np.uint8
    pixels = np.rint(np.clip(samples, 0.0, 1.0) * largest).astype(dtype)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    with new_file(path, MediaError) as file:
        if path.suffix.lower() == ".png":
            text = PngInfo()
            text.add_text("Software", MADE_BY)
            image.save(file, format="PNG", pnginfo=text)
        else:
            image.save(file, format="TIFF", software=MADE_BY)


def _converted(image: Image.Image, path: Path) -> Image.Image:
    """The image in a plain mode that loses nothing visible, from palettes, bilevel or CMYK."""
    if image.mode == "1":
        return image.convert("L")
    if image.mode not in _CONVERTIBLE_MODES:
        raise MediaError(
            f"{path} has samples of mode {image.mode}; convert it to 8 or 16 bits per channel"
        )
    transparent = "transparency" in image.info or image.mode in ("PA", "La", "RGBa")
    return image.convert("RGBA" if transparent else "RGB")


IMAGE_READERS = dict.fromkeys(
    (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"), read_by_pillow
)
IMAGE_WRITERS = dict.fromkeys((".png", ".tif", ".tiff"), write_by_pillow)
