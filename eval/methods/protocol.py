"""What a method takes and gives, whatever it is: one signature for ours and for every rival."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from geom_miner import SampleGrid, TriangleMesh
from geom_miner.grid import SparseBlocks

Kind = Literal["mesh", "grid", "oriented points", "points"]


@dataclass(frozen=True)
class Grid:
    """A signal on a regular grid: more inside than the level, less outside."""

    blocks: SparseBlocks
    grid: SampleGrid
    level: float = 0.5


@dataclass(frozen=True)
class Contours:
    """A surface of two dimensions: closed or open polylines, each (n, 2) float64."""

    lines: tuple[npt.NDArray[np.float64], ...]


Source = TriangleMesh | Grid | PointCloud


@dataclass(frozen=True)
class Budget:
    """When to stop; without either the preset's own end holds, and whichever comes first.

    Parameters
    ----------
    seconds : wall-clock seconds of optimization, meshing not included.
    steps : optimizer steps.
    """

    seconds: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise MethodError(f"seconds must be positive and finite, got {self.seconds}")
        if self.steps is not None and self.steps < 1:
            raise MethodError(f"steps must be at least 1, got {self.steps}")


@dataclass(frozen=True)
class Options:
    """How a method is asked to work.

    Parameters
    ----------
    preset : name of one of the method's presets.
    budget : when to stop.
    resolution : samples along the longest side of the grid on which the surface is cut out; for
        Poisson the depth that gives as many.
    seed : the same seed, source and budget in steps give the same surface.
    device : where to compute, cpu or cuda.
    checkpoint : file from which an interrupted run goes on; None keeps nothing.
    progress : called with the share done, in (0, 1], and a few words on the state.
    """

    preset: str = "compact"
    budget: Budget = field(default_factory=Budget)
    resolution: int = 256
    seed: int = 0
    device: str = "cpu"
    checkpoint: Path | None = None
    progress: Callable[[float, str], None] | None = None


@dataclass(frozen=True)
class Timings:
    """Wall-clock seconds of the parts of a reconstruction."""

    prepare: float
    """Reading the source into what is optimized: normalizing, voxelizing, neighbors."""
    fit: float
    """Optimizing or solving."""
    mesh: float
    """Cutting out the surface."""

    @property
    def total(self) -> float:
        return self.prepare + self.fit + self.mesh


@dataclass(frozen=True)
class Reconstruction:
    """What a method gives back.

    Parameters
    ----------
    surface : in the source's own coordinates; triangles face outward.
    timings : see there.
    peak_rss_bytes : largest resident memory of the process that did it.
    parameters : numbers the method stores for this shape; None where that says nothing.
    bytes : of the method's own file, or of the mesh as binary PLY where it has no other form.
    steps : optimizer steps done, None for methods that solve directly.
    notes : whatever a reader of the figures has to know, whole sentences.
    """

    surface: TriangleMesh | Contours
    timings: Timings
    peak_rss_bytes: int
    parameters: int | None
    bytes: int
    steps: int | None = None
    notes: tuple[str, ...] = ()


class Method(Protocol):
    """A way from a source to a surface.

    Attributes
    ----------
    name : as the command line and tables have it.
    title : as a report prints it, with its paper.
    takes : kinds of sources it can use; a cloud with normals is also one without.
    presets : names, the first one the default, each with a sentence.
    dimensions : of the sources it can use.
    """

    name: str
    title: str
    takes: frozenset[Kind]
    presets: dict[str, str]
    dimensions: tuple[int, ...]

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        """Turn the source into a surface.

        Raises
        ------
        MethodError
            The source is of a kind, the preset of a name it doesn't know, or no surface came out.
        """
        ...


def kind_of(source: Source) -> Kind:
    """The kind of a source; a cloud with normals is "oriented points"."""
    if isinstance(source, TriangleMesh):
        return "mesh"
    if isinstance(source, Grid):
        return "grid"
    return "points" if source.normals is None else "oriented points"
