"""Every mesh, whole or broken: which test decided its inside, why, and how right it was.

``python -m pipelines.inside_table configs/inside_table.yaml [--resolution 64]``
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from eval.runs import (
    Record,
    load_config,
    manifest,
    portable,
    read_records,
    write_json,
    write_records,
    write_text,
)
from eval.shapes import mesh_files
from geom_miner import GeomMinerError, VoxelizeSettings, read_mesh, voxelize_mesh
from geom_miner.atomic_files import make_folder
from geom_miner.command_line import run_command
from geom_miner.errors import MeshError
from pipelines.inside_report import inside_report


@dataclass(frozen=True)
class InsideTableRun:
    """All meshes of a folder voxelized and judged by winding numbers, one line each."""

    judged_samples: int
    """Samples to judge on; all of a grid that has no more."""
    folder: str = ""
    """Folder of meshes; by default the folders that GEOM_MINER_DATA names."""
    resolution: int = 256
    """Samples along each side."""
    seed: int = 0
    """Seed of the choice of samples."""
    output: str = "runs/inside_table"
    """Folder to write."""


@dataclass(frozen=True)
class Arguments:
    """Voxelize every mesh of a folder and judge what is inside."""

    config: tyro.conf.Positional[Path]
    """YAML file of the run."""
    folder: str | None = None
    """Folder of meshes, instead of the config's."""
    resolution: int | None = None
    """Samples along each side, instead of the config's."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder to write, instead of the config's."""
    fresh: bool = False
    """Measure anew what an earlier run has measured."""


def run_inside_table(run: InsideTableRun, *, fresh: bool, console: Console) -> list[Record]:
    """One record per mesh; those of an earlier run of equal settings and files are kept.

    A mesh that cannot be used is a record that says why, and is tried again by the next run.
    """
    folder = make_folder(Path(run.output))
    book = folder / "records.jsonl"
    known = [] if fresh else [r for r in read_records(book) if "failed" not in r]
    meshes = mesh_files(run.folder)
    records: list[Record] = []
    for number, (name, path) in enumerate(meshes.items(), 1):
        facts = {
            "mesh": name,
            "bytes": path.stat().st_size,
            "resolution": run.resolution,
            "judged_samples": run.judged_samples,
            "seed": run.seed,
        }
        record = next((r for r in known if facts.items() <= r.items()), None)
        if record is None:
            console.print(f"[{number}/{len(meshes)}] {path.name}", highlight=False, markup=False)
            try:
                record = {**facts, **_measure(path, run)}
            except GeomMinerError as error:
                record = {**facts, "failed": str(error).replace(str(path), path.name)}
            known.append(record)
            write_records(book, known)
        records.append(record)
    facts = manifest(config=portable(run), seed=run.seed, device="cpu", backend="cpu")
    write_json(folder / "manifest.json", facts)
    write_text(folder / "report.md", inside_report(records))
    return records


def _measure(path: Path, run: InsideTableRun) -> Record:
    """Voxelize by choice and by parity alone; judge both by the mesh as stored and as mended."""
    mesh = read_mesh(path)
    started = time.perf_counter()
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(run.resolution))
    seconds = time.perf_counter() - started
    parity = voxelize_mesh(mesh, VoxelizeSettings(run.resolution, inside="parity"))
    report = occupancy.report

    def judged(*, mended: bool) -> Record:
        judge = occupancy.winding_judge(
            mesh, samples=run.judged_samples, seed=run.seed, mended=mended
        )
        return {
            "iou": judge.iou(occupancy.blocks),
            "iou_parity": judge.iou(parity.blocks),
            "unclear": judge.unclear_fraction,
            "broken": judge.broken_fraction,
            "samples": len(judge.index),
            "exact_samples": judge.exact_samples,
            "random_samples": judge.random_samples,
            "fast_error": judge.fast_error,
        }

    return {
        "faces": len(mesh.faces),
        "parts": report.diagnosis.parts,
        "closed": report.diagnosis.closed,
        "misoriented_edges": report.diagnosis.misoriented_edges,
        "faces_turned": report.faces_turned,
        "repeats_removed": report.repeats_removed,
        "method": report.method,
        "why": report.why,
        "inside": report.inside_fraction,
        "doubtful": report.doubtful_fraction,
        "by_winding": report.winding_samples / run.resolution**3,
        "overlap": report.overlap_samples / run.resolution**3,
        "stored": judged(mended=False),
        "mended": judged(mended=True) if report.faces_turned or report.repeats_removed else None,
        "seconds": seconds,
        "sentences": report.sentences(),
    }


def main() -> int:
    """Run from the command line; meshes that fail are rows, and an error only if all do."""

    def work(console: Console) -> None:
        arguments = tyro.cli(Arguments, prog="python -m pipelines.inside_table")
        overrides = {
            "folder": arguments.folder,
            "resolution": arguments.resolution,
            "output": arguments.output,
        }
        run = load_config(arguments.config, InsideTableRun, overrides)
        records = run_inside_table(run, fresh=arguments.fresh, console=console)
        console.print(inside_report(records), markup=False, highlight=False, soft_wrap=True)
        if all("failed" in record for record in records):
            raise MeshError(f"none of {len(records)} meshes could be used; see {run.output}/")
        console.print(f"Wrote {run.output}/: records.jsonl, report.md, manifest.json", markup=False)

    return run_command(work)


if __name__ == "__main__":
    raise SystemExit(main())
