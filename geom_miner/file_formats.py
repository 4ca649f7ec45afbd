"""Collect tables of file formats by suffix from the modules of a package.

Each module of such a package reads or writes one kind of file and lists its functions in dicts by
suffix. A new format is a new module; nothing else names it.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any


def collect_formats(package: str, table: str) -> dict[str, Any]:
    """Merge the dicts named ``table`` of all modules in a package, in the modules' order by name.

    Raises
    ------
    ValueError
        Two modules list the same suffix.
    """
    merged: dict[str, Any] = {}
    for info in pkgutil.iter_modules(import_module(package).__path__):
        entries = getattr(import_module(f"{package}.{info.name}"), table, {})
        repeated = sorted(merged.keys() & entries.keys())
        if repeated:
            raise ValueError(
                f"{table} of {package} must list every suffix once, got {', '.join(repeated)} "
                f"again in {info.name}"
            )
        merged.update(entries)
    return merged
