"""How near a fit's mesh comes to the surface: targets and settings beside what the grid allows.

``python -m pipelines.fidelity configs/fidelity.yaml [--resolution 512]``
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from eval import iou_off_grid, iou_voxel_sparse, source_errors
from eval.runs import (
    Record,
    StudyArguments,
    device_name,
    manifest,
    portable,
    read_records,
    write_json,
    write_records,
    write_text,
)
from eval.shapes import Shape, find_shape
from geom_miner import (
    FitSettings,
    TriangleMesh,
    VoxelizeSettings,
    extract_level,
    fit_to_file,
    load_model,
    preset,
    read_mesh,
    sharpen,
    voxelize_mesh,
    write_mesh,
)
from geom_miner.atomic_files import make_folder
from geom_miner.errors import SettingsError
from geom_miner.extract import extract_mesh
from geom_miner.fit import target_for
from geom_miner.grid import SparseBlocks
from geom_miner.voxelize import Occupancy, target_of
from pipelines.pictures import draw_closeups
from pipelines.seams import seam
from pipelines.shape_study import study_command

# What marching cubes makes of the targets themselves, nothing being fitted.
FLOORS = ("occupancy", "coverage", "distance")
_FLOOR = "{} itself"


@dataclass(frozen=True)
class FidelityRun:
    """Several shapes, fitted in several ways, and how far their meshes are from the source."""

    shapes: list[str]
    """Named shapes or paths."""
    rows: dict[str, Any]
    """Name of a row, and its ``preset``, ``target``, settings that differ from the preset, and
    ``sharp: true`` for a mesh whose sharp edges are put back."""
    against: str
    """Row whose numbers and time the others' are relative to."""
    drawn: list[str] = field(default_factory=list)
    """Rows whose meshes are kept, and drawn beside the source."""
    resolution: int = 256
    """Samples along each side."""
    points: int = 60_000
    """Points on each mesh that are held against the source."""
    seed: int = 0
    """Seed of these points."""
    output: str = "runs/fidelity"
    """Folder to write."""


@dataclass(frozen=True)
class Arguments(StudyArguments):
    """Measure how near fits come to the surfaces they were made from."""


@dataclass(frozen=True)
class _Row:
    """A way to fit; or, without settings, a target to mesh as it is."""

    target: str
    settings: FitSettings | None = None
    sharp: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """What a record of this row is told by."""
        facts: dict[str, Any] = {"target": self.target, "sharp": self.sharp}
        return facts | {"settings": asdict(self.settings) if self.settings else None}


def run_fidelity(run: FidelityRun, *, fresh: bool, console: Console) -> list[Record]:
    """One record per shape and row; those of an earlier run with equal settings are kept."""
    rows = _rows(run)
    folder = make_folder(Path(run.output))
    book = folder / "records.jsonl"
    known = [] if fresh else read_records(book)
    records: list[Record] = []
    for name in run.shapes:
        shape = find_shape(name, console=console)
        for row, way in rows.items():
            facts = {
                "shape": shape.name,
                "faces": shape.faces,
                "resolution": run.resolution,
                "points": run.points,
                "seed": run.seed,
                **way.facts,
            }
            record = next((r for r in known if facts.items() <= r.items()), None)
            kept = folder / shape.name / f"{row}.ply" if row in run.drawn else None
            if record is None or (kept and not kept.is_file()):
                console.print(f"  {shape.name}: {row}", highlight=False, markup=False)
                mesh, found = _measure(shape, way, run)
                record = {**facts, **found}
                if kept:
                    make_folder(kept.parent)
                    write_mesh(kept, mesh)
                known.append(record)
                write_records(book, known)
            records.append({**record, "row": row})
        if run.drawn:
            _draw(shape, folder, run, [r for r in records if r["shape"] == shape.name])
    facts = manifest(config=portable(run), seed=run.seed, device="cpu", backend="cpu")
    write_json(folder / "manifest.json", facts)
    write_text(folder / "report.md", fidelity_report(records, run.against))
    return records


def _rows(run: FidelityRun) -> dict[str, _Row]:
    rows = {_FLOOR.format(target): _Row(target) for target in FLOORS}
    for name, changes in run.rows.items():
        if name in rows or not isinstance(changes, dict):
            raise SettingsError(f"rows must map names to settings, got {name}: {changes!r}")
        changes = dict(changes)
        base = str(changes.pop("preset", "surface"))
        target = str(changes.pop("target", target_for(base)))
        sharp = changes.pop("sharp", False)
        if not isinstance(sharp, bool) or (sharp and target != "distance"):
            raise SettingsError(
                f"sharp must be true or false, and true for a distance alone, got {name}: {sharp!r}"
            )
        unknown = sorted(set(changes) - set(asdict(preset(base))))
        if unknown:
            raise SettingsError(f"row {name} has no setting {unknown[0]!r}")
        rows[name] = _Row(target, replace(preset(base), **changes), sharp)
    if run.against not in run.rows:
        raise SettingsError(f"against must be one of the rows, got {run.against!r}")
    if not set(run.drawn) <= set(rows):
        raise SettingsError(f"drawn must name rows, got {run.drawn}")
    return rows


def _draw(shape: Shape, folder: Path, run: FidelityRun, records: Sequence[Record]) -> None:
    """``<shape>.png``: the source and the drawn rows, close by."""
    meshes = {f"{shape.title}: {shape.faces:,} faces": shape.mesh}
    for record in records:
        if record["row"] in run.drawn:
            caption = (
                f"{record['row']}: {_mean(record, 'surface'):.3f} voxel, "
                f"{_mean(record, 'normal'):.1f} degrees"
            )
            meshes[caption] = read_mesh(folder / shape.name / f"{record['row']}.ply")
    draw_closeups(folder / f"{shape.name}.png", shape.view.framing(shape.mesh), meshes)


def _measure(shape: Shape, way: _Row, run: FidelityRun) -> tuple[TriangleMesh, Record]:
    """Fit to a file, forget the fit, and judge what the file holds; or judge the target itself."""
    settings = way.settings or preset("surface")
    voxels = VoxelizeSettings(run.resolution, target=way.target)  # type: ignore[arg-type]
    occupancy = voxelize_mesh(shape.mesh, voxels, block_size=settings.block_size)
    scales = settings.scales if way.settings else 1
    target = target_of(shape.mesh, occupancy, voxels, scales=scales)
    record: Record = {"hardware": device_name("cpu")}
    if way.settings is None:
        field_ = target if isinstance(target, SparseBlocks) else target.scales[0]
        mesh = extract_mesh(field_, occupancy.grid, iso_level=0.5)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "model.miner"
            result = fit_to_file(target, occupancy.grid, settings, path)
            record["file_bytes"] = path.stat().st_size
            model = load_model(path)
        record["seconds"] = sum(entry.seconds for entry in result.history)
        record["parameters"] = model.num_parameters
        field_, mesh = model.decode(0), extract_level(model, 0)
    if way.sharp:
        mesh = sharpen(mesh, occupancy.grid.spacing[0])
    return mesh, record | _judged(shape.mesh, mesh, field_, occupancy, run)


def _judged(
    source: TriangleMesh, mesh: TriangleMesh, values: SparseBlocks, occupancy: Occupancy,
    run: FidelityRun,
) -> Record:  # fmt: skip
    grid = occupancy.grid
    size = values.layout.block_shape[0]
    truth = voxelize_mesh(source, VoxelizeSettings(run.resolution), block_size=size)
    between = voxelize_mesh(source, VoxelizeSettings(2 * run.resolution), block_size=size)
    errors = source_errors(mesh, source, samples=run.points, seed=run.seed)
    return {
        **errors.summary(grid.spacing[0]),
        "seam": seam(errors, grid, values.layout.block_shape),
        "iou": iou_voxel_sparse(
            values, truth.blocks.extended(values.layout), shape=grid.shape, threshold=0.5
        ),
        "iou_offgrid_2x": iou_off_grid(values, between.blocks, shape=between.grid.shape),
        "triangles": len(mesh.faces),
    }


_COLUMNS: tuple[tuple[str, Callable[[Record, Record, Record], float], str], ...] = (
    ("surface error / floor", lambda r, d, _: _mean(r, "surface") / _mean(d, "surface"), ".2f"),
    ("normal error / floor", lambda r, d, _: _mean(r, "normal") / _mean(d, "normal"), ".2f"),
    ("seams / floor's", lambda r, d, _: r["seam"] / d["seam"], ".2f"),
    ("IoU", lambda r, _, __: r["iou"], ".5f"),
    ("IoU between samples", lambda r, _, __: r["iou_offgrid_2x"], ".4f"),
    ("parameters", lambda r, _, a: _ratio(r, a, "parameters"), ".2f"),
    ("bytes", lambda r, _, a: _ratio(r, a, "file_bytes"), ".2f"),
    ("seconds", lambda r, _, a: _ratio(r, a, "seconds"), ".2f"),
)


def fidelity_report(records: Sequence[Record], against: str) -> str:
    """Markdown: medians and the worst shape of every row, then every shape by itself."""
    floors = {r["shape"]: r for r in records if r["row"] == _FLOOR.format("distance")}
    others = {r["shape"]: r for r in records if r["row"] == against}
    first = records[0]
    lines = [
        f"# Fidelity at {first['resolution']}^3",
        "",
        f"Shapes: {', '.join(floors)}. Median over them and, in brackets, smallest to largest. "
        f"Errors are those of {first['points']:,} points on the mesh of level of detail 0 against "
        "the source's own triangles, relative to the floor: marching cubes on the exact distance, "
        "nothing fitted. Seams: error within half a sample of a block's face over that more than "
        f"two samples inside, relative to the floor's. Parameters, bytes and seconds of the fit "
        f"are relative to the row {against}. On {first['hardware']}.",
        "",
        "| row | " + " | ".join(name for name, _, _ in _COLUMNS) + " |",
        "|---|" + "---:|" * len(_COLUMNS),
    ]
    for row in dict.fromkeys(r["row"] for r in records):
        own = [r for r in records if r["row"] == row]
        cells = []
        for _, value, form in _COLUMNS:
            values = [value(r, floors[r["shape"]], others[r["shape"]]) for r in own]
            cells.append(_spread(values, form))
        lines.append(f"| {row} | {' | '.join(cells)} |")
    lines += [
        "",
        "Surface error in voxels (mean / 95 %) and normal error in degrees (mean / median):",
        "",
        "| shape | row | surface | normals | seconds | parameters | IoU |",
        "|---|---|---:|---:|---:|---:|---:|",
        *map(_line, records),
    ]
    return "\n".join(lines) + "\n"


def _line(record: Record) -> str:
    surface, normal = record["surface_error_voxels"], record["normal_error_degrees"]
    seconds = f"{record['seconds']:.2f}" if "seconds" in record else "-"
    parameters = f"{record['parameters']:,}" if "parameters" in record else "-"
    return (
        f"| {record['shape']} | {record['row']} | {surface['mean']:.4f} / {surface['p95']:.3f} "
        f"| {normal['mean']:.2f} / {normal['median']:.2f} | {seconds} | {parameters} "
        f"| {record['iou']:.5f} |"
    )


def _mean(record: Record, what: str) -> float:
    key = {"surface": "surface_error_voxels", "normal": "normal_error_degrees"}[what]
    return float(record[key]["mean"])


def _ratio(record: Record, other: Record, key: str) -> float:
    return float(record[key] / other[key]) if key in record else float("nan")


def _spread(values: Sequence[float], form: str) -> str:
    if any(np.isnan(values)):
        return "-"
    middle, low, high = (format(v, form) for v in (np.median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low}-{high})"


def main() -> int:
    """Run from the command line."""

    def work(run: FidelityRun, fresh: bool, console: Console) -> str:
        records = run_fidelity(run, fresh=fresh, console=console)
        return fidelity_report(records, run.against)

    return study_command("python -m pipelines.fidelity", Arguments, FidelityRun, work)


if __name__ == "__main__":
    raise SystemExit(main())
