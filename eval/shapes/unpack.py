"""Unpack one mesh from a downloaded archive that is not trusted."""

from __future__ import annotations

import errno
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, cast

from eval.shapes.download import DownloadError
from geom_miner.mesh import WRITABLE_MESH_SUFFIXES

_CHUNK = 1 << 20
# Most members of an archive, and most bytes of a ZIP file's list of them: a scan comes with a
# readme and a few parts, and a list is in memory as a whole before any size can be counted.
_MOST_MEMBERS = 10_000
_LONGEST_LIST = 4 << 20
_LIST_END, _LONG_LIST_END = b"PK\x05\x06", b"PK\x06\x07"
_LONGEST_END = 22 + 65535
# RuntimeError: zipfile on members with a password or of a compression that it does not know.
_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(EOFError, RuntimeError, ValueError, struct.error),
)


def unpack_mesh(archive: Path, target: Path, *, limit: int) -> None:
    """Write the mesh inside ``archive`` to ``target``; a bare mesh file is moved there.

    The content determines the format: .gz, .tar.gz, .zip or a bare mesh. No name in the archive is
    ever used as the name of a file. The archive stays in place unless it is a bare mesh file.

    Parameters
    ----------
    limit : largest acceptable number of unpacked bytes, of all members together.

    Raises
    ------
    DownloadError
        The archive is damaged, has no mesh, has a name that leads outside, has a link or a
        device, or unpacks to more than ``limit``.
    """
    with archive.open("rb") as file:
        magic = file.read(4)
    try:
        if magic[:2] == b"\x1f\x8b":
            if _is_tar(archive):
                _unpack_tar(archive, target, limit)
            else:
                with gzip.open(archive) as source:
                    _copy(_BoundedStream(source, limit), target)
        elif magic == b"PK\x03\x04":
            _unpack_zip(archive, target, limit)
        else:
            archive.replace(target)
    except DownloadError:
        target.unlink(missing_ok=True)
        raise
    except (*_DAMAGED, OSError) as error:
        # The last two are those of a damaged archive; all others are of the disk.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        target.unlink(missing_ok=True)
        raise DownloadError(f"{archive.name} is damaged or cannot be unpacked ({error})") from None


def _is_tar(archive: Path) -> bool:
    with gzip.open(archive) as source:
        head = source.read(tarfile.BLOCKSIZE)
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


class _BoundedStream:
    """A readable stream that raises an error after ``limit`` bytes."""

    def __init__(self, source: IO[bytes] | gzip.GzipFile, limit: int) -> None:
        self._source, self._limit, self._left = source, limit, limit

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._source.read(_CHUNK if size < 0 else min(size, _CHUNK))
        self._left -= len(chunk)
        if self._left < 0:
            raise DownloadError(
                f"the archive unpacks to more than {self._limit:,} bytes; it is not used"
            )
        return chunk


def _unpack_tar(archive: Path, target: Path, limit: int) -> None:
    has_mesh = False
    with gzip.open(archive) as source:
        bounded = cast("IO[bytes]", _BoundedStream(source, limit))
        with tarfile.open(fileobj=bounded, mode="r|") as tar:
            for number, member in enumerate(tar):
                _refuse_many(archive, number)
                if not (member.isfile() or member.isdir()):
                    raise DownloadError(
                        f"{archive.name} holds {member.name!r}, a link or device; it is not used"
                    )
                _refuse_outside(archive, member.name)
                content = tar.extractfile(member) if _is_mesh(member.name) else None
                if content is not None and not has_mesh:
                    has_mesh = True
                    # A sparse member is longer than what the archive holds of it.
                    _copy(_BoundedStream(content, limit), target)
    if not has_mesh:
        raise DownloadError(f"{archive.name} holds no mesh file")


def _unpack_zip(archive: Path, target: Path, limit: int) -> None:
    _refuse_long_list(archive)
    with zipfile.ZipFile(archive) as pack:
        members = pack.infolist()
        _refuse_many(archive, len(members) - 1)
        for member in members:
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DownloadError(
                    f"{archive.name} holds {member.filename!r}, a link or device; it is not used"
                )
            _refuse_outside(archive, member.filename)
        meshes = [member for member in members if _is_mesh(member.filename)]
        if not meshes:
            raise DownloadError(f"{archive.name} holds no mesh file")
        with pack.open(meshes[0]) as content:
            _copy(_BoundedStream(content, limit), target)


def _refuse_many(archive: Path, number: int) -> None:
    """Refuse the member with this number, counted from 0."""
    if number >= _MOST_MEMBERS:
        raise DownloadError(
            f"{archive.name} holds more than {_MOST_MEMBERS:,} files; it is not used"
        )


def _refuse_long_list(archive: Path) -> None:
    """Refuse a ZIP file whose list of members is too long to be read into memory."""
    with archive.open("rb") as file:
        file.seek(max(0, archive.stat().st_size - _LONGEST_END - 20))
        tail = file.read()
    end = tail.rfind(_LIST_END)
    size = int.from_bytes(tail[end + 12 : end + 16], "little")
    if end >= 0 and (
        size > _LONGEST_LIST or tail[max(0, end - 20) : end].startswith(_LONG_LIST_END)
    ):
        raise DownloadError(f"{archive.name} has too long a list of files; it is not used")


def _refuse_outside(archive: Path, name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[:1]:
        raise DownloadError(
            f"{archive.name} holds {name!r}, a name that leads outside; it is not used"
        )


def _is_mesh(name: str) -> bool:
    """Whether a member is a mesh in one file, as every format is that can be written; not .gltf."""
    path = PurePosixPath(name)
    return path.suffix.lower() in WRITABLE_MESH_SUFFIXES and not path.name.startswith(".")


def _copy(source: IO[bytes] | _BoundedStream, target: Path) -> None:
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
