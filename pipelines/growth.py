"""How time and memory grow with the resolution, and what a mesh of many triangles costs.

``python -m pipelines.growth configs/bench_scale.yaml``
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console

from eval import growth_figure, iou_voxel_sparse
from geom_miner import (
    BlockGrid,
    TriangleMesh,
    VoxelizeSettings,
    build_pyramid,
    extract_level,
    fit_to_file,
    load_model,
    preset,
    read_mesh,
    voxelize_mesh,
    write_mesh,
)
from pipelines.command import run_command
from pipelines.config import load_config
from pipelines.manifest import (
    device_name,
    make_folder,
    manifest,
    peak_rss_bytes,
    portable,
    write_json,
    write_text,
)
from pipelines.own_process import in_own_process
from pipelines.shapes import find_shape

_GIB = 2**30


@dataclass(frozen=True)
class GrowthRun:
    """What is made at which resolutions."""

    grow: str
    """Shape: a name or a path."""
    voxelized: list[int] = field(default_factory=list)
    """Resolutions at which the shape is voxelized and its pyramid built."""
    fitted: list[int] = field(default_factory=list)
    """Resolutions at which it is also fitted to a file and meshed from it."""
    subdivisions: int = 0
    """Times that every triangle is cut into four, for the mesh of many triangles; 0 for none."""
    subdivided_resolution: int = 1024
    """Resolution at which that one is voxelized."""
    preset: str = "volume"
    """Settings of the fits."""
    output: str = "runs/bench_scale"
    """Folder to write."""


@dataclass(frozen=True)
class Arguments:
    """Measure growth; every row in a process of its own."""

    config: tyro.conf.Positional[Path]
    """YAML file of the run."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder to write, instead of the config's."""


def run_growth(run: GrowthRun, *, console: Console) -> dict[str, Any]:
    """All rows; written after each, so that an interrupt loses little."""
    folder = make_folder(Path(run.output))
    out: dict[str, Any] = {"rows": [], "many_triangles": None}

    def save() -> None:
        facts = manifest(config=portable(run), seed=0, device="cpu", backend="cpu")
        write_json(folder / "growth.json", {**facts, **out})
        write_text(folder / "report.md", growth_report(out))

    for resolution in sorted({*run.voxelized, *run.fitted}):
        stages = "fit and meshes" if resolution in run.fitted else "voxels and pyramid"
        with console.status(f"{run.grow} {resolution}^3: {stages}"):
            row = in_own_process(measure, run, resolution)
        out["rows"].append(row)
        save()
        console.print(_row(row), markup=False, highlight=False)
    if run.subdivisions:
        with tempfile.TemporaryDirectory() as scratch, console.status("a mesh of many triangles"):
            path = Path(scratch) / "subdivided.ply"
            in_own_process(write_subdivided, run, path)
            out["many_triangles"] = in_own_process(measure_triangles, run, path)
            save()
    growth_figure(
        [row["resolution"] for row in out["rows"]],
        {
            "voxels, s": [row["voxelize_seconds"] for row in out["rows"]],
            "fit, s": [row.get("fit_seconds") for row in out["rows"]],
            "peak memory, GiB": [row["peak_rss_bytes"] / _GIB for row in out["rows"]],
        },
        folder / "growth.png",
    )
    console.print(growth_report(out), markup=False, highlight=False)
    return out


def measure(run: GrowthRun, resolution: int) -> dict[str, Any]:
    """One resolution, stage by stage."""
    mesh = find_shape(run.grow, offline=True, console=Console(quiet=True)).mesh
    settings = preset(run.preset)
    # The coarsest scale stays as it is.
    settings = replace(settings, scales=max(1, resolution.bit_length() - 5))
    row: dict[str, Any] = {"resolution": resolution}

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        row[f"{stage}_seconds"] = time.perf_counter() - began
        return result

    voxels = VoxelizeSettings(resolution=resolution)
    occupancy = timed(
        "voxelize", lambda: voxelize_mesh(mesh, voxels, block_size=settings.block_size)
    )
    row["surface_blocks"] = len(occupancy.blocks.ids)
    if resolution not in run.fitted:
        layout = BlockGrid.covering(
            occupancy.grid.shape, occupancy.blocks.layout.block_shape, halvings=settings.scales - 1
        )
        timed("pyramid", lambda: build_pyramid(occupancy.blocks.extended(layout), settings.scales))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "model.miner"
            timed("fit", lambda: fit_to_file(occupancy.blocks, occupancy.grid, settings, path))
            model = load_model(path)
            row["file_bytes"] = path.stat().st_size
        row["parameters"] = model.num_parameters
        decoded = timed("decode", lambda: model.decode(0))
        row["iou"] = iou_voxel_sparse(
            decoded, occupancy.blocks.extended(decoded.layout),
            shape=occupancy.grid.shape, threshold=0.5,
        )  # fmt: skip
        del decoded
        surface = timed("extract", lambda: extract_level(model, 0))
        row["faces"] = len(surface.faces)
    row["peak_rss_bytes"] = peak_rss_bytes()
    return row


def write_subdivided(run: GrowthRun, path: Path) -> None:
    """Cut every triangle into four by its edges' midpoints, again and again."""
    mesh = find_shape(run.grow, offline=True, console=Console(quiet=True)).mesh
    vertices, faces = mesh.vertices, mesh.faces.astype(np.int64)
    for _ in range(run.subdivisions):
        ends = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2)
        keys, where = np.unique(ends[..., 0] * len(vertices) + ends[..., 1], return_inverse=True)
        middles = 0.5 * (vertices[keys // len(vertices)] + vertices[keys % len(vertices)])
        ab, bc, ca = where.reshape(-1, 3).T + len(vertices)
        a, b, c = faces.T
        cut = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
        faces = np.concatenate([np.stack(corners, axis=1) for corners in cut])
        vertices = np.concatenate([vertices, middles])
    write_mesh(path, TriangleMesh(vertices, faces))


def measure_triangles(run: GrowthRun, path: Path) -> dict[str, Any]:
    """Read and voxelize the mesh of many triangles."""
    began, cpu = time.perf_counter(), time.process_time()
    mesh = read_mesh(path)
    read = time.perf_counter() - began
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(resolution=run.subdivided_resolution))
    return {
        "faces": len(mesh.faces),
        "resolution": run.subdivided_resolution,
        "read_seconds": read,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "voxelizing_seconds": occupancy.report.seconds,
        "array_bytes": mesh.vertices.nbytes + mesh.faces.nbytes,
        "peak_rss_bytes": peak_rss_bytes(),
        "report": asdict(occupancy.report),
    }


def growth_report(out: dict[str, Any]) -> str:
    """The table, with the factor of each row over the one at half its resolution."""
    columns = ("voxelize_seconds", "fit_seconds", "extract_seconds", "peak_rss_bytes")
    lines = [
        "# Growth",
        "",
        f"On {device_name('cpu')}. In brackets, the factor over half the resolution.",
        "",
        "| resolution | surface blocks | voxels, s | fit, s | meshing, s | peak GiB | IoU |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    rows = {row["resolution"]: row for row in out["rows"]}
    for resolution, row in rows.items():
        half, cells = rows.get(resolution // 2, {}), []
        for name in columns:
            unit = _GIB if name == "peak_rss_bytes" else 1
            if name not in row:
                cells.append("-")
                continue
            factor = f" (x{row[name] / half[name]:.1f})" if name in half else ""
            cells.append(f"{row[name] / unit:.2f}{factor}")
        iou = f"{row['iou']:.5f}" if "iou" in row else "-"
        lines.append(f"| {resolution} | {row['surface_blocks']:,} | {' | '.join(cells)} | {iou} |")
    many = out["many_triangles"]
    if many:
        peak = many["peak_rss_bytes"]
        lines += [
            "",
            f"{many['faces']:,} triangles at {many['resolution']}^3: read in "
            f"{many['read_seconds']:.1f} s, voxelized in {many['voxelizing_seconds']:.1f} s, "
            f"{many['seconds']:.1f} s in all with the diagnosis; peak "
            f"{peak / _GIB:.2f} GiB, {peak / many['array_bytes']:.1f} times the mesh's arrays.",
        ]
    return "\n".join(lines) + "\n"


def _row(row: dict[str, Any]) -> str:
    parts = [f"{key.removesuffix('_seconds')} {value:.2f} s" for key, value in row.items()
             if key.endswith("_seconds")]  # fmt: skip
    return f"{row['resolution']}^3: {', '.join(parts)}, {row['peak_rss_bytes'] / _GIB:.2f} GiB"


def main() -> int:
    """Run from the command line."""

    def work(console: Console) -> None:
        arguments = tyro.cli(Arguments, prog="python -m pipelines.growth")
        run = load_config(arguments.config, GrowthRun, {"output": arguments.output})
        run_growth(run, console=console)
        console.print(f"Wrote {run.output}/: report.md, growth.json, growth.png", highlight=False)

    return run_command(work)


if __name__ == "__main__":
    raise SystemExit(main())
