"""The folder that keeps downloaded meshes, and the hashes that say they are still the same."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from eval.shapes.download import DownloadError

HASHES = "hashes.json"


def cache_folder() -> Path:
    """GEOM_MINER_CACHE, or geom_miner in the user's cache folder (XDG_CACHE_HOME)."""
    named = os.environ.get("GEOM_MINER_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "geom_miner"


def remember_or_check(path: Path, *, known_as: str | None = None) -> None:
    """Compare a cached file with the SHA-256 remembered for it; remember it at first use.

    Parameters
    ----------
    known_as : name under which the hash is kept, where it differs from the file's.

    Raises
    ------
    DownloadError
        The content is not the one remembered, or ``hashes.json`` cannot be read.
    """
    name = known_as or path.name
    book = path.parent / HASHES
    try:
        hashes = json.loads(book.read_text(encoding="utf-8")) if book.exists() else {}
        if not isinstance(hashes, dict):
            raise TypeError
    except (OSError, ValueError, TypeError):
        raise DownloadError(
            f"{HASHES} in the cache folder cannot be read; delete it to start anew"
        ) from None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if name not in hashes:
        hashes[name] = digest
        draft = book.with_name(HASHES + ".part")
        draft.write_text(json.dumps(hashes, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(book)
    elif hashes[name] != digest:
        raise DownloadError(
            f"{name} is not the file that was first downloaded (SHA-256 {digest[:12]}..., "
            f"remembered {str(hashes[name])[:12]}...); if you trust the new one delete its line "
            f"in {HASHES} in the cache folder, otherwise delete {name} there and run again"
        )
