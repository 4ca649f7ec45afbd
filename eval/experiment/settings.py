"""What a batch runs: shapes, contenders, budgets; read strictly from its YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from eval.methods import Budget
from eval.runs import check_keys, check_types
from geom_miner.errors import SettingsError

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Drawing:
    """How points are drawn on a mesh for methods that take points.

    Parameters
    ----------
    count : points, uniform in area.
    noise : standard deviation added to each coordinate, as a share of the bounding box's
        diagonal; normals stay those of the triangles.
    seed : of the drawing; all contenders with the same drawing get the same points.
    """

    count: int = 200_000
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1 or not self.noise >= 0 or self.seed < 0:
            raise SettingsError(
                f"points need a count >= 1, noise >= 0 and a seed >= 0, got {self.count}, "
                f"{self.noise} and {self.seed}"
            )


@dataclass(frozen=True)
class ShapeEntry:
    """One line under ``shapes``; exactly one of shape, folder, cloud and clouds is given.

    Parameters
    ----------
    shape : a mesh by name or path.
    folder : every mesh of a folder; "" is those that the data variable names.
    cloud : a point cloud by name or path, judged by itself, there being no mesh.
    clouds : every point cloud of a folder.
    instead : names or paths; if only a stand-in can be had, the first of these that can be had
        is run beside it, under its own name.
    character : sharp for engines and other parts with edges, scan for statues; what the claims
        about shapes are tested on.
    view : ``azimuth``, ``elevation`` and ``up`` of the pictures.
    """

    shape: str | None = None
    folder: str | None = None
    cloud: str | None = None
    clouds: str | None = None
    instead: list[Any] = field(default_factory=list)
    character: Literal["sharp", "scan", ""] = ""
    view: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = [self.shape, self.folder, self.cloud, self.clouds]
        if sum(value is not None for value in given) != 1:
            raise SettingsError("an entry of shapes is one of shape, folder, cloud and clouds")


@dataclass(frozen=True)
class Contender:
    """A method as it is run: its preset, what it is given, how long it may take.

    Parameters
    ----------
    method : its name, or ``package.module:NAME`` for a method of one's own.
    label : how tables name it, unique in the run; by default method and what is special.
    preset : "" is the method's first.
    input : the mesh itself, or points drawn on it; of a cloud there are only its points.
    points : how they are drawn.
    ignore_normals : give the points alone.
    budgets : of optimization; an empty list leaves the preset its own end.
    seeds : one run each.
    resolution : samples along the longest side of the grid on which the surface is cut out.
    """

    method: str
    label: str = ""
    preset: str = ""
    input: Literal["mesh", "points"] = "points"
    points: Drawing = Drawing()
    ignore_normals: bool = False
    budgets: tuple[Budget, ...] = (Budget(),)
    seeds: tuple[int, ...] = (0,)
    resolution: int = 256

    def __post_init__(self) -> None:
        if self.resolution < 8:
            raise SettingsError(f"resolution must be at least 8, got {self.resolution}")
        if not self.seeds or min(self.seeds) < 0:
            raise SettingsError(f"seeds must be numbers >= 0, got {list(self.seeds)}")


@dataclass(frozen=True)
class BatchRun:
    """Methods by shapes by budgets, and how they are judged."""

    shapes: list[Any]
    """Names, paths, or mappings; see ``ShapeEntry``."""
    methods: list[Any]
    """Names or mappings; see ``Contender``."""
    title: str = "Surface reconstruction, side by side"
    """Of the report."""
    budgets: list[Any] = field(default_factory=list)
    """``seconds: ...`` or ``steps: ...`` for every method that has none of its own."""
    points: dict[str, Any] = field(default_factory=dict)
    """How points are drawn on meshes; see ``Drawing``."""
    seeds: list[Any] = field(default_factory=lambda: [0])
    """Seeds of the methods."""
    resolution: int = 256
    """Samples along the longest side of the grid on which surfaces are cut out."""
    samples: int = 1_000_000
    """Points on each surface that the measures take."""
    failed_above: float = 1.0
    """Distance from the source, in percent of its diagonal, above which a run has failed."""
    timeout: float = 900.0
    """Seconds after which a cell is ended."""
    jobs: int = 1
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
        for name, low in (("samples", 100), ("jobs", 1)):
            if getattr(self, name) < low:
                raise SettingsError(f"{name} must be at least {low}, got {getattr(self, name)}")
        for name in ("timeout", "failed_above"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} must be positive, got {getattr(self, name)}")
        if not self.shape_entries or not self.contenders:
            raise SettingsError("a batch needs shapes and methods; name one of each at least")

    @property
    def shape_entries(self) -> list[ShapeEntry]:
        """The shapes, checked."""
        return [
            _parsed(ShapeEntry, {"shape": entry} if isinstance(entry, str) else entry, "shapes")
            for entry in self.shapes
        ]

    @property
    def contenders(self) -> list[Contender]:
        """The methods as they are run, checked, each label once."""
        found = [self._contender(entry) for entry in self.methods]
        labels = [contender.label for contender in found]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise SettingsError(f"two methods are called {twice!r}; give one a label of its own")
        return found

    def _contender(self, entry: Any) -> Contender:
        given = {"method": entry} if isinstance(entry, str) else entry
        values = {
            "budgets": self.budgets,
            "points": self.points,
            "seeds": self.seeds,
            "resolution": self.resolution,
            **(given if isinstance(given, Mapping) else {}),
        }
        nested = {
            "points": _parsed(Drawing, values["points"], "points"),
            "budgets": _budgets(values["budgets"]),
            "seeds": _seeds(values["seeds"]),
        }
        found = _parsed(Contender, given, "methods", {**values, **nested})
        return replace(found, label=found.label or _label(found))


def _parsed(kind: type[Entry], given: Any, name: str, values: Any = None) -> Entry:
    """A dataclass from a mapping, every key and type checked."""
    if not isinstance(given, Mapping):
        raise SettingsError(f"an entry of {name} must be a name or a mapping, got {given!r}")
    values = dict(given if values is None else values)
    check_keys(kind, values, f"an entry of {name}")
    check_types(kind, values, f"an entry of {name}")
    for entry in fields(kind):  # type: ignore[arg-type]
        if entry.default is entry.default_factory is MISSING and entry.name not in values:
            raise SettingsError(f"an entry of {name} lacks {entry.name}; add `{entry.name}: ...`")
    return kind(**values)


def _budgets(given: Any) -> tuple[Budget, ...]:
    entries = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return tuple(_parsed(Budget, entry, "budgets") for entry in entries) or (Budget(),)


def _seeds(given: Any) -> tuple[int, ...]:
    if not isinstance(given, list) or not all(type(seed) is int for seed in given):
        raise SettingsError(f"seeds must be a list of whole numbers, got {given!r}")
    return tuple(given)


def _label(contender: Contender) -> str:
    parts = [contender.method.rpartition(":")[2]]
    if contender.preset:
        parts.append(contender.preset)
    if contender.input == "mesh":
        parts.append("from the mesh")
    if contender.ignore_normals:
        parts.append("no normals")
    return ", ".join(parts)
