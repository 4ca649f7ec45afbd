"""Every method that turns points, a mesh or a grid into a surface, behind one protocol."""

from __future__ import annotations

from eval.methods.protocol import (
    Budget,
    Contours,
    GridSignal,
    Method,
    MethodPreset,
    Options,
    Reconstruction,
    Source,
    SourceKind,
    Timings,
    kind_of,
)
from eval.methods.registry import METHODS, check_preset, check_request, find_method

__all__ = [
    "METHODS",
    "Budget",
    "Contours",
    "GridSignal",
    "Method",
    "MethodPreset",
    "Options",
    "Reconstruction",
    "Source",
    "SourceKind",
    "Timings",
    "check_preset",
    "check_request",
    "find_method",
    "kind_of",
]
