"""Parsing amounts of memory such as 4GB."""

from __future__ import annotations

import re

from geom_miner.errors import SettingsError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


def parse_memory(text: str) -> int:
    """Bytes of ``4GB``, ``500 MB`` or ``2GiB``.

    Raises
    ------
    SettingsError
        It is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?I?)B?", text.strip().upper())
    if not found or found[2] not in _UNITS:
        raise SettingsError(f"memory must be an amount such as 4GB or 500MB, got {text!r}")
    return int(float(found[1]) * _UNITS[found[2]])
