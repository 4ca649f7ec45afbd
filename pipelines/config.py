"""What the runs of pipelines can be told, one frozen dataclass each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from eval.runs import check_keys, check_types
from geom_miner import FitSettings, preset


class _ChecksItsFit:
    """A run whose fit's settings are checked as soon as it is made."""

    preset: str
    fit: dict[str, Any]

    def __post_init__(self) -> None:
        fit_settings(self)


@dataclass(frozen=True)
class ShapeRun(_ChecksItsFit):
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
class ImageRun(_ChecksItsFit):
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
class CollectionRun(_ChecksItsFit):
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
class AblationRun(_ChecksItsFit):
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
class LearnStartRun(_ChecksItsFit):
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


def fit_settings(run: _ChecksItsFit) -> FitSettings:
    """The preset with the run's own settings on top."""
    base = preset(run.preset)
    check_keys(FitSettings, run.fit, "fit")
    check_types(FitSettings, run.fit, "fit")
    return replace(base, **run.fit)
