"""Where compiled code is kept, and that it is kept no longer than the sources it was made of.

Every module takes ``njit`` from here. Numba keeps compiled code beside the sources, or in the home
folder where that cannot be written. Where neither can be, as with another user's home folder and an
installed package, a private folder below the system's temporary one takes it.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import stat
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import caching

_LOG = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])


def njit(*, cache: bool = False, **options: Any) -> Callable[[Function], Function]:
    """``numba.njit``, whose compiled code is kept in a folder that can be written, if there is one.

    Parameters
    ----------
    cache : whether to keep it.
    """

    def compiled(function: Function) -> Function:
        kept = cache and can_cache(inspect.getfile(function))
        made: Function = numba.njit(cache=kept, **options)(function)
        return made

    return compiled


@cache
def can_cache(source: str) -> bool:
    """Whether Numba finds a folder for the compiled code of a source; one is made if need be."""
    return _folder(source) is not None or _use_private_folder()


@cache
def _use_private_folder() -> bool:
    """Let Numba keep everything in a private folder; says where, or that there is none."""
    folder = private_folder()
    if folder is None:
        _LOG.warning(
            "no folder can be written to keep compiled code in, so it is compiled in every run; "
            "set NUMBA_CACHE_DIR to a folder of yours"
        )
        return False
    _LOG.warning(
        "compiled code is kept in %s, since neither the package's folder nor the home folder can "
        "be written; set NUMBA_CACHE_DIR to choose another",
        folder,
    )
    # For this process, and for those that it starts.
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    setattr(numba.config, "CACHE_DIR", str(folder))  # noqa: B010 (it has no declaration)
    return True


def private_folder() -> Path | None:
    """A folder below the system's temporary one that only this user can read and write.

    Compiled code is run as it is found. So a folder that somebody else may have made, a link, and
    one that others can write are not taken.

    Returns
    -------
    None if there is none and none can be made.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f"geom_miner-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if not private or stat.S_IMODE(found.st_mode) & 0o077:
            return None
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None
    return folder


def drop_if_stale(folder: Path, *sources: str) -> bool:
    """Delete the cache files of Numba for some sources if one of them has changed.

    Numba compares only the file that a function stands in. Compiled code also holds what it calls
    from other files, and cannot be loaded where a type of its arguments is gone.

    Parameters
    ----------
    folder : of the sources.
    sources : names of files whose compiled functions call each other.

    Returns
    -------
    True if something was stale. A folder that cannot be written is left alone: Numba does not use
    it either.
    """
    first = str(folder / sources[0])
    kept = (_folder(first) if can_cache(first) else None) or folder / "__pycache__"
    digest = hashlib.sha256()
    for name in sources:
        digest.update((folder / name).read_bytes())
    stamp = kept / f"{Path(sources[0]).stem}.sources.sha256"
    try:
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return False
        for name in sources:
            for suffix in ("nbi", "nbc"):
                for old in kept.glob(f"{Path(name).stem}.*.{suffix}"):
                    old.unlink(missing_ok=True)
        kept.mkdir(exist_ok=True)
        stamp.write_text(digest.hexdigest())
    except OSError:
        return False
    return True


def _folder(source: str) -> Path | None:
    """The folder in which Numba keeps what it compiles of a source; None if it finds none."""
    locators: list[Any] = caching.CacheImpl._locator_classes
    for locator in locators:
        try:
            found = locator.from_function(private_folder, source)
        except (OSError, TypeError, ImportError):
            continue
        if found is not None:
            return Path(found.get_cache_path())
    return None
