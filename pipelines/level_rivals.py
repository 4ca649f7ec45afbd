"""Levels of detail beside meshes of as many triangles that edge collapse makes.

``python -m pipelines.level_rivals configs/level_rivals.yaml [--resolution 512]``
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from eval import source_errors
from eval.runs import Record, StudyArguments, device_name
from eval.shapes import Shape
from geom_miner import (
    TriangleMesh,
    VoxelizeSettings,
    decimate,
    extract_level,
    fit_to_file,
    load_model,
    preset,
    read_mesh,
    sharpen,
    voxelize_mesh,
    write_mesh,
)
from geom_miner.errors import MeshError
from geom_miner.fit import target_for
from geom_miner.voxelize import target_of
from pipelines.shape_study import study_command, study_shapes

MINER, OF_SOURCE, OF_FINEST = "level of detail", "source, decimated", "level 0, decimated"
SHARPENED = "level of detail, sharpened"


@dataclass(frozen=True)
class LevelRivalsRun:
    """Shapes whose levels of detail are held beside decimated meshes."""

    shapes: list[str]
    """Named shapes or paths."""
    resolution: int = 256
    """Samples along each side."""
    preset: str = "surface"
    """Settings of the fits."""
    points: int = 60_000
    """Points on each mesh, in each direction."""
    seed: int = 0
    """Seed of these points."""
    output: str = "runs/level_rivals"
    """Folder to write."""


@dataclass(frozen=True)
class Arguments(StudyArguments):
    """Measure levels of detail and their rivals."""


def run_level_rivals(run: LevelRivalsRun, *, fresh: bool, console: Console) -> list[Record]:
    """A record for every shape, level and mesh; those of shapes measured before are kept."""
    return study_shapes(
        run, lambda shape: _measure(shape, run), rivals_report,
        facts=("resolution", "preset", "points", "seed"), fresh=fresh, console=console,
    )  # fmt: skip


def _measure(shape: Shape, run: LevelRivalsRun) -> list[Record]:
    settings = preset(run.preset)
    voxels = VoxelizeSettings(run.resolution, target=target_for(run.preset))
    began = time.perf_counter()
    occupancy = voxelize_mesh(shape.mesh, voxels, block_size=settings.block_size)
    target = target_of(shape.mesh, occupancy, voxels, scales=settings.scales)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.miner"
        fit_to_file(target, occupancy.grid, settings, path)
        made = time.perf_counter() - began
        model = load_model(path)
        levels: dict[int, list[tuple[str, TriangleMesh, float]]] = {}
        for scale in range(model.num_scales):
            began = time.perf_counter()
            mesh = extract_level(model, scale)
            meshed = time.perf_counter() - began
            levels[scale] = [(MINER, _as_filed(mesh, Path(scratch)), meshed)]
            if target_for(run.preset) == "distance":
                sharp = sharpen(mesh, model.grid.at_scale(scale).spacing[0])
                seconds = time.perf_counter() - began
                levels[scale].append((SHARPENED, _as_filed(sharp, Path(scratch)), seconds))
    voxel = occupancy.grid.spacing[0]
    finest = levels[0][0][1]
    records = []
    for scale, meshes in levels.items():
        # All levels come from one fit, which each is charged with.
        for name, mesh, seconds in meshes:
            if len(mesh.faces):
                records.append(_judged(name, scale, mesh, made + seconds, shape.mesh, voxel, run))
        mesh = meshes[0][1]
        if not len(mesh.faces):
            continue
        for rival, whole in ((OF_SOURCE, shape.mesh), (OF_FINEST, finest)):
            if len(mesh.faces) < len(whole.faces):
                began = time.perf_counter()
                try:
                    fewer = decimate(whole, len(mesh.faces))
                except MeshError:
                    # Not closed: said by the row's absence and the report's text.
                    continue
                seconds = time.perf_counter() - began
                records.append(_judged(rival, scale, fewer, seconds, shape.mesh, voxel, run))
    return records


def _as_filed(mesh: TriangleMesh, folder: Path) -> TriangleMesh:
    """The mesh as a PLY file holds it."""
    path = folder / "mesh.ply"
    write_mesh(path, mesh)
    return read_mesh(path)


def _judged(
    name: str, scale: int, mesh: TriangleMesh, seconds: float, source: TriangleMesh, voxel: float,
    run: LevelRivalsRun,
) -> Record:  # fmt: skip
    there = source_errors(mesh, source, samples=run.points, seed=run.seed)
    back = source_errors(source, mesh, samples=run.points, seed=run.seed + 1)
    return {
        "mesh": name,
        "scale": scale,
        "triangles": len(mesh.faces),
        "seconds": seconds,
        "to_source_voxels": float(there.distances.mean() / voxel),
        "from_source_voxels": float(back.distances.mean() / voxel),
        "normal_degrees": float((there.angles.mean() + back.angles.mean()) / 2),
        "hardware": device_name("cpu"),
    }


def rivals_report(records: Sequence[Record]) -> str:
    """Markdown: for every level the median over the shapes, then every mesh."""
    first = records[0]
    shapes = list(dict.fromkeys(r["shape"] for r in records))
    lines = [
        f"# Levels of detail and decimated meshes at {first['resolution']}^3",
        "",
        f"Shapes: {', '.join(shapes)}. Distances are means over {first['points']:,} points in "
        "voxels of level of detail 0: from the mesh to the source's triangles, and back; normals "
        "are the mean of both directions, in degrees. A level is charged with the whole fit, which "
        "all levels share, and its own meshing; a decimated mesh with the collapse alone. "
        "Sharpened is a level with its sharp edges put back (extract --sharp), in more triangles. "
        "Rivals are missing where they would need more triangles than there are, or a closed mesh. "
        f"Medians over the shapes that have all three meshes of a level; preset {first['preset']}, "
        f"on {first['hardware']}.",
        "",
        "| level | shapes | mesh | to source | from source | normals | seconds |",
        "|---:|---:|---|---:|---:|---:|---:|",
    ]
    keys = ("to_source_voxels", "from_source_voxels", "normal_degrees", "seconds")
    for scale in sorted({r["scale"] for r in records}):
        here = [r for r in records if r["scale"] == scale]
        kinds = (MINER, OF_SOURCE, OF_FINEST) if scale else (MINER, OF_SOURCE)
        complete = [s for s in shapes if {r["mesh"] for r in here if r["shape"] == s} >= {*kinds}]
        for kind in (*kinds, SHARPENED):
            own = [r for r in here if r["mesh"] == kind and r["shape"] in complete]
            if own:
                cells = " | ".join(f"{np.median([r[key] for r in own]):.3g}" for key in keys)
                lines.append(f"| {scale} | {len(own)} | {kind} | {cells} |")
    lines += [
        "",
        "| shape | level | mesh | triangles | to source | from source | normals | seconds |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    for r in records:
        cells = " | ".join(f"{r[key]:.3g}" for key in keys)
        lines.append(
            f"| {r['shape']} | {r['scale']} | {r['mesh']} | {r['triangles']:,} | {cells} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run from the command line."""

    def work(run: LevelRivalsRun, fresh: bool, console: Console) -> str:
        records = run_level_rivals(run, fresh=fresh, console=console)
        return rivals_report(records)

    return study_command("python -m pipelines.level_rivals", Arguments, LevelRivalsRun, work)


if __name__ == "__main__":
    raise SystemExit(main())
