"""Keeps compiled code on disk no longer than the sources that it was made of."""

from __future__ import annotations

import hashlib
from pathlib import Path


def drop_if_stale(folder: Path, *sources: str) -> bool:
    """Delete the cache files of Numba for some sources if one of them has changed.

    Numba compares only the date of the file that a function stands in. Compiled code also holds
    what it calls from other files, and cannot be loaded where a type of its arguments is gone.

    Parameters
    ----------
    folder : of the sources.
    sources : names of files whose compiled functions call each other.

    Returns
    -------
    True if something was stale. A folder that cannot be written is left alone: Numba then keeps
    its files elsewhere, under the installation's own path and date.
    """
    digest = hashlib.sha256()
    for name in sources:
        digest.update((folder / name).read_bytes())
    stamp = folder / "__pycache__" / f"{Path(sources[0]).stem}.sources.sha256"
    try:
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return False
        for name in sources:
            for suffix in ("nbi", "nbc"):
                for old in stamp.parent.glob(f"{Path(name).stem}.*.{suffix}"):
                    old.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(digest.hexdigest())
    except OSError:
        return False
    return True
