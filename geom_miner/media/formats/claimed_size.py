"""Refuse images whose header claims more than the file can hold, before they are decoded."""

from __future__ import annotations

import math
from pathlib import Path

from geom_miner.errors import MediaError
from geom_miner.memory import format_bytes, require_memory

# Bytes of samples for each byte of a file, at most. DEFLATE (PNG) repeats 258 bytes in 2 bits;
# JPEG needs at least one bit for a block of 64 samples, and coarsely sampled colors count for more.
_MOST_PER_BYTE = {"BMP": 1, "PNG": 1032, "JPEG": 2000}
# The header, and what does not grow with the image.
_OVERHEAD = 4096
# Bytes that a sample takes as it is decoded and as float32.
_FLOAT_BYTES = 4


def check_claimed_size(
    path: Path,
    size: tuple[int, int],
    *,
    bytes_per_pixel: float,
    channels: int,
    file_format: str = "",
) -> None:
    """Compare the size that a header claims with the file and with the memory of this machine.

    Parameters
    ----------
    size : width and height.
    bytes_per_pixel : of the uncompressed samples, all channels together, at least.
    file_format : as Pillow names it; "" for one whose compression has no limit.

    Raises
    ------
    MediaError
        The file is too short for such an image.
    OutOfMemory
        Less memory is free than the image takes.
    """
    width, height = size
    claimed, held = width * height * bytes_per_pixel, path.stat().st_size
    what = f"{path} claims {width:,} x {height:,} pixels"
    most = _MOST_PER_BYTE.get(file_format)
    if width < 1 or height < 1:
        raise MediaError(f"{what}; it is damaged, copy or export the image again")
    if most and claimed > most * (held + _OVERHEAD):
        raise MediaError(
            f"{what}, {format_bytes(math.ceil(claimed))}, and its {held:,} bytes cannot hold them; "
            "it is damaged, copy or export the image again"
        )
    require_memory(
        math.ceil(claimed + width * height * channels * _FLOAT_BYTES),
        f"reading {path}, which claims {width:,} x {height:,} pixels,",
        "cut it into parts, or scale it down",
    )
