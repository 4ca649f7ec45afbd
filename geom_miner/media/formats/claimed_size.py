"""Refuse images whose header claims more than the file can hold, before they are decoded."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

from geom_miner.errors import MediaError

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
        The file is too short for such an image, or memory is.
    """
    width, height = size
    claimed, held = width * height * bytes_per_pixel, path.stat().st_size
    what = f"{path} claims {width:,} x {height:,} pixels"
    most = _MOST_PER_BYTE.get(file_format)
    if width < 1 or height < 1:
        raise MediaError(f"{what}; it is damaged, copy or export the image again")
    if most and claimed > most * (held + _OVERHEAD):
        raise MediaError(
            f"{what}, {_amount(claimed)}, and its {held:,} bytes cannot hold them; it is damaged, "
            "copy or export the image again"
        )
    needed, available = claimed + width * height * channels * _FLOAT_BYTES, available_memory()
    if available is not None and needed > available:
        raise MediaError(
            f"{what}, which take {_amount(needed)} of memory, and {_amount(available)} are "
            "available; cut it into parts, or scale it down"
        )


def available_memory() -> int | None:
    """Bytes that this process can still allocate without swapping; None if it cannot be known."""
    return min(_limits(), default=None)


def _limits() -> Iterator[int]:
    """Bytes left by each of the limits that are known: the machine's, the container's, its own."""
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
    group = Path("/sys/fs/cgroup")
    most, used = _lines(group / "memory.max"), _lines(group / "memory.current")
    if most and used and most[0].isdigit():
        yield int(most[0]) - int(used[0])
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _lines("/proc/self/statm")
    if address_space != resource.RLIM_INFINITY and pages:
        yield address_space - int(pages[0].split()[0]) * resource.getpagesize()


def _lines(path: Path | str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _amount(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
