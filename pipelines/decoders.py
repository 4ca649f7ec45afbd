"""Ways from a fitted representation to a mesh: its samples, or what lies between them.

``python -m pipelines.decoders configs/decoders.yaml [--resolution 512]``
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from eval import edge_errors, iou_off_grid, iou_voxel_sparse, source_errors
from eval.runs import Record, StudyArguments, device_name
from eval.shapes import Shape
from geom_miner import (
    Representation,
    SampleGrid,
    TriangleMesh,
    VoxelizeSettings,
    fit_to_file,
    load_model,
    preset,
    sharpen,
    voxelize_mesh,
)
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
from geom_miner.model import local_coordinates
from geom_miner.voxelize import Occupancy, target_of
from pipelines.seams import seam
from pipelines.shape_study import study_command, study_shapes

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
class DecodersRun:
    """Shapes whose fits are meshed in several ways."""

    shapes: list[str]
    """Named shapes or paths."""
    preset: str = "surface"
    """Preset of the fits: one for a distance."""
    resolution: int = 256
    """Samples along each side."""
    points: int = 60_000
    """Points on each mesh that are held against the source, and on the source's sharp edges."""
    seed: int = 0
    """Seed of these points."""
    output: str = "runs/decoders"
    """Folder to write."""


@dataclass(frozen=True)
class Arguments(StudyArguments):
    """Measure ways of decoding."""


@dataclass(frozen=True)
class _Decoded:
    """A field on a grid, and how its mesh is made of it."""

    field: SparseBlocks
    grid: SampleGrid
    doublings: int
    """How often the field is interpolated until it has twice the samples of scale 0."""
    finish: Callable[[TriangleMesh], TriangleMesh] | None = None


def run_decoders(run: DecodersRun, *, fresh: bool, console: Console) -> list[Record]:
    """A record for every shape and way; those of shapes measured before are kept."""
    return study_shapes(
        run, lambda shape: _measure(shape, run), decoders_report,
        facts=("resolution", "preset", "points", "seed"), fresh=fresh, console=console,
    )  # fmt: skip


def between_samples(representation: Representation) -> SparseBlocks:
    """Scale 0 on twice as many samples: block MLPs evaluated there, not interpolated.

    What the MLPs are added to is defined on samples alone and is interpolated, as is a block
    without an MLP.
    """
    finest = representation.levels[-1]
    bare = replace(finest, fitted=torch.zeros_like(finest.fitted), parameters=finest.parameters[:0])
    levels = (*representation.levels[:-1], bare)
    predicted = replace(representation, levels=levels).decode(0)
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
    model: Representation, occupancy: Occupancy, finer: Occupancy, source: TriangleMesh
) -> Iterator[tuple[str, _Decoded]]:
    grid, decoded = occupancy.grid, model.decode(0)
    finish = partial(sharpen, voxel=grid.spacing[0])
    yield SAMPLES, _Decoded(decoded, grid, 1)
    yield SHARPENED, _Decoded(decoded, grid, 1, finish)
    yield DOUBLED, _Decoded(upsample(decoded), finer.grid, 0)
    yield BETWEEN, _Decoded(between_samples(model), finer.grid, 0)
    yield COARSER, _Decoded(model.decode(1), grid.at_scale(1), 2)
    for name, voxels, doublings in ((EXACT, occupancy, 1), (EXACT_FINER, finer, 0)):
        settings = VoxelizeSettings(max(voxels.grid.shape), target="distance")
        exact = target_of(source, voxels, settings, scales=1)
        assert not isinstance(exact, SparseBlocks)
        yield name, _Decoded(exact.scales[0], voxels.grid, doublings)
        if name == EXACT:
            yield EXACT_SHARPENED, _Decoded(exact.scales[0], voxels.grid, doublings, finish)


def _measure(shape: Shape, run: DecodersRun) -> list[Record]:
    settings = preset(run.preset)
    voxels = VoxelizeSettings(run.resolution, target="distance")
    occupancy = voxelize_mesh(shape.mesh, voxels, block_size=settings.block_size)
    target = target_of(shape.mesh, occupancy, voxels, scales=settings.scales)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.miner"
        fit_to_file(target, occupancy.grid, settings, path)
        model = load_model(path)
    twice, four_times = (
        voxelize_mesh(
            shape.mesh, VoxelizeSettings(k * run.resolution), block_size=settings.block_size
        )
        for k in (2, 4)
    )
    voxel = occupancy.grid.spacing[0]
    records = []
    judged: tuple[SparseBlocks | None, Record] = None, {}
    for name, way in _ways(model, occupancy, twice, shape.mesh):
        # Ways that differ in their mesh alone share what is judged of the field.
        if judged[0] is not way.field:
            judged = way.field, _between(way, twice, four_times)
        between = judged[1]
        began = time.perf_counter()
        mesh = extract_mesh(way.field, way.grid, iso_level=0.5)
        mesh = way.finish(mesh) if way.finish else mesh
        seconds = time.perf_counter() - began
        errors = source_errors(mesh, shape.mesh, samples=run.points, seed=run.seed)
        edges = edge_errors(
            mesh, shape.mesh, voxel=voxel, samples=run.points, seed=run.seed
        )  # fmt: skip
        records.append(
            {
                "way": name,
                **errors.summary(voxel),
                "edge_error_voxels": edges,
                "seam": seam(errors, occupancy.grid, model.levels[-1].layout.block_shape),
                **between,
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


def decoders_report(records: Sequence[Record]) -> str:
    """Markdown: medians over the shapes, then every shape."""
    first, shapes = records[0], list(dict.fromkeys(r["shape"] for r in records))
    head = " | ".join(name for name, _, _ in _COLUMNS)
    lines = [
        f"# Ways of decoding at {first['resolution']}^3",
        "",
        f"Shapes: {', '.join(shapes)}; preset {first['preset']}, read back from its file. Errors "
        f"are means of {first['points']:,} points: on the mesh against the source's triangles, and "
        "on the source's edges sharper than 30 degrees against the mesh (dots where it has none), "
        "in voxels of scale 0. Seams: error within half a sample of a block's face over that more "
        "than two samples inside. IoU between the samples, on lattices twice and four times as "
        "fine, of the field interpolated linearly as far as needed; what is sharpened is the mesh "
        f"alone. Medians over the shapes; on {first['hardware']}.",
        "",
        f"| way | {head} |",
        "|---|" + "---:|" * len(_COLUMNS),
    ]
    for way in dict.fromkeys(r["way"] for r in records):
        own = [r for r in records if r["way"] == way]
        cells = [_median([value(r) for r in own], form) for _, value, form in _COLUMNS]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    lines += ["", f"| shape | way | {head} |", "|---|---|" + "---:|" * len(_COLUMNS)]
    for r in records:
        cells = [_median([value(r)], form) for _, value, form in _COLUMNS]
        lines.append(f"| {r['shape']} | {r['way']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _median(values: Sequence[float | None], form: str) -> str:
    there = [value for value in values if value is not None]
    return format(float(np.median(there)), form) if there else "..."


def main() -> int:
    """Run from the command line."""

    def work(run: DecodersRun, fresh: bool, console: Console) -> str:
        records = run_decoders(run, fresh=fresh, console=console)
        return decoders_report(records)

    return study_command("python -m pipelines.decoders", Arguments, DecodersRun, work)


if __name__ == "__main__":
    raise SystemExit(main())
