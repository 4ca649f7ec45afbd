"""Every mesh, whole or broken: which test decided its inside, why, and how right it was.

``python -m pipelines.studies.inside_test configs/inside_test.yaml [--resolution 64]``
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from rich.console import Console

from eval.metrics import compare_with_winding
from eval.runs import Record
from eval.shapes import mesh_files
from geom_miner import GeomMinerError, VoxelizeSettings, read_mesh, voxelize_mesh
from geom_miner.constraints import Range
from pipelines.studies.inside_report import inside_report
from pipelines.studies.study import Study, Trial


@dataclass(frozen=True)
class InsideTestConfig:
    """All meshes of a folder voxelized and compared with winding numbers, one line each."""

    compared_samples: int
    """Samples to compare on; all of a grid that has no more."""
    folder: str = ""
    """Folder of meshes; by default the folders that GEOM_MINER_DATA names."""
    resolution: Annotated[int, Range(2, 1 << 15)] = 256
    """Samples along each side."""
    seed: Annotated[int, Range(at_least=0, below=1 << 63)] = 0
    """Seed of the choice of samples."""
    output: str = "runs/inside_test"
    """Folder to write."""


def trials(config: InsideTestConfig, folder: Path, console: Console) -> Iterator[Trial]:
    """One for every mesh file."""
    meshes = mesh_files(config.folder)
    for number, (name, path) in enumerate(meshes.items(), 1):
        key = {
            "mesh": name,
            "bytes": path.stat().st_size,
            "resolution": config.resolution,
            "compared_samples": config.compared_samples,
            "seed": config.seed,
        }
        title = f"[{number}/{len(meshes)}] {path.name}"
        yield Trial(key, partial(_measure, path, config), title, may_fail=True)


def _measure(path: Path, config: InsideTestConfig) -> Record:
    """Voxelize by "auto" and by parity alone; compare both with winding numbers.

    These are of the mesh as stored and, where it was repaired, of the repaired mesh.
    """
    try:
        mesh = read_mesh(path)
    except GeomMinerError as error:
        raise type(error)(str(error).replace(str(path), path.name)) from error
    started = time.perf_counter()
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(config.resolution))
    seconds = time.perf_counter() - started
    parity = voxelize_mesh(mesh, VoxelizeSettings(config.resolution, inside="parity"))
    report = occupancy.report

    def compare(*, repaired: bool) -> Record:
        reference = compare_with_winding(
            occupancy.repaired.mesh if repaired else mesh,
            occupancy.grid,
            occupancy.blocks,
            samples=config.compared_samples,
            seed=config.seed,
        )
        return {
            "iou": reference.iou(occupancy.blocks),
            "iou_parity": reference.iou(parity.blocks),
            "unclear": reference.unclear_fraction,
            "broken": reference.broken_fraction,
            "samples": len(reference.index),
            "exact_samples": reference.exact_samples,
            "random_samples": reference.random_samples,
            "fast_error": reference.fast_error,
        }

    was_repaired = report.faces_flipped or report.duplicates_removed
    return {
        "faces": len(mesh.faces),
        "components": report.diagnosis.components,
        "closed": report.diagnosis.closed,
        "misoriented_edges": report.diagnosis.misoriented_edges,
        "faces_flipped": report.faces_flipped,
        "duplicates_removed": report.duplicates_removed,
        "method": report.method,
        "reason": report.reason,
        "inside": report.inside_fraction,
        "disputed": report.disputed_fraction,
        "by_winding": report.winding_samples / config.resolution**3,
        "overlap": report.overlap_samples / config.resolution**3,
        "stored": compare(repaired=False),
        "repaired": compare(repaired=True) if was_repaired else None,
        "seconds": seconds,
        "sentences": report.sentences(),
    }


def report(config: InsideTestConfig, records: Sequence[Record]) -> str:
    """Markdown of the records."""
    return inside_report(records)


INSIDE_TEST = Study(
    module="pipelines.studies.inside_test",
    summary="Voxelize every mesh of a folder and compare what is inside with winding numbers.",
    config=InsideTestConfig,
    trials=trials,
    report=report,
    overrides=("folder", "resolution", "output"),
)

if __name__ == "__main__":
    raise SystemExit(INSIDE_TEST.main())
