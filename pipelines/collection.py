"""All meshes of a folder through voxelize, fit, extract and evaluate, with one table.

``python -m pipelines.collection configs/collection.yaml [--resolution 64]``
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from eval import evaluate_shape_levels
from eval.report import collection_report
from eval.runs import manifest, portable, run_folder, write_json, write_text
from eval.shapes import mesh_files
from geom_miner import (
    GeomMinerError,
    VoxelizeSettings,
    extract_level,
    fit_to_file,
    load_model,
    read_mesh,
    write_mesh,
)
from geom_miner.atomic_files import make_folder
from geom_miner.errors import MeshError
from geom_miner.fit import AnySettings
from geom_miner.grid import SourceInfo
from geom_miner.outputs import MADE_BY
from geom_miner.progress_bars import FitBar, WorkBar, bars
from geom_miner.targets import mesh_target
from geom_miner.voxelize import VoxelizeReport
from pipelines.command import Earlier, run_pipeline
from pipelines.config import CollectionRun, fit_settings, target_name


def run_collection(
    run: CollectionRun, *, fresh: bool = False, force: bool = False, console: Console
) -> list[dict[str, Any]]:
    """One row per mesh; a mesh that cannot be used is a row that says why.

    Parameters
    ----------
    fresh : fit anew instead of going on with an earlier run.
    force : write into a folder that holds files of another program.
    """
    settings = fit_settings(run)
    with run_folder(Path(run.output), run, force=force) as folder:
        return _run_in(folder, run, settings, fresh, console)


def _run_in(
    folder: Path, run: CollectionRun, settings: AnySettings, fresh: bool, console: Console
) -> list[dict[str, Any]]:
    meshes = mesh_files(run.folder)
    rows = []
    for number, (name, path) in enumerate(meshes.items(), 1):
        console.print(f"[{number}/{len(meshes)}] {path.name}", highlight=False, markup=False)
        try:
            row = _fit_and_evaluate(name, path, run, make_folder(folder / name), fresh, console)
        except GeomMinerError as error:
            reason = str(error).replace(str(path), path.name)
            row = {"name": name, "remark": f"failed: {reason}"}
        rows.append(row)
        write_json(folder / "metrics.json", rows)
    facts = manifest(
        config=portable(run, fit=asdict(settings)),
        seed=settings.seed,
        device="cpu",
        backend="reference",
    )
    write_json(folder / "manifest.json", facts)
    write_text(folder / "report.md", collection_report(rows, resolution=run.resolution))
    return rows


def _fit_and_evaluate(
    name: str, path: Path, run: CollectionRun, folder: Path, fresh: bool, console: Console
) -> dict[str, Any]:
    settings = fit_settings(run)
    mesh = read_mesh(path)
    made = mesh_target(
        mesh,
        target_name(run),
        VoxelizeSettings(run.resolution),
        scales=settings.scales,
        block_size=settings.block_size,
        source=SourceInfo(name, len(mesh.faces)),
        # The row of this mesh says that nothing is inside; the others are fitted.
        allow_empty=True,
        stages=bars(console),
    )
    occupancy, model = made.occupancy, folder / "model.miner"
    with FitBar(console) as bar:
        result = fit_to_file(made.target, settings, model, observer=bar, fresh=fresh, force=True)
    seconds = {entry.scale: entry.seconds for entry in result.history}
    representation = load_model(model)
    lod = folder / "lod_0.ply"
    with WorkBar(console, "meshing level of detail 0") as work:
        surface = extract_level(representation, 0, progress=work)
    write_mesh(lod, surface, comments=[f"{MADE_BY}, level of detail 0 of {name}"])
    with WorkBar(console, "evaluating what the files hold"):
        found = evaluate_shape_levels(
            model,
            {0: lod if len(surface.faces) else None},
            occupancy=occupancy,
            source=mesh,
            seconds=seconds,
            iou_threshold=run.iou_threshold,
            samples=run.samples,
        )[0]
    report = occupancy.report
    return {
        "name": name,
        "faces": len(mesh.faces),
        "method": report.method,
        "odd_columns": report.odd_columns,
        "active_blocks": found.active_blocks,
        "parameters": representation.num_parameters,
        "file_bytes": model.stat().st_size,
        "fit_seconds": sum(seconds.values()),
        "iou_voxel": found.iou_voxel,
        "surface_error_voxels": found.surface_error_voxels,
        "normal_error_degrees": found.normal_error_degrees,
        "chamfer_l1_voxels": found.chamfer_l1_voxels,
        "watertight": found.watertight,
        "remark": _remark(report),
    }


def _remark(report: VoxelizeReport) -> str:
    """What a reader of the row must know to read its figures right."""
    remarks = []
    if not report.inside_fraction:
        remarks.append("nothing is inside at this resolution, so two empty sets are compared")
    if not report.diagnosis.watertight:
        remarks.append("source is not closed")
    return "; ".join(remarks)


def main() -> int:
    """Run from the command line; meshes that fail are rows, and an error only if all do."""

    def work(run: CollectionRun, earlier: Earlier, console: Console) -> None:
        rows = run_collection(run, fresh=earlier.fresh, force=earlier.force, console=console)
        report = collection_report(rows, resolution=run.resolution)
        console.print(report, markup=False, soft_wrap=True)
        fitted = sum("iou_voxel" in row for row in rows)
        if not fitted:
            raise MeshError(f"none of {len(rows)} meshes could be fitted; see {run.output}/")
        console.print(f"{fitted} of {len(rows)} meshes fitted; see {run.output}/", markup=False)

    return run_pipeline(
        work,
        CollectionRun,
        module="pipelines.collection",
        summary="Fit every mesh of a folder and print a table.",
        overrides=("folder", "resolution", "output"),
    )


if __name__ == "__main__":
    raise SystemExit(main())
