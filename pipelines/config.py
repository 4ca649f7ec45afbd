"""Configurations of the pipelines that users run, one frozen dataclass each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from eval.runs import parse_values
from geom_miner import FitSettings, preset
from geom_miner.constraints import Range, check_fields
from geom_miner.fit import AnySettings, ReleasedCode


class ChecksItsFit:
    """A configuration whose fit settings are checked as soon as it is made."""

    preset: str
    fit: dict[str, Any]

    def __post_init__(self) -> None:
        check_fields(self)
        fit_settings(self)


@dataclass(frozen=True)
class ShapeRun(ChecksItsFit):
    """One shape: voxelize, fit, extract, evaluate, report."""

    shape: str
    """A named shape or a path."""
    resolution: Annotated[int, Range(2, 1 << 15)] | None = None
    """Samples along each side; by default 256 on a CPU and 1024 on a GPU."""
    fill: Annotated[float, Range(above=0, at_most=1)] = 0.98
    """Share of the cube that the shape's longest side takes."""
    inside: Literal["auto", "parity", "majority", "winding", "embree"] = "auto"
    """Inside test of the voxelizer."""
    target: Literal["auto", "occupancy", "coverage", "distance"] = "auto"
    """What is fitted; auto is the preset's own target."""
    preset: str = "surface"
    """Where the fit's settings start."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Settings of the fit that differ from the preset."""
    backend: str = "auto"
    """Kernel, by its name; auto chooses by the device."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    memory: str = "128MiB"
    """About how much memory blocks under training may take; the result is the same."""
    iou_threshold: float = 0.5
    """Where the decoded occupancy is cut for IoU."""
    samples: Annotated[int, Range(1, 10**9)] = 1_000_000
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
class ImageRun(ChecksItsFit):
    """One image: fit, decode, evaluate, report."""

    image: str
    """Image file."""
    preset: str = "image"
    """Where the fit's settings start."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Settings of the fit that differ from the preset."""
    backend: str = "auto"
    """Kernel, by its name; auto chooses by the device."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    output: str = "runs"
    """Folder in which the run's folder is made."""


@dataclass(frozen=True)
class CollectionRun(ChecksItsFit):
    """All meshes of a folder at one resolution, one line each."""

    folder: str = ""
    """Folder of meshes; by default the folders that GEOM_MINER_DATA names."""
    resolution: Annotated[int, Range(2, 1 << 15)] = 64
    """Samples along each side."""
    preset: str = "surface"
    """Where the fit's settings start."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Settings of the fit that differ from the preset."""
    iou_threshold: float = 0.5
    """Where the decoded occupancy is cut for IoU."""
    samples: Annotated[int, Range(1, 10**9)] = 100_000
    """Points on each surface for distances."""
    output: str = "runs/collection"
    """Folder to write."""


def fit_settings(run: ChecksItsFit) -> AnySettings:
    """The preset with the run's own settings on top; so for those of the released code."""
    base = preset(run.preset).settings
    changes = parse_values(type(base), run.fit, "fit")
    released = run.fit.get("released")
    if isinstance(base, FitSettings) and isinstance(released, Mapping):
        names = parse_values(ReleasedCode, released, "fit's released")
        changes["released"] = replace(base.released, **names)
    return replace(base, **changes)


def target_name(run: ShapeRun | CollectionRun) -> str:
    """Name of the target of a run: the preset's own where the run does not say."""
    chosen = run.target if isinstance(run, ShapeRun) else "auto"
    return preset(run.preset).target if chosen == "auto" else chosen
