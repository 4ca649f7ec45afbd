"""From a named shape to level-of-detail meshes with figures and pictures.

``python -m pipelines.shape configs/lucy.yaml [--resolution 256]``
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from eval import View, evaluate_shape_levels
from eval.levels import ShapeLevel
from eval.report import shape_report
from eval.runs import manifest, peak_rss_bytes, portable, run_folder, write_json, write_text
from eval.shapes import Shape, find_shape
from geom_miner import (
    VoxelizeSettings,
    extract_level,
    fit_to_file,
    load_model,
    write_mesh,
)
from geom_miner.fit import FitResult, parse_memory
from geom_miner.grid import SourceInfo
from geom_miner.kernels import choose_device
from geom_miner.outputs import MADE_BY
from geom_miner.progress_bars import FitBar, LevelBar, WorkBar, bars
from geom_miner.targets import mesh_target
from geom_miner.voxelize import Occupancy
from pipelines.command import Earlier, run_pipeline
from pipelines.config import ShapeRun, fit_settings, target_name
from pipelines.pictures import draw_shape_pictures

_STAND_IN = "STAND-IN: a built-in procedural shape, not the one asked for"


def run_shape(run: ShapeRun, *, fresh: bool, force: bool = False, console: Console) -> Path:
    """Make ``<output>/<name>/`` with model, meshes, metrics, manifest and report.

    Parameters
    ----------
    fresh : fit anew instead of going on with an earlier run.
    force : write into a folder that holds files of another program.
    """
    shape = find_shape(run.shape, console=console)
    with run_folder(Path(run.output) / shape.name, run, force=force) as folder:
        _run_in(folder, run, shape, fresh, console)
    return folder


def _run_in(folder: Path, run: ShapeRun, shape: Shape, fresh: bool, console: Console) -> None:
    started = time.perf_counter()
    settings, device = fit_settings(run), choose_device(run.device)
    memory = parse_memory(run.memory)
    resolution = run.resolution
    if resolution is None:
        resolution = 1024 if device == "cuda" else 256
    console.print(f"{shape.title}: {shape.faces:,} faces, at {resolution}^3 on {device}")

    made = mesh_target(
        shape.mesh,
        target_name(run),
        VoxelizeSettings(resolution, fill=run.fill, inside=run.inside),
        scales=settings.scales,
        block_size=settings.block_size,
        source=SourceInfo(shape.name, shape.faces, shape.source, shape.license, shape.citation),
        notice=_STAND_IN if shape.stand_in else "",
        # Figures, report and pictures of the run say that there is no surface.
        allow_empty=True,
        stages=bars(console),
    )
    occupancy = made.occupancy
    console.print("\n".join(occupancy.report.sentences()), highlight=False)
    with FitBar(console) as bar:
        result = fit_to_file(
            made.target.to(device),
            settings,
            folder / "model.miner",
            observer=bar,
            backend=run.backend,
            memory=memory,
            fresh=fresh,
            force=True,
        )
    meshes = _extract_all(folder, console)
    with WorkBar(console, "evaluating what the files hold") as work:
        levels = evaluate_shape_levels(
            folder / "model.miner",
            meshes,
            occupancy=occupancy,
            source=shape.mesh,
            seconds={entry.scale: entry.seconds for entry in result.history},
            iou_threshold=run.iou_threshold,
            samples=run.samples,
            on_level=lambda scale: work.describe(f"evaluating level of detail {scale}"),
        )
    with WorkBar(console, "drawing"):
        title = "STAND-IN" if shape.stand_in else "source"
        draw_shape_pictures(folder, shape.mesh, meshes, levels, _view(run, shape), title=title)
    facts = {"stand_in": shape.stand_in} | manifest(
        config=portable(run, resolution=resolution, fit=asdict(settings)),
        seed=settings.seed,
        device=device,
        backend=str(result.representation.metadata["backend"]),
    )
    metrics = _metrics(shape, resolution, run, occupancy, result, levels, folder)
    metrics["wall_seconds"] = time.perf_counter() - started
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "manifest.json", facts)
    write_text(folder / "report.md", shape_report(metrics, facts))


def _source_facts(shape: Shape) -> dict[str, Any]:
    """What every file of the run says about where the shape comes from."""
    return {
        "name": shape.name,
        "path": shape.source,
        "faces": shape.faces,
        "stand_in": shape.stand_in,
        "license": shape.license,
        "citation": shape.citation,
    }


def _extract_all(folder: Path, console: Console) -> dict[int, Path | None]:
    """Mesh every scale of the saved model, coarsest first, as lod_<scale>.ply.

    A scale without a surface, too coarse for a thin shape, stands as None.
    """
    representation = load_model(folder / "model.miner")
    info = representation.info
    paths: dict[int, Path | None] = {}
    scales = range(representation.num_scales)[::-1]
    with LevelBar(console, "meshing", scales) as bar:
        for scale in scales:
            bar.begin(scale)
            mesh = extract_level(representation, scale, progress=bar)
            comments = [f"{MADE_BY}, level of detail {scale} of {info.source.name}"]
            if info.notice:
                comments.append(info.notice)
            path = folder / f"lod_{scale}.ply"
            write_mesh(path, mesh, comments=comments)
            paths[scale] = path if len(mesh.faces) else None
            if not len(mesh.faces):
                console.print(f"Level of detail {scale} has no surface.", style="yellow")
    return paths


def _view(run: ShapeRun, shape: Shape) -> View:
    own = shape.view
    view = View(
        azimuth=own.azimuth if run.azimuth is None else run.azimuth,
        elevation=own.elevation if run.elevation is None else run.elevation,
        up=own.up if run.up is None else run.up,
    )
    return view.framing(shape.mesh)


def _metrics(
    shape: Shape,
    resolution: int,
    run: ShapeRun,
    occupancy: Occupancy,
    result: FitResult,
    levels: list[ShapeLevel],
    folder: Path,
) -> dict[str, Any]:
    return {
        "name": shape.name,
        "title": shape.title,
        "source": _source_facts(shape),
        "resolution": resolution,
        "wall_seconds": 0.0,
        "fit_seconds": sum(entry.seconds for entry in result.history),
        "resumed_scales": result.resumed_scales,
        "peak_rss_bytes": peak_rss_bytes(),
        "file_bytes": (folder / "model.miner").stat().st_size,
        "parameters": result.representation.num_parameters,
        "samples": run.samples,
        "voxelization": occupancy.report.sentences(),
        "lods": [asdict(level) for level in levels],
    }


def main() -> int:
    """Run from the command line."""

    def work(run: ShapeRun, earlier: Earlier, console: Console) -> None:
        folder = run_shape(run, fresh=earlier.fresh, force=earlier.force, console=console)
        console.print(f"Wrote {folder}/: start with report.md", highlight=False)
        # Repeated at the end, where it is seen.
        notice = load_model(folder / "model.miner").info.notice
        if notice:
            console.print(f"{notice}.", style="bold yellow")

    return run_pipeline(
        work,
        ShapeRun,
        module="pipelines.shape",
        summary="Fit a shape and report on it.",
        overrides=("resolution", "output", "memory"),
    )


if __name__ == "__main__":
    raise SystemExit(main())
