"""Speed, as ratios in one run: the released algorithm on the reference kernel against ours.

``python -m pipelines.benchmarks.speed configs/speed.yaml``
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from rich.table import Table

from eval.runs import manifest, portable, run_folder, write_json
from geom_miner import GeomMinerError
from geom_miner.constraints import Range
from geom_miner.errors import SettingsError
from geom_miner.kernels import MLPArchitecture, choose_device
from pipelines.benchmarks.fit_times import TimedFit, run_alone
from pipelines.benchmarks.peak import fma_peak
from pipelines.benchmarks.step_times import AUTOGRAD, time_steps
from pipelines.command import Earlier, run_pipeline


@dataclass(frozen=True)
class SpeedConfig:
    """What is measured against what; in every list of entries ratios are to the first."""

    networks: list[list[int]]
    """Per network: axes, width, sine layers, channels, block size, blocks."""
    kernels: list[str] = field(default_factory=lambda: [AUTOGRAD, "reference", "cpu"])
    """Kernels whose steps are timed; autograd is torch without one."""
    volumes: list[list[Any]] = field(default_factory=list)
    """Per whole fit of a shape: name, resolution, scales."""
    volume_entries: list[list[str]] = field(default_factory=list)
    """Per entry: its name, preset, kernel."""
    iou_targets: list[float] = field(default_factory=lambda: [0.99, 0.995, 0.999])
    """IoU whose times are noted, at thresholds 0.4 and 0.5."""
    images: list[list[Any]] = field(default_factory=list)
    """Per whole fit of an image: file, width it is averaged down to, scales."""
    image_entries: list[list[str]] = field(default_factory=list)
    """Per entry: its name, preset, kernel."""
    psnr_targets: list[float] = field(default_factory=lambda: [36.0, 40.0])
    """PSNR in dB whose times are noted."""
    every: Annotated[int, Range(1, 10**9)] = 10
    """Rounds of the finest scale between two looks at the quality of a fit with coupled blocks."""
    patience: Annotated[float, Range(above=0)] = 300.0
    """Seconds after which a fit is given up."""
    device: str = "cpu"
    """cpu or cuda."""
    output: str = "runs/speed"
    """Folder to write."""


def run_speed(run: SpeedConfig, *, force: bool = False, console: Console) -> dict[str, Any]:
    """All measurements; written after each, so that an interrupt loses little.

    Parameters
    ----------
    force : write into a folder that holds files of another program.
    """
    if not run.kernels:
        raise SettingsError("kernels must name at least one kernel, got none")
    with run_folder(Path(run.output), run, force=force) as folder:
        return _run_in(folder, run, console)


def _run_in(folder: Path, run: SpeedConfig, console: Console) -> dict[str, Any]:
    device = choose_device(run.device)
    out: dict[str, Any] = {"fma_peak_flops": fma_peak(device), "steps": {}, "fits": {}}

    def save() -> None:
        facts = manifest(config=portable(run), seed=0, device=device, backend=run.kernels[-1])
        write_json(folder / "speed.json", {**facts, **out})

    for dims in run.networks:
        ndim, width, depth, channels, block_size, blocks = dims
        architecture = MLPArchitecture(ndim, width, depth, channels, 30.0)
        name = f"{'-'.join(map(str, architecture.widths))} x {blocks}"
        rows: dict[str, Any] = {}
        out["steps"][name] = rows
        for kernel in run.kernels:
            with console.status(f"a step of {name}: {kernel}"):
                out["steps"][name][kernel] = time_steps(
                    kernel, architecture, block_size, blocks, device
                )
        save()
    console.print(_steps_table(out["steps"], run.kernels, out["fma_peak_flops"]))

    for job_of, signals, entries, targets in (
        ("volume", run.volumes, run.volume_entries, run.iou_targets),
        ("image", run.images, run.image_entries, run.psnr_targets),
    ):
        for signal, resolution, scales in signals:
            title = f"{signal} {resolution}"
            rows = {}
            for name, preset_name, backend in entries:
                job = TimedFit(
                    job_of,
                    signal,
                    resolution,
                    scales,
                    preset_name,
                    backend,
                    device,
                    tuple(targets),
                    run.every,
                    run.patience,
                )
                with console.status(f"{title}: {name}"):
                    try:
                        rows[name] = run_alone(job)
                    except GeomMinerError as error:
                        console.print(f"{title} left out: {error}", style="yellow", markup=False)
                        break
                out["fits"][title] = rows
                save()
            if rows:
                console.print(_fits_table(title, rows))
    return out


def _steps_table(steps: dict[str, Any], kernels: list[str], peak: float) -> Table:
    best = kernels[-1]
    table = Table(title=f"one optimizer step; FMA peak {peak / 1e9:,.0f} GFLOP/s")
    table.add_column("network x blocks")
    for kernel in kernels[:-1]:
        table.add_column(f"{best} against {kernel}", justify="right")
    for kernel in kernels:
        table.add_column(f"{kernel} ms", justify="right")
        table.add_column("of peak", justify="right")
    table.add_column("block-steps/s", justify="right")
    for name, rows in steps.items():
        ratios = [f"x{rows[k]['ms'] / rows[best]['ms']:.1f}" for k in kernels[:-1]]
        cells = []
        for kernel in kernels:
            cells += [f"{rows[kernel]['ms']:.2f}", f"{rows[kernel]['flops'] / peak:.0%}"]
        table.add_row(name, *ratios, *cells, f"{rows[best]['block_steps_per_second']:,.0f}")
    return table


def _fits_table(title: str, rows: dict[str, dict[str, Any]]) -> Table:
    goals = sorted({goal for row in rows.values() for goal in row["seconds_to"]})
    measures = sorted({measure for row in rows.values() for measure in row["best"]})
    first = next(iter(rows.values()))
    table = Table(title=f"{title}: seconds to a quality (how many times sooner than the first)")
    table.add_column("")
    for column in (
        *goals,
        *(f"best {m}" for m in measures),
        "seconds",
        "in kernel",
        "peak GiB",
        "parameters",
    ):
        table.add_column(column, justify="right")
    for name, row in rows.items():
        cells = []
        for goal in goals:
            own, theirs = row["seconds_to"].get(goal), first["seconds_to"].get(goal)
            ratio = ""
            if own and row is not first:
                # Where the first never got there, it was at least this much slower.
                ratio = (
                    f" (x{theirs / own:.0f})" if theirs else f" (>x{first['seconds'] / own:.0f})"
                )
            cells.append("-" if own is None else f"{own:.2f}{ratio}")
        bests = [f"{row['best'][m]:.5g}" if m in row["best"] else "-" for m in measures]
        table.add_row(
            name,
            *cells,
            *bests,
            f"{row['seconds']:.1f}{'+' if row['given_up'] else ''}",
            f"{row['kernel_share']:.0%}",
            f"{row['peak_rss_bytes'] / 2**30:.2f}",
            f"{row['parameters']:,}",
        )
    return table


def main() -> int:
    """Run from the command line."""

    def work(run: SpeedConfig, earlier: Earlier, console: Console) -> None:
        run_speed(run, force=earlier.force, console=console)
        console.print(f"Wrote {run.output}/speed.json", highlight=False)

    return run_pipeline(
        work,
        SpeedConfig,
        module="pipelines.benchmarks.speed",
        summary="Benchmark kernels and whole fits; ratios first.",
        overrides=("output",),
    )


if __name__ == "__main__":
    raise SystemExit(main())
