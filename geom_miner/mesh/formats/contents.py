"""The bytes of a mesh file: mapped into memory, or decompressed within a limit."""

from __future__ import annotations

import gzip
import mmap
import os
import zlib
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError

GZIP_SUFFIX = ".gz"
"""Behind the suffix of any mesh format: the file is compressed with gzip."""

Bytes = bytes | mmap.mmap

# A compressed file may unpack to this many bytes (256 MiB) whatever its size, and to this many
# times its own size. Meshes shrink to a fifth or a tenth, regular ones in text to a fiftieth; a
# file made to exhaust memory shrinks to a thousandth.
_MOST_UNPACKED = 1 << 28
_MOST_RATIO = 100
_SLAB = 1 << 22


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes: ...


def file_bytes(path: Path) -> Bytes:
    """A file's bytes, decompressed if its name ends in ``.gz``.

    Other files are mapped into memory: only pages that are read take memory.

    Raises
    ------
    MeshError
        A compressed file is damaged, cut short, or unpacks to more than the limit.
    OSError
        The file cannot be opened.
    """
    with open(path, "rb") as stream:
        # An empty file cannot be mapped.
        size = stream.seek(0, os.SEEK_END)
        if path.suffix.lower() != GZIP_SUFFIX:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        stream.seek(0)
        try:
            with gzip.GzipFile(fileobj=stream) as unpacked:
                return unpack_within_limit(unpacked, unpacked_limit(size), path)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise MeshError(
                f"{path} is damaged, cut short or not compressed with gzip; copy it again"
            ) from error


def unpacked_limit(packed: int) -> int:
    """Bytes that a compressed file of ``packed`` bytes may unpack to."""
    return max(_MOST_UNPACKED, _MOST_RATIO * packed)


def unpack_within_limit(stream: Readable, limit: int, what: object) -> bytes:
    """All bytes of a stream that decompresses.

    Parameters
    ----------
    what : name for the error.

    Raises
    ------
    MeshError
        There are more bytes than the limit.
    """
    slabs = bytearray()
    while slab := stream.read(_SLAB):
        slabs += slab
        if len(slabs) > limit:
            raise MeshError(
                f"{what} must unpack to at most {limit:,} bytes and holds more; unpack it "
                "yourself if you trust it"
            )
    return bytes(slabs)


def text_array(data: Bytes) -> npt.NDArray[np.uint8]:
    """The bytes of a text, read-only; UTF-16, as some Windows programs write it, becomes UTF-8."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = bytes(data).decode("utf-16", "replace").encode()
    return np.frombuffer(data, np.uint8)
