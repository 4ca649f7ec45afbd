"""Image files that Pillow reads and writes, and those of 16 bits that it would cut to 8."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps
from PIL.PngImagePlugin import PngInfo

from geom_miner.atomic_files import new_file
from geom_miner.errors import GeomMinerError, MediaError
from geom_miner.media.formats.claimed_size import check_claimed_size
from geom_miner.media.formats.deep_png import is_deep_png, read_deep_png, write_deep_png
from geom_miner.media.formats.deep_tiff import is_deep_tiff, read_deep_tiff, write_deep_tiff
from geom_miner.media.formats.image_notes import frames_of, notes_on_image
from geom_miner.media.image_signal import ImageSignal
from geom_miner.outputs import MADE_BY

# Pillow refuses large images, as a guard against malicious uploads. Here the file is the user's,
# and its size is compared with the file and the memory.
Image.MAX_IMAGE_PIXELS = None

# Modes whose samples are used as they are, and modes that are converted to gray or RGB.
_PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "I")
_CONVERTIBLE_MODES = ("P", "PA", "CMYK", "YCbCr", "La", "RGBa")
_EXIF_ORIENTATION = 274
# EXIF orientation: whether rows and columns are exchanged, then the axes that are reversed.
_TURNS: dict[int, tuple[bool, tuple[int, ...]]] = {
    1: (False, ()),
    2: (False, (1,)),
    3: (False, (0, 1)),
    4: (False, (0,)),
    5: (True, ()),
    6: (True, (1,)),
    7: (True, (0, 1)),
    8: (True, (0,)),
}
_DAMAGED = "it is no image, or it is cut short"


def read_by_pillow(path: Path) -> ImageSignal:
    """Read an image, rotated upright by its EXIF orientation.

    Raises
    ------
    MediaError
        The file is missing, empty, cut short, no image, or larger than the memory.
    """
    try:
        if path.stat().st_size == 0:
            raise MediaError(f"{path} is empty; copy the image again")
        with warnings.catch_warnings():
            # What Pillow finds odd in a file that it reads.
            warnings.simplefilter("ignore")
            return _read(path)
    except GeomMinerError:
        raise
    except MemoryError as error:
        raise MediaError(f"{path} does not fit into memory; scale it down") from error
    except OSError as error:
        reason = error.strerror or _DAMAGED
        raise MediaError(f"cannot read {path}: {reason}; check the file") from error
    except Exception as error:
        # The readers raise many types of errors for damaged files; all mean the same.
        raise MediaError(f"cannot read {path}: {_DAMAGED}; check the file") from error


def _read(path: Path) -> ImageSignal:
    if is_deep_tiff(path):
        return _read_deep_tiff(path)
    with Image.open(path) as opened:
        is_deep = is_deep_png(path)
        _check_size(path, opened, 2 if is_deep else 1)
        notes = _notes_on(opened)
        if is_deep:
            samples = _turned(read_deep_png(path), _orientation_of(opened))
            return ImageSignal((samples / 65535.0).astype(np.float32), 16, notes)
        image = ImageOps.exif_transpose(opened)
        if image.mode not in _PLAIN_MODES or "transparency" in image.info:
            image = _converted(image, path)
        array = np.asarray(image)
    return _signal_of(array if array.ndim == 3 else array[..., None], path, notes)


def _signal_of(array: npt.NDArray[Any], path: Path, notes: tuple[str, ...]) -> ImageSignal:
    if array.dtype == np.uint8:
        return ImageSignal(array.astype(np.float32) / 255.0, 8, notes)
    whole = array.dtype in (np.uint16, np.int32)
    if whole and int(array.min()) >= 0 and int(array.max()) <= 65535:
        return ImageSignal((array / 65535.0).astype(np.float32), 16, notes)
    raise MediaError(
        f"{path} has samples of type {array.dtype}; convert it to 8 or 16 bits per channel"
    )


def _read_deep_tiff(path: Path) -> ImageSignal:
    tiff = read_deep_tiff(path, partial(check_claimed_size, path, file_format=""))
    notes = notes_on_image(
        mode="",
        orientation=tiff.orientation,
        pages=tiff.pages,
        unit="page",
        profile=tiff.profile,
    )
    samples = _turned(tiff.samples, tiff.orientation)
    if samples.shape[-1] > 4:
        raise MediaError(
            f"{path} has {samples.shape[-1]} channels; write up to 4 of them as an image"
        )
    return ImageSignal((samples / 65535.0).astype(np.float32), 16, notes)


def _notes_on(image: Image.Image) -> tuple[str, ...]:
    pages, unit = frames_of(image)
    return notes_on_image(
        mode=image.mode,
        orientation=_orientation_of(image),
        pages=pages,
        unit=unit,
        profile=image.info.get("icc_profile"),
    )


def _orientation_of(image: Image.Image) -> int:
    value = image.getexif().get(_EXIF_ORIENTATION, 1)
    return value if value in _TURNS else 1


def _turned(samples: npt.NDArray[np.uint16], orientation: int) -> npt.NDArray[np.uint16]:
    """Samples upright, given how they are stored."""
    exchanged, reversed_axes = _TURNS.get(orientation, _TURNS[1])
    return np.flip(samples.swapaxes(0, 1) if exchanged else samples, reversed_axes)


def _check_size(path: Path, image: Image.Image, bytes_per_channel: int) -> None:
    """Refuse an opened image, of which only the header is read, that is too large."""
    packed = image.format in ("PNG", "BMP") and image.mode in ("1", "L", "P")
    # Only images that a file was opened as have tiles.
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    compressed = any(tile[0] != "raw" for tile in tiles)
    # 1-bit samples are the smallest, and BMP packs a color into 16 bits.
    most = 2 if image.format == "BMP" else 4
    least = 0.125 if packed else min(most, len(image.getbands()))
    check_claimed_size(
        path,
        image.size,
        bytes_per_pixel=least * bytes_per_channel,
        channels=len(image.getbands()),
        file_format="" if image.format == "BMP" and compressed else image.format or "",
    )


def write_by_pillow(path: Path, samples: npt.NDArray[np.float32], bits: int) -> None:
    """Write an image, clipped to [0, 1]."""
    deep = bits == 16
    dtype = np.uint16 if deep else np.uint8
    pixels: npt.NDArray[Any] = np.rint(np.clip(samples, 0.0, 1.0) * np.iinfo(dtype).max)
    pixels = pixels.astype(dtype)
    is_png = path.suffix.lower() == ".png"
    with new_file(path, MediaError) as file:
        if deep and pixels.shape[-1] > 1:
            (write_deep_png if is_png else write_deep_tiff)(file, pixels)
            return
        image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        if is_png:
            text = PngInfo()
            text.add_text("Software", MADE_BY)
            image.save(file, format="PNG", pnginfo=text)
        else:
            image.save(file, format="TIFF", software=MADE_BY)


def _converted(image: Image.Image, path: Path) -> Image.Image:
    """The image in a plain mode that loses nothing visible, from palettes, bilevel or CMYK."""
    transparent = "transparency" in image.info or image.mode in ("PA", "La", "RGBa")
    if image.mode in ("1", "L"):
        return image.convert("LA" if transparent else "L")
    if image.mode not in (*_CONVERTIBLE_MODES, *_PLAIN_MODES):
        raise MediaError(
            f"{path} has samples of mode {image.mode}; convert it to 8 or 16 bits per channel"
        )
    return image.convert("RGBA" if transparent else "RGB")


IMAGE_READERS = dict.fromkeys(
    (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"), read_by_pillow
)
IMAGE_WRITERS = dict.fromkeys((".png", ".tif", ".tiff"), write_by_pillow)
