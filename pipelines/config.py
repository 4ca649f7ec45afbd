"""YAML files of runs, read strictly into frozen dataclasses."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from geom_miner import FitSettings, SettingsError, preset


@dataclass(frozen=True)
class ShapeRun:
    """One shape: voxelize, fit, extract, evaluate, report."""

    shape: str
    """A named shape or a path."""
    resolution: int | None = None
    """Samples along each side; by default 256 on a CPU and 1024 on a GPU."""
    fill: float = 0.98
    """Share of the cube that the shape's longest side takes."""
    inside: Literal["auto", "parity", "majority", "winding", "embree"] = "auto"
    """Inside test of the voxelizer."""
    target: Literal["auto", "occupancy", "coverage", "distance"] = "auto"
    """What is fitted; auto is the distance for presets made for it, else the occupancy."""
    preset: str = "surface"
    """Where the fit's settings start."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Settings of the fit that differ from the preset."""
    backend: Literal["auto", "reference", "cpu", "gpu"] = "auto"
    """Kernel."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    memory: str = "128MiB"
    """About how much memory blocks under training may take; the result is the same."""
    iou_threshold: float = 0.5
    """Where the decoded occupancy is cut for IoU."""
    samples: int = 1_000_000
    """Points on each surface for distances."""
    up: Literal["y", "z"] | None = None
    """Axis that points up in pictures; by default the shape's own."""
    azimuth: float | None = None
    """Degrees around the up axis; by default the shape's own."""
    elevation: float | None = None
    """Degrees above the horizon; by default the shape's own."""
    output: str = "runs"
    """Folder in which the run's folder is made."""


@dataclass(frozen=True)
class ImageRun:
    """One image: fit, decode, evaluate, report."""

    image: str
    """Image file."""
    preset: str = "image"
    """Where the fit's settings start."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Settings of the fit that differ from the preset."""
    backend: Literal["auto", "reference", "cpu", "gpu"] = "auto"
    """Kernel."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    output: str = "runs"
    """Folder in which the run's folder is made."""


@dataclass(frozen=True)
class CollectionRun:
    """All meshes of a folder at one resolution, one line each."""

    folder: str = ""
    """Folder of meshes; by default the folders that GEOM_MINER_DATA names."""
    resolution: int = 64
    """Samples along each side."""
    preset: str = "surface"
    """Where the fit's settings start."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Settings of the fit that differ from the preset."""
    iou_threshold: float = 0.5
    """Where the decoded occupancy is cut for IoU."""
    samples: int = 100_000
    """Points on each surface for distances."""
    output: str = "runs/collection"
    """Folder to write."""


@dataclass(frozen=True)
class AblationRun:
    """What each setting of the fit is worth, on several shapes."""

    ablate: list[str]
    """Named shapes or paths."""
    cells: dict[str, Any]
    """Name of a row of the table, and the settings in which it differs from the default."""
    resolution: int = 128
    """Samples along each side."""
    preset: str = "volume"
    """Where the fit's settings start."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Settings of the default row that differ from the preset."""
    samples: int = 100_000
    """Points on each surface for distances and normals."""
    output: str = "runs/ablation"
    """Folder to write."""


@dataclass(frozen=True)
class LearnStartRun:
    """A start for the blocks of the finest scale, learned on some shapes, judged on others."""

    learn_from: list[str]
    """Named shapes or paths to learn from."""
    judge_on: list[str]
    """Named shapes or paths to judge on."""
    sizes: list[dict[str, Any]]
    """Settings of the fits, one set for each start to learn: width, depth, learning_rate."""
    resolution: int = 128
    """Samples along each side."""
    preset: str = "volume"
    """Where the fits' settings start."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Settings of all fits that differ from the preset."""
    outer_steps: int = 200
    """Batches of blocks."""
    batch: int = 32
    """Blocks whose fits are averaged."""
    inner_steps: int = 10
    """Optimizer steps of each of them."""
    outer_rate: float = 0.2
    """Share of the way towards the fitted parameters at first; it falls linearly to 0."""
    output: str = "geom_miner/model/starts"
    """Folder to write."""


FitRun = ShapeRun | ImageRun | CollectionRun | AblationRun | LearnStartRun
Run = TypeVar("Run")


def fit_settings(run: FitRun) -> FitSettings:
    """The preset with the run's own settings on top."""
    base = preset(run.preset)
    _check_keys(FitSettings, run.fit, "fit")
    _check_types(FitSettings, run.fit, "fit")
    return replace(base, **run.fit)


def load_config(
    path: Path | str, kind: type[Run], overrides: Mapping[str, Any] | None = None
) -> Run:
    """Read a YAML file into ``kind``; overrides that are not None win.

    Raises
    ------
    SettingsError
        The file is missing or no YAML mapping, or has an unknown key, a missing one, or a value
        of the wrong type; the message names the file.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}; check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error).replace("\n", " ")
        raise SettingsError(f"{path} is not valid YAML: {reason}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold settings as `name: value` lines")
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    try:
        _check_keys(kind, values, "the run")
        merged = {**values, **given}
        _check_types(kind, merged, "the run")
        _check_missing(kind, merged)
        run = kind(**merged)
        if isinstance(run, FitRun):
            fit_settings(run)
        return run
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def _check_keys(kind: type, values: Mapping[str, Any], name: str) -> None:
    known = {entry.name for entry in dataclasses.fields(kind)}
    unknown = sorted(set(map(str, values)) - known)
    if unknown:
        raise SettingsError(
            f"{name} has no setting {unknown[0]!r}; there are {', '.join(sorted(known))}"
        )


def _check_missing(kind: type, values: Mapping[str, Any]) -> None:
    for entry in dataclasses.fields(kind):
        optional = (entry.default, entry.default_factory) != (dataclasses.MISSING,) * 2
        if not optional and entry.name not in values:
            raise SettingsError(f"the setting {entry.name} is missing; add `{entry.name}: ...`")


def _check_types(kind: type, values: Mapping[str, Any], name: str) -> None:
    hints = typing.get_type_hints(kind)
    for key, value in values.items():
        if not _fits(value, hints[key]):
            wanted = str(hints[key]).replace("typing.", "")
            wanted = getattr(hints[key], "__name__", wanted)
            raise SettingsError(f"{name}'s {key} must be {wanted}, got {value!r}")


def _fits(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in typing.get_args(hint))
    if origin is Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)
