"""Targets by name: what can be fitted to a mesh, to points, to an image."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from geom_miner.errors import SettingsError

if TYPE_CHECKING:
    from geom_miner.grid.target import Target

SourceKind = Literal["mesh", "points", "image"]


@dataclass(frozen=True)
class TargetBuilder:
    """One kind of target.

    Parameters
    ----------
    source : what it is built from.
    summary : one line for ``--help`` and docs.
    function : ``module:name`` of the function that builds it, loaded on first use.
    stage : what progress bars say while it is built.
    """

    source: SourceKind
    summary: str
    function: str
    stage: str

    @property
    def build(self) -> Callable[..., Target]:
        """The function; builders from meshes have the signature of ``distance.build``."""
        module, name = self.function.split(":")
        return cast("Callable[..., Target]", getattr(importlib.import_module(module), name))


TARGETS: dict[str, TargetBuilder] = {
    "distance": TargetBuilder(
        "mesh",
        "signed distance near the surface: 1/2 on it, within one voxel of it half the distance in "
        "voxels more inside and less outside, beyond that only the side of 1/2 means anything "
        "(values are neither clamped nor distances)",
        "geom_miner.targets.distance:build",
        "measuring distances to the surface",
    ),
    "occupancy": TargetBuilder(
        "mesh",
        "whether a sample's center is inside: 0 or 1 (the paper's target)",
        "geom_miner.targets.occupancy:build",
        "building the pyramid",
    ),
    "coverage": TargetBuilder(
        "mesh",
        "share of a sample's cell that is inside",
        "geom_miner.targets.coverage:build",
        "measuring the coverage of cells",
    ),
    "points": TargetBuilder(
        "points",
        "distance or occupancy of the surface that oriented points lie on",
        "geom_miner.targets.points:points_target",
        "measuring distances to the points",
    ),
    "image": TargetBuilder(
        "image",
        "the channels of an image, as they are",
        "geom_miner.targets.image:image_target",
        "building the pyramid",
    ),
}
"""Builders of targets by name."""


def targets_of(source: SourceKind) -> dict[str, TargetBuilder]:
    """The targets that can be built from one kind of source."""
    return {name: builder for name, builder in TARGETS.items() if builder.source == source}


def target_builder(name: str, source: SourceKind) -> TargetBuilder:
    """The target of that name; a SettingsError lists the names for this kind of source."""
    known = targets_of(source)
    if name not in known:
        raise SettingsError(f"target must be one of {', '.join(known)}, got {name!r}")
    return known[name]
