"""The methods by name, each loaded when it is asked for."""

from __future__ import annotations

import importlib

from eval.errors import MethodError
from eval.methods.protocol import Method

METHODS: dict[str, tuple[str, str]] = {
    "miner": ("eval.methods.miner", "MINER"),
    "poisson": ("eval.methods.poisson", "POISSON"),
    "igr": ("eval.methods.igr", "IGR"),
    "phase": ("eval.methods.phase", "PHASE"),
    "phase-ff": ("eval.methods.phase", "PHASE_FF"),
}
"""Module and object of each method by its name, which commands and configurations give."""


def find_method(name: str) -> Method:
    """The method of that name.

    Raises
    ------
    MethodError
        There is none.
    """
    if name not in METHODS:
        raise MethodError(f"method must be one of {', '.join(METHODS)}, got {name!r}")
    module, attribute = METHODS[name]
    method: Method = getattr(importlib.import_module(module), attribute)
    return method
