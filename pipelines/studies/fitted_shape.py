"""A shape fitted to a file and read back: what studies measure."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from geom_miner import (
    Representation,
    TriangleMesh,
    VoxelizeSettings,
    fit_to_file,
    load_model,
    mesh_target,
)
from geom_miner.fit import AnySettings, FitResult
from geom_miner.voxelize import Occupancy


@dataclass(frozen=True)
class FittedShape:
    """A model as its file holds it, and what it cost.

    Parameters
    ----------
    result : history of the fit.
    seconds : of voxelizing, building the target and fitting.
    """

    occupancy: Occupancy
    model: Representation
    result: FitResult
    file_bytes: int
    seconds: float

    @property
    def fit_seconds(self) -> float:
        """Seconds of the fit alone."""
        return sum(entry.seconds for entry in self.result.history)


def fit_shape(
    mesh: TriangleMesh, target: str, settings: AnySettings, resolution: int
) -> FittedShape:
    """Fit a mesh to a file, forget the fit, and read the file."""
    began = time.perf_counter()
    made = mesh_target(
        mesh,
        target,
        VoxelizeSettings(resolution),
        scales=settings.scales,
        block_size=settings.block_size,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.miner"
        result = fit_to_file(made.target, settings, path)
        seconds = time.perf_counter() - began
        return FittedShape(made.occupancy, load_model(path), result, path.stat().st_size, seconds)
