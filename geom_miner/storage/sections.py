"""A file of checksummed sections, written one after another and readable up to any of them.

Layout, all integers little-endian::

    8 bytes   signature  89 'MINER' 0D 0A   (a text-mode transfer breaks it visibly)
    4 bytes   format version, unsigned
    then sections until the end of the file:
    8 bytes   tag, ASCII, padded with spaces
    8 bytes   length of the payload, unsigned
    payload
    checksum  first bytes of the SHA-256 of tag, length and payload: 32 in version 1, 8 in version 2

A section that is not whole is as good as absent, so an interrupted writer loses at most the
section it was writing.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from geom_miner.errors import ModelFileError
from geom_miner.file_kinds import KINDS, describe_wrong_kind, kind_of_file

SIGNATURE = b"\x89MINER\r\n"
# Bytes of a section's checksum, by the format version. Block MLPs are written as version 1, which
# every release reads; cosine blocks as version 2, whose overhead is small beside theirs.
DIGESTS = {1: 32, 2: 8}
_PREFIX = struct.Struct("<8sQ")


@dataclass(frozen=True)
class Section:
    """One whole section: its tag, its payload, the file offset just behind it, the version."""

    tag: str
    payload: bytes
    end: int
    version: int


def begin(file: IO[bytes], version: int = 1) -> None:
    """Write signature and version."""
    file.write(SIGNATURE + struct.pack("<I", version))


def append(file: IO[bytes], tag: str, payload: bytes, version: int = 1) -> None:
    """Write one section and hand it to the disk, so that a kill right after loses nothing."""
    prefix = _PREFIX.pack(tag.encode("ascii").ljust(8), len(payload))
    file.write(prefix + payload + _digest(prefix + payload, version))
    file.flush()
    os.fsync(file.fileno())


def walk(path: Path) -> Iterator[Section]:
    """Yield the whole sections of a file in order; stop silently where the file is cut.

    Raises
    ------
    ModelFileError
        The file is missing, empty, foreign, of a newer version, or a checksum does not hold.
    """
    try:
        size = path.stat().st_size
        file = path.open("rb")
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise ModelFileError(f"cannot read {path}: {reason}; check the path") from error
    with file:
        version = _check_start(path, file, size)
        while True:
            prefix = file.read(_PREFIX.size)
            if len(prefix) < _PREFIX.size:
                return
            tag, length = _PREFIX.unpack(prefix)
            if file.tell() + length + DIGESTS[version] > size:
                return
            payload = file.read(length)
            if _digest(prefix + payload, version) != file.read(DIGESTS[version]):
                raise ModelFileError(
                    f"{path} is damaged (a checksum does not hold near byte {file.tell()}); "
                    "copy it again or fit it anew"
                )
            yield Section(tag.decode("ascii", "replace").strip(), payload, file.tell(), version)


def _digest(contents: bytes, version: int) -> bytes:
    return hashlib.sha256(contents).digest()[: DIGESTS[version]]


def _check_start(path: Path, file: IO[bytes], size: int) -> int:
    """The format version."""
    if size == 0:
        raise ModelFileError(f"{path} is empty; copy it again or fit it anew")
    if file.read(len(SIGNATURE)) != SIGNATURE:
        if kind_of_file(path) in (None, "model"):
            raise ModelFileError(f"{path} is not a geom_miner model; fit one with `geom-miner fit`")
        raise ModelFileError(describe_wrong_kind(path, {"model": KINDS["model"]}))
    version = file.read(4)
    if len(version) < 4:
        raise ModelFileError(f"{path} is cut short in its first bytes; copy it again")
    (number,) = struct.unpack("<I", version)
    if number not in DIGESTS:
        raise ModelFileError(
            f"{path} has format version {number}, this program reads up to version {max(DIGESTS)}; "
            "use the geom_miner release that wrote it or a newer one"
        )
    return int(number)
