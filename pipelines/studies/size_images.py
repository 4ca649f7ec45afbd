"""Ways to store a picture in few bytes: codecs, each at the qualities around given PSNRs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.metrics import psnr
from geom_miner.errors import BackendUnavailable, MediaError, missing_extra
from geom_miner.media import ImageSignal

Pixels = npt.NDArray[np.uint8]
"""(height, width) of a gray picture, or (height, width, 3)."""


@dataclass(frozen=True)
class CodedImage:
    """A picture in few bytes.

    Parameters
    ----------
    label : setting that it was coded with.
    bytes : of the file.
    pixels : what the file decodes to.
    """

    label: str
    bytes: int
    pixels: Pixels


@dataclass(frozen=True)
class ImageCodec:
    """A codec of pictures with one knob.

    Parameters
    ----------
    encode : from pixels, a quality and a variant to a file.
    decode : from a file to pixels; some formats store gray as color.
    qualities : values of the knob, from the worst to the best picture.
    variants : ways to code that are tried beside one another, such as subsampling of color.
    """

    encode: Callable[[Pixels, float, str], bytes]
    decode: Callable[[bytes], Pixels]
    qualities: tuple[float, ...]
    variants: tuple[str, ...] = ("",)

    def around(self, pixels: Pixels, goals: Sequence[float]) -> Iterator[CodedImage]:
        """Code a picture at the last quality below each PSNR and the first at or above it.

        The qualities are found by bisection; every one that was tried is given.
        """
        for variant in self.variants if pixels.ndim == 3 else self.variants[:1]:
            found: dict[int, float] = {}
            for goal in goals:
                low, high = -1, len(self.qualities)
                while high - low > 1:
                    middle = (low + high) // 2
                    if middle not in found:
                        coded = self._coded(pixels, middle, variant)
                        found[middle] = quality_of(coded.pixels, pixels)
                        yield coded
                    low, high = (middle, high) if found[middle] < goal else (low, middle)

    def _coded(self, pixels: Pixels, number: int, variant: str) -> CodedImage:
        quality = self.qualities[number]
        data = self.encode(pixels, quality, variant)
        label = f"quality {quality:g}" + (f", {variant}" if variant else "")
        decoded = self.decode(data)
        if decoded.ndim > pixels.ndim:
            decoded = np.rint(decoded.mean(axis=-1)).astype(np.uint8)
        return CodedImage(label, len(data), decoded)


def quality_of(pixels: Pixels, source: Pixels) -> float:
    """PSNR over all channels in decibels."""
    return psnr(pixels / np.float32(255), source / np.float32(255))


def pixels_of(image: ImageSignal) -> Pixels:
    """A picture of 8 bits as codecs take it.

    Raises
    ------
    MediaError
        The picture has 16 bits or an alpha channel.
    """
    channels = image.samples.shape[-1]
    if image.bits != 8 or channels not in (1, 3):
        raise MediaError(
            f"a picture must be gray or RGB of 8 bits to be compared with codecs, got {channels} "
            f"channel(s) of {image.bits} bits; convert it"
        )
    pixels = np.rint(image.samples * 255).astype(np.uint8)
    return np.ascontiguousarray(pixels if channels == 3 else pixels[..., 0])


def _by_pillow(form: str, **options: Any) -> Callable[[Pixels, float, str], bytes]:
    def encode(pixels: Pixels, quality: float, variant: str) -> bytes:
        from PIL import Image, features

        if form in ("WEBP", "AVIF") and not features.check(form.lower()):
            raise BackendUnavailable(f"this Pillow was built without {form}; install its wheel")
        more = {"subsampling": variant} if variant else {}
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form, quality=int(quality), **options, **more)
        return file.getvalue()

    return encode


def _decode_by_pillow(data: bytes) -> Pixels:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def _encode_jpeg_xl(pixels: Pixels, quality: float, variant: str) -> bytes:
    """By imagecodecs: Pillow's plugin for JPEG XL has a license that not everyone can use."""
    try:
        import imagecodecs
    except ImportError as error:
        raise missing_extra("JPEG XL needs the package imagecodecs", "size") from error
    # The knob is a distance, of which less is better.
    return bytes(imagecodecs.jpegxl_encode(pixels, distance=-quality, effort=7))


def _decode_jpeg_xl(data: bytes) -> Pixels:
    try:
        import imagecodecs
    except ImportError as error:
        raise missing_extra("JPEG XL needs the package imagecodecs", "size") from error
    return np.asarray(imagecodecs.jpegxl_decode(data))


_COLOR = ("4:2:0", "4:4:4")
_PERCENT = tuple(map(float, range(1, 101)))
# JPEG XL's distances from 15, its largest, to 0.05 in steps of 6 %, negative to be ascending.
_DISTANCES = tuple(-round(15 * 0.94**k, 4) for k in range(93))

CODECS: dict[str, ImageCodec] = {
    "JPEG": ImageCodec(
        _by_pillow("JPEG", optimize=True, progressive=True), _decode_by_pillow, _PERCENT, _COLOR
    ),
    # Lossy WebP always halves the resolution of color.
    "WebP": ImageCodec(_by_pillow("WEBP", method=6), _decode_by_pillow, _PERCENT),
    # Each try takes a second. On kodim05 and kodim20 half the resolution of color is within 1.5 %
    # at 36 dB and 5 to 8 % larger at 40 dB.
    "AVIF": ImageCodec(_by_pillow("AVIF", speed=6), _decode_by_pillow, _PERCENT[1::2], _COLOR[1:]),
    "JPEG XL": ImageCodec(_encode_jpeg_xl, _decode_jpeg_xl, _DISTANCES),
}
"""Codecs of pictures by name."""
