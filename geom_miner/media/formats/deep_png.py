"""PNG files of 16 bits with several channels, which Pillow reads and writes as 8 bits only."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from geom_miner.outputs import MADE_BY

# Bytes of a PNG file that tell its size and type of samples.
_HEAD = 26
# Where the second chunk begins.
_BEHIND_HEAD = 33
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY = 0


def is_deep_png(path: Path) -> bool:
    """Whether a file is a PNG of 16 bits per channel with color, alpha or a transparent level."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        if len(head) < _HEAD or not head.startswith(_SIGNATURE) or head[24] != 16:
            return False
        return head[25] != _GRAY or _has_transparent_level(stream)


def _has_transparent_level(stream: IO[bytes]) -> bool:
    """Whether there is a chunk tRNS before the first one of samples."""
    at = len(_SIGNATURE)
    while True:
        stream.seek(at)
        chunk = stream.read(8)
        if len(chunk) < 8 or chunk[4:] in (b"IDAT", b"IEND"):
            return False
        if chunk[4:] == b"tRNS":
            return True
        at += 12 + int.from_bytes(chunk[:4], "big")


def read_deep_png(path: Path) -> npt.NDArray[np.uint16]:
    """Samples (height, width, channel); a transparent level becomes an alpha channel.

    Raises
    ------
    png.Error, OSError, zlib.error
        The file is damaged.
    """
    import png

    with path.open("rb") as stream:
        width, height, rows, _ = png.Reader(file=stream).asDirect()
        # Row by row: as Python's own numbers all rows would take many times the memory.
        samples = np.stack([np.asarray(row, dtype=np.uint16) for row in rows])
    return samples.reshape(height, width, -1)


def write_deep_png(stream: IO[bytes], samples: npt.NDArray[np.uint16]) -> None:
    """Write samples (height, width, channel) of 2, 3 or 4 channels."""
    import png

    height, width, channels = samples.shape
    writer = png.Writer(
        width, height, bitdepth=16, greyscale=channels < 3, alpha=channels in (2, 4)
    )
    whole = io.BytesIO()
    writer.write(whole, samples.reshape(height, -1))
    content = whole.getbuffer()
    # pypng has no texts, which may stand anywhere behind the first chunk.
    stream.write(content[:_BEHIND_HEAD])
    png.write_chunk(stream, b"tEXt", b"Software\0" + MADE_BY.encode("latin-1"))
    stream.write(content[_BEHIND_HEAD:])
