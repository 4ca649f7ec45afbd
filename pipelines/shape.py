"""From a named shape to level-of-detail meshes with figures and pictures.

``python -m pipelines.shape configs/lucy.yaml [--resolution 256]``
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from eval import ShapeLevel, View, evaluate_shape_levels, shape_report
from eval.runs import load_config, manifest, peak_rss_bytes, portable, write_json, write_text
from eval.shapes import Shape, find_shape
from geom_miner import (
    TriangleMesh,
    VoxelizeSettings,
    extract_level,
    fit_to_file,
    load_model,
    voxelize_mesh,
    write_mesh,
)
from geom_miner.atomic_files import make_folder
from geom_miner.command_line import run_command
from geom_miner.fit import parse_memory, target_for
from geom_miner.kernels import choose_device
from geom_miner.progress import FitProgress, WorkBar
from geom_miner.resumable import FitResult
from geom_miner.voxelize import Occupancy, target_of
from pipelines.config import ShapeRun, fit_settings
from pipelines.pictures import draw_shape_pictures


@dataclass(frozen=True)
class Arguments:
    """Fit a shape and report on it."""

    config: tyro.conf.Positional[Path]
    """YAML file of the run."""
    resolution: int | None = None
    """Samples along each side, instead of the file's."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder in which the run's folder is made, instead of the file's."""
    memory: str | None = None
    """About how much memory blocks under training may take, such as 1GB."""
    fresh: bool = False
    """Fit anew even if an earlier run's model is there."""


def run_shape(run: ShapeRun, *, fresh: bool, console: Console) -> Path:
    """Make ``<output>/<name>/`` with model, meshes, metrics, manifest and report."""
    started = time.perf_counter()
    settings, device = fit_settings(run), choose_device(run.device)
    memory = parse_memory(run.memory)
    resolution = run.resolution
    if resolution is None:
        resolution = 1024 if device == "cuda" else 256
    shape = find_shape(run.shape, console=console)
    folder = make_folder(Path(run.output) / shape.name)
    console.print(f"{shape.title}: {shape.faces:,} faces, at {resolution}^3 on {device}")

    kind = target_for(run.preset) if run.target == "auto" else run.target
    voxels = VoxelizeSettings(resolution, fill=run.fill, inside=run.inside, target=kind)
    with WorkBar(console, "voxelizing") as bar:
        occupancy = voxelize_mesh(shape.mesh, voxels, block_size=settings.block_size, progress=bar)
    console.print("\n".join(occupancy.report.sentences()), highlight=False)

    with WorkBar(console, "measuring distances to the surface") as bar:
        target = target_of(shape.mesh, occupancy, voxels, scales=settings.scales, progress=bar)
    source = _source_facts(shape)
    with FitProgress(console) as progress:
        result = fit_to_file(
            target.to(device),
            occupancy.grid,
            settings,
            folder / "model.miner",
            info={"kind": "occupancy", "target": kind, "iso_level": 0.5, "source": source},
            backend=run.backend,
            fresh=fresh,
            on_progress=progress,
            memory=memory,
        )
    meshes = _extract_all(folder, source, console)
    with WorkBar(console, "judging what the files hold") as bar:
        levels = evaluate_shape_levels(
            folder / "model.miner",
            meshes,
            occupancy=occupancy,
            source=shape.mesh,
            seconds={entry.scale: entry.seconds for entry in result.history},
            iou_threshold=run.iou_threshold,
            samples=run.samples,
            on_level=lambda scale: bar.describe(f"judging level of detail {scale}"),
        )
    with WorkBar(console, "drawing"):
        title = "STAND-IN" if shape.stand_in else "source"
        draw_shape_pictures(folder, shape.mesh, meshes, levels, _view(run, shape), title=title)
    facts = {"stand_in": shape.stand_in} | manifest(
        config=portable(run, resolution=resolution, fit=asdict(settings)),
        seed=settings.seed,
        device=device,
        backend=str(result.representation.info["backend"]),
    )
    metrics = _metrics(shape, resolution, run, occupancy, result, levels, folder)
    metrics["wall_seconds"] = time.perf_counter() - started
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "manifest.json", facts)
    write_text(folder / "report.md", shape_report(metrics, facts))
    return folder


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


def _extract_all(
    folder: Path, source: Mapping[str, Any], console: Console
) -> dict[int, Path | None]:
    """Mesh every scale of the saved model, coarsest first, as lod_<scale>.ply.

    A scale without a surface, too coarse for a thin shape, stands as None.
    """
    representation = load_model(folder / "model.miner")
    paths: dict[int, Path | None] = {}
    for scale in reversed(range(representation.num_scales)):
        with WorkBar(console, f"meshing level of detail {scale}") as bar:
            mesh: TriangleMesh = extract_level(representation, scale, on_progress=bar)
        comments = [f"level of detail {scale} of {source['name']}, made by geom_miner"]
        if source["stand_in"]:
            comments.append("STAND-IN: a built-in procedural shape, not the one asked for")
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

    def work(console: Console) -> None:
        arguments = tyro.cli(Arguments, prog="python -m pipelines.shape")
        run = load_config(
            arguments.config,
            ShapeRun,
            {
                "resolution": arguments.resolution,
                "output": arguments.output,
                "memory": arguments.memory,
            },
        )
        folder = run_shape(run, fresh=arguments.fresh, console=console)
        console.print(f"Wrote {folder}/: start with report.md", highlight=False)
        shape_says_stand_in(folder, console)

    return run_command(work)


def shape_says_stand_in(folder: Path, console: Console) -> None:
    """Repeat at the end, where it is seen, that the run shows a stand-in."""
    if load_model(folder / "model.miner").info["source"]["stand_in"]:
        console.print(
            "STAND-IN: this is a built-in procedural shape, not the one asked for.",
            style="bold yellow",
        )


if __name__ == "__main__":
    raise SystemExit(main())
