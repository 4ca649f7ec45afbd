"""Scratch files and folders: made exclusively, locked while in use, removed once abandoned.

A scratch file lies beside its destination under a hidden name with a random part. Its writer holds
a lock on it, which the system releases even when the writer is killed: a scratch file without a
lock is abandoned, and the next writer in that folder removes it. Where the file system has no
locks, nothing is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from geom_miner.errors import GeomMinerError

_NAME = re.compile(r"\.(?P<target>.+)\.geom_miner-[0-9a-f]{8}\.(?:part|old)")
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_EXISTING = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Permissions of a new file, before the user's mask.
_MODE = 0o666


@contextlib.contextmanager
def scratch_file(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new, empty, locked file beside ``path``, and a stream into it, to write and to read.

    It is removed at the end if it still has its name. Abandoned ones of that folder go first.
    """
    remove_abandoned(path.parent)
    scratch, descriptor = _new_scratch(path)
    # A descriptor of its own keeps the lock when the stream is closed.
    lock = os.dup(descriptor)
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            yield scratch, stream
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        os.close(lock)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A new, empty, locked folder beside ``path``, which is removed at the end.

    Abandoned ones of that folder go first.
    """
    remove_abandoned(path.parent)
    scratch = scratch_name(path)
    scratch.mkdir()
    with locked(scratch):
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def scratch_name(path: Path, ending: str = "part") -> Path:
    """A hidden name beside ``path`` that nothing else has."""
    return path.with_name(f".{path.name}.geom_miner-{secrets.token_hex(4)}.{ending}")


def remove_abandoned(folder: Path) -> None:
    """Remove the scratch files and folders that killed processes have left in a folder.

    A folder that was set aside while another took its place is put back if none did.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if found := _NAME.fullmatch(name):
            with contextlib.suppress(OSError):
                _remove_if_abandoned(folder / name, folder / found["target"])


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    Raises
    ------
    BlockingIOError
        Another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def open_unfinished(path: Path, signature: bytes, error: type[GeomMinerError]) -> IO[bytes]:
    """Open a file to append to, which a killed run may have left; make it if there is none.

    The stream holds the file's lock. What is there is not changed.

    Parameters
    ----------
    signature : first bytes of such files; a file that begins otherwise is another program's.

    Raises
    ------
    error
        Another run is writing the file; or it is no regular file, has a second name, or does not
        begin with the signature.
    OSError
        It cannot be opened.
    """
    while True:
        descriptor = _open_or_make(path, signature, error)
        try:
            _lock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise error(
                f"another fit is writing {path}; wait for it, or choose another output"
            ) from None
        # The run that held the lock may just have given the file its final name.
        if _leads_to(path, descriptor):
            return os.fdopen(descriptor, "ab")
        os.close(descriptor)


def check_unfinished(path: Path, signature: bytes, error: type[GeomMinerError]) -> None:
    """Refuse early what ``open_unfinished`` would refuse, but for the lock; change nothing.

    Raises
    ------
    error
        See ``open_unfinished``; or the file cannot be opened.
    """
    if not os.path.lexists(path):
        return
    try:
        os.close(_open_existing(path, signature, error))
    except OSError as reason:
        raise error(
            f"cannot write {path}: {reason.strerror}; remove it, or choose another output"
        ) from reason


def _open_or_make(path: Path, signature: bytes, error: type[GeomMinerError]) -> int:
    with contextlib.suppress(FileExistsError):
        return os.open(path, _NEW | os.O_APPEND, _MODE)
    return _open_existing(path, signature, error)


def _open_existing(path: Path, signature: bytes, error: type[GeomMinerError]) -> int:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise error(f"{path} is a link, or no regular file; remove it, or choose another output")
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | _EXISTING)
    head = os.pread(descriptor, len(signature), 0)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not signature.startswith(head):
        os.close(descriptor)
        raise error(
            f"{path} is where an unfinished model would lie and it is none; rename it, or choose "
            "another output"
        )
    return descriptor


def _new_scratch(path: Path) -> tuple[Path, int]:
    while True:
        scratch = scratch_name(path)
        descriptor = os.open(scratch, _NEW, _MODE)
        with contextlib.suppress(BlockingIOError):
            _lock(descriptor)
            if _leads_to(scratch, descriptor):
                return scratch, descriptor
        # Between its making and its locking another process took it for abandoned.
        os.close(descriptor)


def _remove_if_abandoned(scratch: Path, target: Path) -> None:
    descriptor = os.open(scratch, os.O_RDONLY | _EXISTING)
    try:
        _lock(descriptor, or_fail=True)
        if not _leads_to(scratch, descriptor):
            return
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if scratch.suffix == ".old" and not os.path.lexists(target):
            scratch.rename(target)
        elif is_folder:
            shutil.rmtree(scratch)
        else:
            scratch.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, or_fail: bool = False) -> None:
    """Take the lock of an open file or folder, or raise ``BlockingIOError``.

    A file system without locks is an error only if ``or_fail``.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        if or_fail:
            raise


def _leads_to(path: Path, descriptor: int) -> bool:
    """Whether a name still leads to an open file."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))
