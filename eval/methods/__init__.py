"""Every method that turns points, a mesh or a grid into a surface, behind one protocol."""

from __future__ import annotations

from eval.methods.protocol import (
    Budget,
    Contours,
    Grid,
    Method,
    Options,
    Reconstruction,
    Source,
    Timings,
    kind_of,
)
from eval.methods.registry import METHODS, find_method

__all__ = [
    "METHODS",
    "Budget",
    "Contours",
    "Grid",
    "Method",
    "Options",
    "Reconstruction",
    "Source",
    "Timings",
    "find_method",
    "kind_of",
]
