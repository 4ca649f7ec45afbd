"""Every mesh, whole or broken: which test decided its inside, why, and how right it was.

``python -m pipelines.inside_table configs/inside_table.yaml [--resolution 256]``
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from geom_miner import GeomMinerError, MeshError, VoxelizeSettings, read_mesh, voxelize_mesh
from pipelines.command import run_command
from pipelines.config import load_config
from pipelines.data_folders import mesh_files
from pipelines.manifest import make_folder, manifest, portable, write_json, write_text
from pipelines.records import Record, read_records, write_records


@dataclass(frozen=True)
class InsideTableRun:
    """All meshes of a folder voxelized and judged by winding numbers, one line each."""

    judged_samples: int
    """Samples to judge on; all of a grid that has no more."""
    folder: str = ""
    """Folder of meshes; by default the folders that GEOM_MINER_DATA names."""
    resolution: int = 64
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
    """Voxelize by choice and by parity alone, and judge both on the same samples."""
    mesh = read_mesh(path)
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(run.resolution))
    parity = voxelize_mesh(mesh, VoxelizeSettings(run.resolution, inside="parity"))
    judge = occupancy.winding_judge(mesh, samples=run.judged_samples, seed=run.seed)
    report = occupancy.report
    return {
        "faces": len(mesh.faces),
        "parts": report.diagnosis.parts,
        "closed": report.diagnosis.closed,
        "faces_turned": report.faces_turned,
        "repeats_removed": report.repeats_removed,
        "method": report.method,
        "why": report.why,
        "inside": report.inside_fraction,
        "doubtful": report.doubtful_fraction,
        "by_winding": report.winding_samples / run.resolution**3,
        "overlap": report.overlap_samples / run.resolution**3,
        "iou": judge.iou(occupancy.blocks),
        "iou_parity": judge.iou(parity.blocks),
        "unclear": judge.unclear_fraction,
        "samples": len(judge.index),
        "fast_error": judge.fast_error,
        "exact_samples": judge.exact_samples,
        "seconds": report.seconds,
        "sentences": report.sentences(),
    }


def inside_report(records: Sequence[Record]) -> str:
    """Markdown: a row per mesh, and what the columns mean."""
    done = [r for r in records if "failed" not in r]
    resolution = records[0]["resolution"]
    chosen = sorted({r["samples"] for r in done if r["samples"] < resolution**3})
    where = (
        f"a seeded random choice of {chosen[0]:,} to {chosen[-1]:,} of the {resolution**3:,} "
        "samples, half of them from blocks at the surface, weighted by how many each stands for"
        if chosen
        else f"all {resolution**3:,} samples"
    )
    error = max((r["fast_error"] for r in done), default=0.0)
    exact = [r["exact_samples"] for r in done] or [0]
    lines = [
        f"# Inside or outside at {resolution}^3",
        "",
        "IoU with generalized winding numbers (magnitude above 1/2) of the mesh, its faces turned "
        f"to agree with their neighbors, on {where}; samples whose "
        "winding number is within 0.1 of 1/2 are left out of it and counted as unclear. Fast "
        f"winding numbers differed from exact ones by at most {error:.4f} on the {min(exact)} to "
        f"{max(exact)} samples of each mesh where both were computed. Doubtful: share of samples "
        "where axes disagree; by winding: that winding numbers decided, "
        "which agree with the judge by construction. Overlap: share of samples solid by "
        "directions, hollow by parity. "
        "Shares are of all samples of the cube; seconds are the voxelizer's, without diagnosis.",
        "",
        "| mesh | faces | parts | method | why | inside | doubtful | by winding | overlap "
        "| unclear | IoU | IoU of parity along z | seconds |",
        "|---|---:|---:|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *map(_row, records),
    ]
    return "\n".join(lines) + "\n"


def _row(record: Record) -> str:
    if "failed" in record:
        cells = [record["mesh"], "", "", "failed", record["failed"], *[""] * 8]
    else:
        r = record
        # Two empty sets have IoU 1, which would say nothing about the test.
        iou = [f"{r[key]:.4f}" if r["inside"] else "-" for key in ("iou", "iou_parity")]
        shares = [f"{r[key]:.3%}" for key in ("inside", "doubtful", "by_winding", "overlap")]
        cells = [
            *(r["mesh"], f"{r['faces']:,}", f"{r['parts']:,}", r["method"], r["why"]),
            *(*shares, f"{r['unclear']:.2%}", *iou, f"{r['seconds']:.2f}"),
        ]
    return f"| {' | '.join(cells)} |"


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
