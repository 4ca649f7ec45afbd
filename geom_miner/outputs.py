"""What may be written where: an input is never overwritten, and a foreign file only on demand.

Files carry the name of this program, ``MADE_BY``, wherever their format has a place for it, so that
a later run can tell its own files from those of others.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
import stat
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from geom_miner import __version__
from geom_miner.errors import GeomMinerError, SettingsError
from geom_miner.scratch_files import scratch_folder

MADE_BY = f"geom_miner {__version__}"
"""What a file says about who wrote it."""

StrPath = str | os.PathLike[str]

# The same of any version, and how many bytes at either end of a file are searched for it: headers
# of meshes and pictures are shorter, the comment of a ZIP archive is its last bytes.
_MADE_BY_ANY = re.compile(rb"geom_miner \d+\.\d")
_HEAD, _TAIL = 4096, 512
_IRREGULAR = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode), "a device"),
)


def check_output(
    path: StrPath,
    error: type[GeomMinerError] = SettingsError,
    *,
    inputs: Iterable[StrPath] = (),
    suffixes: tuple[str, ...] = (),
    signature: bytes = b"",
    parts: tuple[str, ...] = (),
    force: bool = False,
) -> None:
    """Refuse an output before any work is done for it, if writing it would destroy something.

    An output that does not exist yet, is empty, or was written by this program is accepted.

    Parameters
    ----------
    error : type of the exception that refuses.
    inputs : files that the command reads. None of them may be the output, by whatever name.
    suffixes : in lower case, one of which the name must have; "" stands for none at all. Empty
        accepts every name.
    signature : first bytes by which files of this kind are known, where others do not count.
    parts : what the output holds if its format is a folder; the first of them says who wrote it.
    force : accept a file that another program wrote.

    Raises
    ------
    error
        The output is one of the inputs or holds it, is no regular file, lies in a folder that does
        not exist, has the suffix of another kind of file, or belongs to another program.
    """
    path = Path(path)
    check_suffix(path, error, suffixes)
    if not path.absolute().parent.is_dir():
        raise error(f"cannot write {path}: its folder does not exist; make it")
    for source in inputs:
        if is_same_file(path, source):
            raise error(f"cannot write {path}: it is the input {source}; choose another name")
        if parts and lies_in(source, path):
            raise error(f"cannot write {path}: it holds the input {source}; choose another name")
    refuse_irregular(path, error, folder=bool(parts))
    if not force and not _is_replaceable(path, signature, parts):
        raise error(
            f"cannot write {path}: it exists and nothing in it says that geom_miner wrote it; "
            "choose another name, or replace it with --force"
        )


@contextlib.contextmanager
def equal_or_new(path: StrPath, error: type[GeomMinerError], *, force: bool) -> Iterator[Path]:
    """Where to write a file whose format has no place for ``MADE_BY``, such as NPY.

    If a file of the name is there and ``force`` is not given, the new one is written beside it and
    compared: equal bytes replace nothing, others are refused.

    Raises
    ------
    error
        A file of other content is there.
    """
    path = Path(path)
    if force or _is_replaceable(path, b"", ()):
        yield path
        return
    with scratch_folder(path) as folder:
        yield folder / path.name
        if not filecmp.cmp(folder / path.name, path, shallow=False):
            raise error(
                f"cannot write {path}: it exists with other content, and files of this format do "
                "not say who wrote them; choose another name, or replace it with --force"
            )


def refuse_irregular(path: Path, error: type[GeomMinerError], *, folder: bool = False) -> None:
    """Refuse what a rename would replace although it is no file (``folder``: no folder).

    Raises
    ------
    error
        The path is a symbolic link, a pipe, a socket, a device, or a folder (a file).
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode):
        return
    kind = next((kind for is_kind, kind in _IRREGULAR if is_kind(mode)), "a file")
    remedy = "name a file in it" if kind == "a folder" else "choose another name"
    raise error(f"cannot write {path}: it is {kind}; {remedy}")


def is_same_file(output: StrPath, source: StrPath) -> bool:
    """Whether two names lead to one file: by a link, or differing in the case of letters only.

    Names that differ in case are one file on some systems, so they count as one on all.
    """
    with contextlib.suppress(OSError):
        if os.path.samefile(output, source):
            return True
    output = Path(output).absolute()
    for candidate in (Path(source).absolute(), Path(source).resolve()):
        with contextlib.suppress(OSError):
            same_folder = os.path.samefile(output.parent, candidate.parent)
            if same_folder and _folded(output.name) == _folded(candidate.name):
                return True
    return False


def lies_in(path: StrPath, folder: StrPath) -> bool:
    """Whether a file or folder is a folder or lies in it, links followed."""
    whole = Path(folder).resolve()
    return Path(path).resolve().is_relative_to(whole) or Path(path).absolute().is_relative_to(
        Path(folder).absolute()
    )


def written_here(path: Path, signature: bytes = b"") -> bool:
    """Whether a file begins with a signature; or without one, says that this program wrote it."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        tail = file.read()
    if signature:
        return head.startswith(signature)
    return any(map(_MADE_BY_ANY.search, (head, tail)))


def sign_archive(stream: IO[bytes]) -> None:
    """Write ``MADE_BY`` into a ZIP archive, as its comment."""
    with zipfile.ZipFile(stream, "a") as archive:
        archive.comment = MADE_BY.encode()


def check_suffix(path: Path, error: type[GeomMinerError], suffixes: tuple[str, ...]) -> None:
    """Refuse an output whose suffix belongs to another kind of file; see ``check_output``."""
    if suffixes and path.suffix.lower() not in suffixes:
        named = [suffix for suffix in suffixes if suffix]
        rule = f"one of {', '.join(named)}" if len(named) > 1 else named[0]
        raise error(f"output must end in {rule}, got {path}; choose another name")


def _is_replaceable(path: Path, signature: bytes, parts: tuple[str, ...]) -> bool:
    """Whether nothing of another program is lost with a file or folder."""
    if not os.path.lexists(path):
        return True
    try:
        if not parts:
            return path.stat().st_size == 0 or written_here(path, signature)
        names = set(os.listdir(path))
        return not names or (names <= set(parts) and written_here(path / parts[0]))
    except OSError:
        return False


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
