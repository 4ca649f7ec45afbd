"""Speed, as ratios in one run: the released algorithm on the reference kernel against ours.

``python -m pipelines.benchmark configs/bench.yaml``
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from eval import iou_voxel_sparse
from geom_miner import (
    FitSettings,
    MeshError,
    MLPArchitecture,
    Occupancy,
    Representation,
    ScaleHistory,
    TrainingState,
    VoxelizeSettings,
    fit_signal,
    fma_peak,
    initialize_blocks,
    kernels,
    local_coordinates,
    preset,
    step_flops,
    voxelize_mesh,
)
from pipelines.command import run_command
from pipelines.config import load_config
from pipelines.manifest import make_folder, manifest, peak_rss_bytes, portable, write_json
from pipelines.shapes import find_shape


@dataclass(frozen=True)
class BenchmarkRun:
    """What is measured against what."""

    networks: list[list[int]]
    """Per network: axes, width, sine layers, channels, block size, blocks."""
    shapes: list[list[Any]]
    """Per whole fit: shape, resolution, scales."""
    contenders: list[list[str]]
    """Per contender: its name, preset, kernel; the first is what the others are compared with."""
    goals: list[float] = field(default_factory=lambda: [0.99, 0.995, 0.999])
    """IoU whose times are noted."""
    every: int = 10
    """Rounds of the finest scale between two looks at its IoU."""
    patience: float = 300.0
    """Seconds after which a fit is given up."""
    output: str = "runs/bench"
    """Folder to write."""


@dataclass(frozen=True)
class Arguments:
    """Benchmark kernels and whole fits; ratios first."""

    config: tyro.conf.Positional[Path]
    """YAML file of the run."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder to write, instead of the config's."""


def time_steps(
    name: str, architecture: MLPArchitecture, block_size: int, blocks: int
) -> dict[str, float]:
    """Median seconds per optimizer step of all blocks, after a warm-up, by repeated runs."""
    import torch

    shape = (block_size,) * architecture.ndim
    coordinates = local_coordinates(shape, "cpu")
    start = initialize_blocks(architecture, torch.arange(blocks), gain=1.0, seed=0, scale=0)
    targets = torch.rand(blocks, len(coordinates), architecture.channels)
    kernel = kernels.backend(name, torch.device("cpu"))
    state, steps, seconds = TrainingState.start(start), 3, []
    for _ in range(6):
        began = time.perf_counter()
        kernel.train(
            architecture,
            state,
            coordinates,
            targets,
            learning_rates=torch.full((steps,), 1e-3),
            tolerances=torch.zeros(blocks),
        )
        seconds.append((time.perf_counter() - began) / steps)
    timed = seconds[1:]
    flops = blocks * step_flops(architecture, len(coordinates)) / statistics.median(timed)
    return {"ms": 1e3 * statistics.median(timed), "best_ms": 1e3 * min(timed), "flops": flops}


def time_to_iou(
    occupancy: Occupancy, settings: FitSettings, backend: str, run: BenchmarkRun
) -> dict[str, Any]:
    """Fit and note when each IoU is reached at the finest scale; judging is not timed.

    Ends at the last goal, at the settings' own limit, or after ``run.patience`` seconds.
    """
    grid = occupancy.grid
    levels: list[Any] = []
    history: list[ScaleHistory] = []
    reached: dict[str, float] = {}
    judging, began, best, rounds = 0.0, time.perf_counter(), [0.0, 0.0], [0]
    # A round is one step where the settings couple the blocks, and several elsewhere.
    coupled = settings.rate_by_activity or settings.plateau > 0

    def judge(level: Any) -> bool:
        nonlocal judging
        start = time.perf_counter()
        elapsed = start - began - judging
        if level.scale:
            return False
        rounds[0] += 1
        if rounds[0] % (run.every if coupled else 1) and elapsed < run.patience:
            return False
        model = Representation(grid, settings.scales, (*levels, level))
        decoded, target = model.decode(0), occupancy.blocks
        target = target.extended(decoded.layout)
        for k, threshold in enumerate((0.4, 0.5)):
            iou = iou_voxel_sparse(decoded, target, shape=grid.shape, threshold=threshold)
            best[k] = max(best[k], iou)
            for goal in run.goals:
                if iou >= goal:
                    reached.setdefault(f"{goal}@{threshold}", elapsed)
        judging += time.perf_counter() - start
        return elapsed > run.patience or len(reached) == 2 * len(run.goals)

    def on_scale(level: Any, entry: ScaleHistory) -> None:
        levels.append(level)
        history.append(entry)

    fit_signal(occupancy.blocks, grid, settings, backend=backend, on_scale=on_scale, monitor=judge)
    wall = time.perf_counter() - began - judging
    return {
        "seconds_to_iou": reached,
        "seconds": wall,
        "kernel_share": sum(entry.kernel_seconds for entry in history) / wall,
        "best_iou_0.4": best[0],
        "best_iou_0.5": best[1],
        "parameters": sum(entry.parameters for entry in history),
        "block_steps": sum(entry.block_steps for entry in history),
    }


def run_benchmark(run: BenchmarkRun, *, console: Console) -> dict[str, Any]:
    """All measurements; written after each, so that an interrupt loses little."""
    folder = make_folder(Path(run.output))
    peak = fma_peak()
    out: dict[str, Any] = {"fma_peak_flops": peak, "steps": {}, "fits": {}}

    def save() -> None:
        out["peak_rss_bytes"] = peak_rss_bytes()
        facts = manifest(config=portable(run), seed=0, device="cpu", backend="cpu")
        write_json(folder / "bench.json", {**facts, **out})

    _time_all_steps(out, peak, run, save, console)
    for shape, resolution, scales in run.shapes:
        try:
            mesh = find_shape(shape, offline=True, console=console).mesh
        except MeshError as error:
            console.print(f"{shape} left out: {error}", style="yellow", markup=False)
            continue
        occupancy = voxelize_mesh(mesh, VoxelizeSettings(resolution=resolution))
        for name, preset_name, backend in run.contenders:
            with console.status(f"{name}: {shape} {resolution}^3"):
                settings = replace(preset(preset_name), scales=scales)
                row = time_to_iou(occupancy, settings, backend, run)
            out["fits"].setdefault(f"{shape} {resolution}^3", {})[name] = row
            save()
        _print_fits(f"{shape} {resolution}^3", out["fits"][f"{shape} {resolution}^3"], console)
    console.print(f"peak memory {out['peak_rss_bytes'] / 2**30:.2f} GiB")
    return out


def _time_all_steps(
    out: dict[str, Any], peak: float, run: BenchmarkRun, save: Callable[[], None], console: Console
) -> None:
    table = Table(title=f"one optimizer step; FMA peak {peak / 1e9:.0f} GFLOP/s")
    for title in ("network", "blocks", "ratio", "reference ms", "cpu ms", "cpu GFLOP/s", "of peak"):
        table.add_column(title, justify="right")
    for ndim, width, depth, channels, block_size, blocks in run.networks:
        architecture = MLPArchitecture(ndim, width, depth, channels, 30.0)
        name = "-".join(map(str, architecture.widths))
        with console.status(f"steps of {name}"):
            slow = time_steps("reference", architecture, block_size, blocks)
            fast = time_steps("cpu", architecture, block_size, blocks)
        out["steps"][f"{name} x {blocks}"] = {"reference": slow, "cpu": fast}
        table.add_row(
            name, str(blocks), f"{slow['ms'] / fast['ms']:.1f}", f"{slow['ms']:.1f}",
            f"{fast['ms']:.2f}", f"{fast['flops'] / 1e9:.0f}", f"{fast['flops'] / peak:.0%}",
        )  # fmt: skip
        save()
    console.print(table)


def _print_fits(title: str, rows: dict[str, dict[str, Any]], console: Console) -> None:
    goals = sorted({goal for row in rows.values() for goal in row["seconds_to_iou"]})
    first = next(iter(rows.values()))
    table = Table(title=f"{title}: seconds to an IoU (how many times sooner than the first row)")
    for column in ("", *goals, "best at .4", "at .5", "seconds", "in kernel", "parameters"):
        table.add_column(column, justify="right")
    for name, row in rows.items():
        cells = []
        for goal in goals:
            own, theirs = row["seconds_to_iou"].get(goal), first["seconds_to_iou"].get(goal)
            ratio = f" (x{theirs / own:.0f})" if own and theirs and row is not first else ""
            cells.append("-" if own is None else f"{own:.2f}{ratio}")
        table.add_row(
            name, *cells, f"{row['best_iou_0.4']:.5f}", f"{row['best_iou_0.5']:.5f}",
            f"{row['seconds']:.1f}", f"{row['kernel_share']:.0%}", f"{row['parameters']:,}",
        )  # fmt: skip
    console.print(table)


def main() -> int:
    """Run from the command line."""

    def work(console: Console) -> None:
        arguments = tyro.cli(Arguments, prog="python -m pipelines.benchmark")
        run = load_config(arguments.config, BenchmarkRun, {"output": arguments.output})
        run_benchmark(run, console=console)
        console.print(f"Wrote {run.output}/bench.json", highlight=False)

    return run_command(work)


if __name__ == "__main__":
    raise SystemExit(main())
