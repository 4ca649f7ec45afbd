"""Methods that need no time: a sphere, and the ways in which methods fail."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from eval.errors import MethodError
from eval.methods.protocol import (
    MethodPreset,
    Options,
    Reconstruction,
    Source,
    SourceKind,
    Timings,
)
from geom_miner import TriangleMesh
from tests.shapes import sphere


@dataclass
class Sphere:
    """A sphere around the source; the error halves with every doubling of the budget."""

    name: str = "sphere"
    title: str = "A sphere (made up)"
    takes: frozenset[SourceKind] = frozenset({"mesh", "oriented points", "points"})
    dimensions: tuple[int, ...] = (3,)
    error: float = 0.02

    def __post_init__(self) -> None:
        self.presets = {"compact": MethodPreset("the only one")}

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        points = source.vertices if isinstance(source, TriangleMesh) else source.points  # type: ignore[union-attr]
        center = (points.min(axis=0) + points.max(axis=0)) / 2
        radius = float(np.linalg.norm(points - center, axis=1).mean())
        seconds = options.budget.seconds or 1.0
        off = self.error / seconds * (1 + 0.1 * options.seed)
        mesh = sphere(radius * (1 + off), center, subdivisions=4)
        return Reconstruction(
            mesh, Timings(0.25, seconds, 0.5), 1 << 28, 1000, 4000, steps=10, notes=("Made up.",)
        )


class Raises(Sphere):
    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        raise MethodError("the normals are missing; estimate them")


class Crashes(Sphere):
    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        os.abort()


class Hangs(Sphere):
    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        time.sleep(3600)
        raise AssertionError


SPHERE = Sphere()
ROUGH = Sphere(error=0.3)
RAISES = Raises()
CRASHES = Crashes()
HANGS = Hangs()
