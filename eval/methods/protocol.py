"""What every method takes and returns: one signature for MINER and for the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.progress import StatusProgress
from geom_miner import SampleGrid, TriangleMesh
from geom_miner.grid import SparseBlocks

SourceKind = Literal["mesh", "grid", "oriented points", "points"]

LOWEST_RESOLUTION = 8


@dataclass(frozen=True)
class GridSignal:
    """A signal on a regular grid: above ``iso_level`` inside, below it outside."""

    blocks: SparseBlocks
    grid: SampleGrid
    iso_level: float = 0.5

    @property
    def ndim(self) -> int:
        return self.grid.ndim


@dataclass(frozen=True)
class Contours:
    """The boundary of a two-dimensional region: closed or open polylines, each (n, 2) float64."""

    lines: tuple[npt.NDArray[np.float64], ...]


Source = TriangleMesh | GridSignal | PointCloud


@dataclass(frozen=True)
class Budget:
    """When to stop: at the first limit reached, or where the preset ends if no limit is set.

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
    """How a method shall work.

    Parameters
    ----------
    preset : name of one of the method's presets.
    budget : when to stop.
    resolution : samples along the longest side of the grid on which the surface is extracted;
        Poisson uses the octree depth with that many cells.
    seed : the same seed, source and budget in steps give the same surface.
    device : where to compute, cpu or cuda.
    checkpoint : file from which an interrupted run continues; None keeps nothing.
    progress : called with the share of the work done and a short status.
    """

    preset: str = "compact"
    budget: Budget = field(default_factory=Budget)
    resolution: int = 256
    seed: int = 0
    device: str = "cpu"
    checkpoint: Path | None = None
    progress: StatusProgress | None = None

    def __post_init__(self) -> None:
        if self.resolution < LOWEST_RESOLUTION:
            raise MethodError(
                f"resolution must be at least {LOWEST_RESOLUTION}, got {self.resolution}"
            )
        if self.device not in ("cpu", "cuda"):
            raise MethodError(f"device must be cpu or cuda, got {self.device!r}")


@dataclass(frozen=True)
class Timings:
    """Wall-clock seconds of the parts of a reconstruction."""

    prepare: float
    """Turning the source into what is optimized: normalizing, voxelizing, neighbor searches."""
    fit: float
    """Optimizing or solving."""
    mesh: float
    """Extracting the surface."""

    @property
    def total(self) -> float:
        return self.prepare + self.fit + self.mesh


@dataclass(frozen=True)
class Reconstruction:
    """What a method returns.

    Parameters
    ----------
    surface : in the source's coordinates; triangles face outward.
    timings : seconds of its parts.
    peak_rss_bytes : largest resident memory of the process that computed it.
    parameters : numbers that the method stores for this shape; None if it stores a mesh only.
    bytes : size of the method's own file, or of the mesh as binary PLY if it has no other form.
    steps : optimizer steps done; None for methods that solve directly.
    notes : whole sentences that a reader of the figures has to know.
    """

    surface: TriangleMesh | Contours
    timings: Timings
    peak_rss_bytes: int
    parameters: int | None
    bytes: int
    steps: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MethodPreset:
    """One way to run a method; each method adds its own settings.

    Parameters
    ----------
    summary : what the preset is for, in a few words.
    """

    summary: str


class Method(Protocol):
    """A way from a source to a surface."""

    @property
    def name(self) -> str:
        """As the command line and tables have it."""

    @property
    def title(self) -> str:
        """As a report prints it, with its paper."""

    @property
    def takes(self) -> frozenset[SourceKind]:
        """Kinds of sources it can use; what takes points also takes oriented points."""

    @property
    def presets(self) -> Mapping[str, MethodPreset]:
        """Its presets by name, the default one first."""

    @property
    def dimensions(self) -> tuple[int, ...]:
        """Dimensions of the sources it can use."""

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        """Turn the source into a surface.

        Raises
        ------
        MethodError
            The method cannot use the source, has no such preset, or found no surface.
        """


def kind_of(source: Source) -> SourceKind:
    """The kind of a source; a cloud with normals is "oriented points"."""
    if isinstance(source, TriangleMesh):
        return "mesh"
    if isinstance(source, GridSignal):
        return "grid"
    return "points" if source.normals is None else "oriented points"


def ndim_of(source: Source) -> int:
    """Dimensions of the space in which a source lies."""
    return 3 if isinstance(source, TriangleMesh) else source.ndim
