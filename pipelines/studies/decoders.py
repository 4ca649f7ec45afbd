"""Ways from a fitted representation to a mesh: its samples, or what lies between them.

``python -m pipelines.studies.decoders configs/decoders.yaml [--resolution 512]``
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from rich.console import Console

from eval import edge_errors, iou_voxel_sparse, source_errors
from eval.metrics import iou_off_grid
from eval.report import Column, Spread, Table, markdown_text
from eval.runs import Record, device_name
from eval.shapes import Shape
from geom_miner import (
    Representation,
    SampleGrid,
    TriangleMesh,
    VoxelizeSettings,
    preset,
    sharpen,
    voxelize_mesh,
)
from geom_miner.constraints import Range
from geom_miner.extract import extract_mesh
from geom_miner.grid import (
    BlockGrid,
    SparseBlocks,
    doubled,
    upsample,
    upsample_blocks,
    varying_when_upsampled,
)
from geom_miner.kernels import load_backend
from geom_miner.model import BlockMLPs, local_coordinates
from geom_miner.targets import target_of_occupancy
from geom_miner.voxelize import Occupancy
from pipelines.studies.fitted_shape import fit_shape
from pipelines.studies.seams import seam
from pipelines.studies.study import Study, Trial, study_shapes

# The rows' names.
SAMPLES = "samples (what extract does)"
SHARPENED = "samples, sharpened (extract --sharp)"
DOUBLED = "samples, interpolated to twice as many"
BETWEEN = "block MLPs asked between the samples"
COARSER = "scale 1 alone"
EXACT = "exact distance, nothing fitted"
EXACT_SHARPENED = "exact distance, sharpened"
EXACT_FINER = "exact distance on twice the samples"


@dataclass(frozen=True)
class DecodersConfig:
    """Shapes whose fits are meshed in several ways."""

    shapes: list[str]
    """Named shapes or paths."""
    preset: str = "surface"
    """Preset of the fits: one for a distance."""
    resolution: Annotated[int, Range(2, 1 << 15)] = 256
    """Samples along each side."""
    points: Annotated[int, Range(1, 10**9)] = 60_000
    """Points on each mesh that are held against the source, and on the source's sharp edges."""
    seed: Annotated[int, Range(at_least=0, below=1 << 63)] = 0
    """Seed of these points."""
    output: str = "runs/decoders"
    """Folder to write."""


@dataclass(frozen=True)
class _Decoded:
    """A field on a grid, and how its mesh is made of it."""

    field: SparseBlocks
    grid: SampleGrid
    doublings: int
    """How often the field is interpolated until it has twice the samples of scale 0."""
    finish: Callable[[TriangleMesh], TriangleMesh] | None = None


def trials(config: DecodersConfig, folder: Path, console: Console) -> Iterator[Trial]:
    """One for every shape; it has a record for each way."""
    names = ("resolution", "preset", "points", "seed")
    decides = {name: getattr(config, name) for name in names}
    for shape, key in study_shapes(config.shapes, console):
        yield Trial({**key, **decides}, partial(_measure, shape, config), shape.name)


def between_samples(representation: Representation) -> SparseBlocks:
    """Scale 0 on twice as many samples: block MLPs evaluated there, not interpolated.

    What the MLPs are added to is defined on samples alone and is interpolated, as is a block
    without an MLP.
    """
    finest = representation.scales[-1]
    assert isinstance(finest, BlockMLPs)
    bare = replace(finest, fitted=torch.zeros_like(finest.fitted), parameters=finest.parameters[:0])
    scales = (*representation.scales[:-1], bare)
    predicted = replace(representation, scales=scales).decode(0)
    decoded = representation.decode(0)
    layout = BlockGrid(tuple(2 * n for n in finest.layout.counts), finest.layout.block_shape)
    ids = varying_when_upsampled(decoded)
    values = upsample_blocks(decoded, layout, ids)
    inside = local_coordinates(layout.block_shape, representation.device)
    kernel = load_backend("auto", representation.device)
    places = finest.layout.coordinates_of(finest.fitted_ids)
    for corner in itertools.product((0, 1), repeat=layout.ndim):
        side = torch.tensor(corner, device=representation.device)
        children = layout.ids_of(2 * places + side)
        there = ((inside + 2.0 * side - 1.0) / 2.0).contiguous()
        own = kernel.evaluate(finest.architecture, finest.parameters, there)
        rows = torch.searchsorted(ids, children)
        values[rows] = upsample_blocks(predicted, layout, children) + own
    return SparseBlocks(layout, ids, values, doubled(decoded.constants))


def _ways(
    model: Representation, occupancy: Occupancy, finer: Occupancy
) -> Iterator[tuple[str, _Decoded]]:
    grid, decoded = occupancy.grid, model.decode(0)
    finish = partial(sharpen, voxel=grid.spacing[0])
    yield SAMPLES, _Decoded(decoded, grid, 1)
    yield SHARPENED, _Decoded(decoded, grid, 1, finish)
    yield DOUBLED, _Decoded(upsample(decoded), finer.grid, 0)
    yield BETWEEN, _Decoded(between_samples(model), finer.grid, 0)
    yield COARSER, _Decoded(model.decode(1), grid.at_scale(1), 2)
    for name, voxels, doublings in ((EXACT, occupancy, 1), (EXACT_FINER, finer, 0)):
        exact = target_of_occupancy(voxels, "distance", scales=1).scales[0]
        assert isinstance(exact, SparseBlocks)
        yield name, _Decoded(exact, voxels.grid, doublings)
        if name == EXACT:
            yield EXACT_SHARPENED, _Decoded(exact, voxels.grid, doublings, finish)


def _measure(shape: Shape, config: DecodersConfig) -> list[Record]:
    chosen = preset(config.preset)
    fitted = fit_shape(shape.mesh, chosen.target, chosen.settings, config.resolution)
    occupancy, model = fitted.occupancy, fitted.model
    twice, four_times = (
        voxelize_mesh(
            shape.mesh,
            VoxelizeSettings(k * config.resolution),
            block_size=chosen.settings.block_size,
        )
        for k in (2, 4)
    )
    voxel = occupancy.grid.spacing[0]
    records = []
    evaluated: tuple[SparseBlocks | None, Record] = None, {}
    for name, way in _ways(model, occupancy, twice):
        # Ways that differ in their mesh alone share the evaluation of the field.
        if evaluated[0] is not way.field:
            evaluated = way.field, _between(way, twice, four_times)
        began = time.perf_counter()
        mesh = extract_mesh(way.field, way.grid, iso_level=0.5)
        mesh = way.finish(mesh) if way.finish else mesh
        seconds = time.perf_counter() - began
        sampling = {"samples": config.points, "seed": config.seed}
        errors = source_errors(mesh, shape.mesh, **sampling)
        records.append(
            {
                "way": name,
                **errors.summary(voxel),
                "edge_error_voxels": edge_errors(mesh, shape.mesh, voxel=voxel, **sampling),
                "seam": seam(errors, occupancy.grid, model.scales[-1].layout.block_shape),
                **evaluated[1],
                "triangles": len(mesh.faces),
                "seconds": seconds,
                "hardware": device_name("cpu"),
            }
        )
    return records


def _between(way: _Decoded, twice: Occupancy, four_times: Occupancy) -> Record:
    field = way.field
    for _ in range(way.doublings):
        field = upsample(field)
    same = twice.blocks.extended(field.layout)
    return {
        "iou_offgrid_2x": iou_voxel_sparse(field, same, shape=twice.grid.shape, threshold=0.5),
        "iou_offgrid_4x": iou_off_grid(field, four_times.blocks, shape=four_times.grid.shape),
    }


_COLUMNS: tuple[tuple[str, Callable[[Record], float | None], str], ...] = (
    ("surface error, voxels", lambda r: r["surface_error_voxels"]["mean"], ".4f"),
    ("normal error, degrees", lambda r: r["normal_error_degrees"]["mean"], ".2f"),
    ("edge error, voxels", lambda r: (r["edge_error_voxels"] or {}).get("mean"), ".3f"),
    ("seams", lambda r: r["seam"], ".2f"),
    ("IoU, 2x", lambda r: r["iou_offgrid_2x"], ".4f"),
    ("IoU, 4x", lambda r: r["iou_offgrid_4x"], ".4f"),
    ("triangles", lambda r: r["triangles"], ",.0f"),
    ("meshing, s", lambda r: r["seconds"], ".2f"),
)


def _column(title: str, value: Callable[[Record], float | None], form: str) -> Column[list[Record]]:
    """A median over the records of a row."""
    return Column(title, lambda rows: Spread([value(r) for r in rows]).middle(), form)


def report(config: DecodersConfig, records: Sequence[Record]) -> str:
    """Markdown: medians over the shapes, then every shape."""
    shapes = dict.fromkeys(r["shape"] for r in records)
    columns = [_column(*column) for column in _COLUMNS]
    way: Column[list[Record]] = Column("way", lambda rows: rows[0]["way"], left=True)
    shape: Column[list[Record]] = Column("shape", lambda rows: rows[0]["shape"], left=True)
    ways = dict.fromkeys(r["way"] for r in records)
    medians = Table([way, *columns], [[r for r in records if r["way"] == w] for w in ways])
    single = Table([shape, way, *columns], [[r] for r in records])
    return (
        f"# Ways of decoding at {config.resolution}^3\n\n"
        f"Shapes: {markdown_text(', '.join(shapes))}; preset {config.preset}, "
        "read back from its file. Errors "
        f"are means of {config.points:,} points: on the mesh against the source's triangles, and "
        "on the source's edges sharper than 30 degrees against the mesh (- where it has none), "
        "in voxels of scale 0. Seams: error within half a sample of a block's face over that more "
        "than two samples inside. IoU between the samples, on lattices twice and four times as "
        "fine, of the field interpolated linearly as far as needed; what is sharpened is the mesh "
        f"alone. Medians over the shapes; on {records[0]['hardware']}.\n\n"
        f"{medians.markdown()}\n{single.markdown()}"
    )


DECODERS = Study(
    module="pipelines.studies.decoders",
    summary="Measure ways of decoding.",
    config=DecodersConfig,
    trials=trials,
    report=report,
)

if __name__ == "__main__":
    raise SystemExit(DECODERS.main())
