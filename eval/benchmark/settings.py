"""What a batch runs: shapes, method entries and budgets, read strictly from a YAML file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, ClassVar, Literal

from eval.methods.protocol import Budget
from eval.runs.config_file import INHERITS
from geom_miner.constraints import Range, check_fields
from geom_miner.errors import SettingsError


@dataclass(frozen=True)
class PointSampling:
    """How points are drawn on a mesh for methods that take points.

    Parameters
    ----------
    count : points, uniform in area.
    noise : standard deviation added to each coordinate, as a share of the bounding box's
        diagonal; normals stay those of the triangles.
    seed : of the drawing; all entries with the same sampling get the same points.
    """

    count: Annotated[int, Range(1, 10**9)] = 200_000
    noise: Annotated[float, Range(0, 10)] = 0.0
    seed: Annotated[int, Range(at_least=0, below=1 << 63)] = 0

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class ViewChanges:
    """Settings of the view in which they differ from the shape's own; see ``View``."""

    azimuth: float | None = None
    elevation: float | None = None
    up: Literal["y", "z"] | None = None


@dataclass(frozen=True)
class ShapeEntry:
    """One line under ``shapes``; exactly one of shape, folder, cloud and clouds is given.

    Parameters
    ----------
    shape : a mesh by name or path.
    folder : every mesh of a folder; "" takes the folders that the data variable names.
    cloud : a point cloud by name or path, which is its own reference, since there is no mesh.
    clouds : every point cloud of a folder.
    instead : names or paths. If only a stand-in for the shape is available, the first of these
        that is available runs beside it, under its own name.
    character : sharp for engines and other parts with edges, scan for statues; the claims about
        shapes are tested by it.
    view : of the pictures.
    """

    SHORTHAND: ClassVar = "shape"

    shape: str | None = None
    folder: str | None = None
    cloud: str | None = None
    clouds: str | None = None
    instead: tuple[str, ...] = ()
    character: Literal["sharp", "scan", ""] = ""
    view: ViewChanges = ViewChanges()

    def __post_init__(self) -> None:
        given = [self.shape, self.folder, self.cloud, self.clouds]
        if sum(value is not None for value in given) != 1:
            raise SettingsError("an entry of shapes is one of shape, folder, cloud and clouds")


@dataclass(frozen=True)
class Entry:
    """A method as it is run: its preset, its input, how long it may take.

    Parameters
    ----------
    method : its name, or ``package.module:NAME`` for a method of one's own.
    label : its name in tables, unique in the run; by default the method and what is special.
    preset : "" is the method's first.
    input : the mesh itself, or points drawn on it; a cloud has only its points.
    points : how they are drawn.
    ignore_normals : leave the normals of the points out.
    budgets : of optimization; an empty list leaves the preset its own end.
    seeds : one run each.
    resolution : samples along the longest side of the grid from which the surface is extracted.
    """

    SHORTHAND: ClassVar = "method"

    method: str
    label: str = ""
    preset: str = ""
    input: Literal["mesh", "points"] = "points"
    points: PointSampling = PointSampling()
    ignore_normals: bool = False
    budgets: tuple[Budget, ...] = (Budget(),)
    seeds: tuple[Annotated[int, Range(at_least=0, below=1 << 63)], ...] = (0,)
    resolution: Annotated[int, Range(8, 1 << 15)] = 256

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.seeds:
            raise SettingsError("seeds must name one number at least, got none")
        object.__setattr__(self, "label", self.label or self._default_label())
        object.__setattr__(self, "budgets", self.budgets or (Budget(),))

    @property
    def input_kind(self) -> str:
        """The kind of its input; only entries with the same kind of input compete."""
        if self.input == "mesh":
            return "the mesh"
        return "points without normals" if self.ignore_normals else "points"

    def _default_label(self) -> str:
        parts = [self.method.rpartition(":")[2], self.preset]
        parts += ["from the mesh"] * (self.input == "mesh") + ["no normals"] * self.ignore_normals
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class BatchRun:
    """Methods by shapes by budgets, and how their results are evaluated."""

    shapes: tuple[ShapeEntry, ...]
    """Names, paths, or mappings; see ``ShapeEntry``."""
    methods: tuple[Entry, ...] = field(
        metadata={INHERITS: ("budgets", "points", "seeds", "resolution")}
    )
    """Names or mappings; see ``Entry``."""
    title: str = "Surface reconstruction, side by side"
    """Of the report."""
    budgets: tuple[Budget, ...] = ()
    """``seconds: ...`` or ``steps: ...`` for every entry of the file that has none of its own."""
    points: PointSampling = PointSampling()
    """How points are drawn on meshes, for entries of the file that do not say."""
    seeds: tuple[Annotated[int, Range(at_least=0, below=1 << 63)], ...] = (0,)
    """Seeds of the methods, for entries of the file that do not say."""
    resolution: Annotated[int, Range(8, 1 << 15)] = 256
    """Samples along the longest side of the grid from which surfaces are extracted, likewise."""
    samples: Annotated[int, Range(100, 10**9)] = 1_000_000
    """Points on each surface that the measures take."""
    failed_above: Annotated[float, Range(above=0)] = 1.0
    """Distance from the source, in percent of its diagonal, above which a run has failed."""
    timeout: Annotated[float, Range(above=0)] = 900.0
    """Seconds after which a cell is ended."""
    jobs: Annotated[int, Range(1, 1024)] = 1
    """Cells at a time, which share the cores; with more than one, seconds can't be compared."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where methods that can choose compute."""
    published: Literal["none", "srb"] = "none"
    """Published figures to set beside those of the clouds."""
    cloud_folder: str = ""
    """A further folder of point clouds."""
    output: str = "runs/evaluate"
    """Folder to write."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.shapes or not self.methods:
            raise SettingsError("a batch needs shapes and methods; name one of each at least")
        labels = [entry.label for entry in self.methods]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise SettingsError(f"two methods are called {twice!r}; give one a label of its own")


def without_defaults(settings: Any) -> dict[str, Any]:
    """The settings of a dataclass that differ from their defaults, as a dictionary."""
    values = asdict(settings)
    return {
        entry.name: values[entry.name]
        for entry in fields(settings)
        if getattr(settings, entry.name) != entry.default
    }
