"""The folder of downloaded meshes, and the hashes that detect a changed file."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from eval.shapes.download import DownloadError
from geom_miner.atomic_files import new_file

HASHES = "hashes.json"


def cache_folder() -> Path:
    """GEOM_MINER_CACHE, or geom_miner in the user's cache folder (XDG_CACHE_HOME)."""
    folder = os.environ.get("GEOM_MINER_CACHE")
    if folder:
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "geom_miner"


def check_hash(path: Path, *, known_as: str | None = None) -> None:
    """Compare a cached file with its stored SHA-256; store the hash at first use.

    Parameters
    ----------
    known_as : name under which the hash is stored; the default is the file's name.

    Raises
    ------
    DownloadError
        The content has changed, or ``hashes.json`` cannot be read.
    """
    name = known_as or path.name
    hash_file = path.parent / HASHES
    try:
        hashes = json.loads(hash_file.read_text(encoding="utf-8")) if hash_file.exists() else {}
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
        with new_file(hash_file, DownloadError) as file:
            file.write(json.dumps(hashes, indent=2, sort_keys=True).encode() + b"\n")
    elif hashes[name] != digest:
        raise DownloadError(
            f"{name} is not the file that was first downloaded (SHA-256 {digest[:12]}..., "
            f"remembered {str(hashes[name])[:12]}...); if you trust the new one delete its line "
            f"in {HASHES} in the cache folder, otherwise delete {name} there and run again"
        )
