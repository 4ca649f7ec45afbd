"""How near a fit's mesh comes to the surface: targets and settings beside what the grid allows.

``python -m pipelines.studies.fidelity configs/fidelity.yaml [--resolution 512]``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console

from eval import iou_voxel_sparse, source_errors
from eval.metrics import iou_off_grid
from eval.pictures import draw_closeups
from eval.report import Column, Spread, Table, markdown_text
from eval.runs import Record, device_name
from eval.shapes import Shape
from geom_miner import (
    TriangleMesh,
    VoxelizeSettings,
    extract_level,
    mesh_target,
    preset,
    read_mesh,
    sharpen,
    voxelize_mesh,
    write_mesh,
)
from geom_miner.atomic_files import make_folder
from geom_miner.constraints import Range
from geom_miner.errors import SettingsError
from geom_miner.extract import extract_mesh
from geom_miner.fit import AnySettings
from geom_miner.grid import SampleGrid, SparseBlocks
from geom_miner.terminal import Terminal
from pipelines.studies.fitted_shape import fit_shape
from pipelines.studies.seams import seam
from pipelines.studies.study import Study, Trial, study_shapes

# What marching cubes makes of the targets themselves, nothing being fitted.
FLOORS = ("occupancy", "coverage", "distance")
_FLOOR = "{} itself"


@dataclass(frozen=True)
class FidelityConfig:
    """Several shapes, fitted in several ways, and how far their meshes are from the source."""

    shapes: list[str]
    """Named shapes or paths."""
    entries: dict[str, Any]
    """Name of an entry, and its ``preset``, ``target``, settings that differ from the preset, and
    ``sharp: true`` for a mesh whose sharp edges are put back."""
    against: str
    """Entry that the parameters, bytes and times of the others are relative to."""
    drawn: list[str] = field(default_factory=list)
    """Entries whose meshes are kept, and drawn beside the source."""
    resolution: Annotated[int, Range(2, 1 << 15)] = 256
    """Samples along each side."""
    points: Annotated[int, Range(1, 10**9)] = 60_000
    """Points on each mesh that are compared with the source."""
    seed: Annotated[int, Range(at_least=0, below=1 << 63)] = 0
    """Seed of these points."""
    output: str = "runs/fidelity"
    """Folder to write."""


@dataclass(frozen=True)
class Entry:
    """A way to fit; or, without settings, a target that is meshed as it is."""

    target: str
    settings: AnySettings | None = None
    sharp: bool = False

    @property
    def key(self) -> Record:
        """What a record of this entry is found by."""
        settings = asdict(self.settings) if self.settings else None
        return {"target": self.target, "sharp": self.sharp, "settings": settings}


def entries_of(config: FidelityConfig) -> dict[str, Entry]:
    """The floors and the configured entries, checked before anything is measured."""
    entries = {_FLOOR.format(target): Entry(target) for target in FLOORS}
    for name, changes in config.entries.items():
        if name in entries or not isinstance(changes, dict):
            raise SettingsError(f"entries must map names to settings, got {name}: {changes!r}")
        entries[name] = _parse_entry(name, changes)
    if config.against not in config.entries:
        raise SettingsError(f"against must be one of the entries, got {config.against!r}")
    if not set(config.drawn) <= set(entries):
        raise SettingsError(f"drawn must name entries, got {config.drawn}")
    return entries


def _parse_entry(name: str, given: Mapping[str, Any]) -> Entry:
    changes = dict(given)
    base = preset(str(changes.pop("preset", "surface")))
    target = str(changes.pop("target", base.target))
    sharp = changes.pop("sharp", False)
    if not isinstance(sharp, bool) or (sharp and target != "distance"):
        raise SettingsError(
            f"sharp must be true or false, and true for a distance alone, got {name}: {sharp!r}"
        )
    unknown = sorted(set(changes) - set(asdict(base.settings)))
    if unknown:
        raise SettingsError(f"entry {name} has no setting {unknown[0]!r}")
    return Entry(target, replace(base.settings, **changes), sharp)


def trials(config: FidelityConfig, folder: Path, console: Console) -> Iterator[Trial]:
    """Every entry on every shape."""
    entries = entries_of(config)
    decides = {"resolution": config.resolution, "points": config.points, "seed": config.seed}
    for shape, key in study_shapes(config.shapes, console):
        for name, entry in entries.items():
            kept = folder / shape.name / f"{name}.ply" if name in config.drawn else None
            yield Trial(
                key={**key, **decides, **entry.key},
                measure=partial(_measure, shape, entry, config, kept),
                title=f"{shape.name}: {name}",
                label={"row": name},
                files=(kept,) if kept else (),
            )


def _measure(shape: Shape, entry: Entry, config: FidelityConfig, kept: Path | None) -> Record:
    """Fit to a file and evaluate what the file holds; or evaluate the target itself."""
    record: Record = {"hardware": device_name("cpu")}
    if entry.settings is None:
        voxels = VoxelizeSettings(config.resolution)
        target = mesh_target(shape.mesh, entry.target, voxels, scales=1).target
        values, grid = target.scales[0], target.grid
        assert isinstance(values, SparseBlocks)
        mesh = extract_mesh(values, grid, iso_level=target.iso_level)
    else:
        fitted = fit_shape(shape.mesh, entry.target, entry.settings, config.resolution)
        record["file_bytes"] = fitted.file_bytes
        record["seconds"] = fitted.fit_seconds
        record["parameters"] = fitted.model.num_parameters
        values, grid = fitted.model.decode(0), fitted.model.grid
        mesh = extract_level(fitted.model, 0)
    if entry.sharp:
        mesh = sharpen(mesh, grid.spacing[0])
    if kept:
        make_folder(kept.parent)
        write_mesh(kept, mesh)
    return record | _evaluate(shape.mesh, mesh, values, grid, config)


def _evaluate(
    source: TriangleMesh,
    mesh: TriangleMesh,
    values: SparseBlocks,
    grid: SampleGrid,
    config: FidelityConfig,
) -> Record:
    size = values.layout.block_shape[0]
    truth, between = (
        voxelize_mesh(source, VoxelizeSettings(k * config.resolution), block_size=size)
        for k in (1, 2)
    )
    errors = source_errors(mesh, source, samples=config.points, seed=config.seed)
    return {
        **errors.summary(grid.spacing[0]),
        "seam": seam(errors, grid, values.layout.block_shape),
        "iou": iou_voxel_sparse(
            values, truth.blocks.extended(values.layout), shape=grid.shape, threshold=0.5
        ),
        "iou_offgrid_2x": iou_off_grid(values, between.blocks, shape=between.grid.shape),
        "triangles": len(mesh.faces),
    }


def _relative(name: str, digits: int, value: Callable[[Record, Record, Record], Any]) -> Any:
    """A column of spreads over shapes: value of (record, floor, reference entry)."""
    return Column[list[tuple[Record, Record, Record]]](
        name, lambda triples: Spread([value(*triple) for triple in triples]), f".{digits}f"
    )


def _ratio(key: str) -> Callable[[Record, Record, Record], float | None]:
    return lambda record, _, against: record[key] / against[key] if key in record else None


_COLUMNS = (
    _relative(
        "surface error / floor", 2, lambda r, f, _: _mean(r, "surface") / _mean(f, "surface")
    ),
    _relative("normal error / floor", 2, lambda r, f, _: _mean(r, "normal") / _mean(f, "normal")),
    _relative("seams / floor's", 2, lambda r, f, _: r["seam"] / f["seam"]),
    _relative("IoU", 5, lambda r, _, __: r["iou"]),
    _relative("IoU between samples", 4, lambda r, _, __: r["iou_offgrid_2x"]),
    _relative("parameters", 2, _ratio("parameters")),
    _relative("bytes", 2, _ratio("file_bytes")),
    _relative("seconds", 2, _ratio("seconds")),
)


def _mean_and(key: str, other: str, form: str, other_form: str) -> Callable[[Record], str]:
    return lambda r: f"{r[key]['mean']:{form}} / {r[key][other]:{other_form}}"


_EVERY_SHAPE: tuple[Column[Record], ...] = (
    Column("shape", lambda r: r["shape"], left=True),
    Column("entry", lambda r: r["row"], left=True),
    Column("surface", _mean_and("surface_error_voxels", "p95", ".4f", ".3f")),
    Column("normals", _mean_and("normal_error_degrees", "median", ".2f", ".2f")),
    Column("seconds", lambda r: r.get("seconds"), ".2f"),
    Column("parameters", lambda r: r.get("parameters"), ","),
    Column("IoU", lambda r: r["iou"], ".5f"),
)


def report(config: FidelityConfig, records: Sequence[Record]) -> str:
    """Markdown: medians and the spread over shapes of every entry, then every shape by itself."""
    floors = {r["shape"]: r for r in records if r["row"] == _FLOOR.format("distance")}
    others = {r["shape"]: r for r in records if r["row"] == config.against}
    groups = {
        row: [(r, floors[r["shape"]], others[r["shape"]]) for r in records if r["row"] == row]
        for row in dict.fromkeys(r["row"] for r in records)
    }
    by_entry: list[Column[Any]] = [Column("entry", lambda t: t[0][0]["row"], left=True), *_COLUMNS]
    return (
        f"# Fidelity at {config.resolution}^3\n\n"
        f"Shapes: {markdown_text(', '.join(floors))}. "
        "Median over them and, in brackets, smallest to largest. "
        f"Errors are those of {config.points:,} points on the mesh of level of detail 0 against "
        "the source's own triangles, relative to the floor: marching cubes on the exact distance, "
        "nothing fitted. Seams: error within half a sample of a block's face over that more than "
        "two samples inside, relative to the floor's. Parameters, bytes and seconds of the fit "
        f"are relative to the entry {config.against}. On {records[0]['hardware']}.\n\n"
        f"{Table(by_entry, list(groups.values())).markdown()}\n"
        "Surface error in voxels (mean / 95 %) and normal error in degrees (mean / median):\n\n"
        f"{Table(_EVERY_SHAPE, records).markdown()}"
    )


def _mean(record: Record, what: str) -> float:
    key = {"surface": "surface_error_voxels", "normal": "normal_error_degrees"}[what]
    return float(record[key]["mean"])


def draw(config: FidelityConfig, folder: Path, records: Sequence[Record]) -> None:
    """``<shape>.png``: the source and the drawn entries, close by."""
    if not config.drawn:
        return
    for shape, _ in study_shapes(config.shapes, Terminal(quiet=True)):
        meshes = {f"{shape.title}: {shape.faces:,} faces": shape.mesh}
        for record in records:
            if record["shape"] == shape.name and record["row"] in config.drawn:
                caption = (
                    f"{record['row']}: {_mean(record, 'surface'):.3f} voxel, "
                    f"{_mean(record, 'normal'):.1f} degrees"
                )
                meshes[caption] = read_mesh(folder / shape.name / f"{record['row']}.ply")
        draw_closeups(folder / f"{shape.name}.png", shape.view.framing(shape.mesh), meshes)


FIDELITY = Study(
    module="pipelines.studies.fidelity",
    summary="Measure how near fits come to the surfaces they were made from.",
    config=FidelityConfig,
    trials=trials,
    report=report,
    finish=draw,
)

if __name__ == "__main__":
    raise SystemExit(FIDELITY.main())
