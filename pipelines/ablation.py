"""What each setting of a fit is worth: several shapes, one setting changed at a time, one table.

``python -m pipelines.ablation configs/ablation.yaml [--resolution 256]``
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import tyro
from rich.console import Console

from eval import iou_voxel_sparse, surface_metrics
from eval.runs import (
    Record,
    StudyArguments,
    device_name,
    load_config,
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
    VoxelizeSettings,
    extract_level,
    fit_to_file,
    load_model,
    voxelize_mesh,
)
from geom_miner.atomic_files import make_folder
from geom_miner.command_line import run_command
from geom_miner.errors import SettingsError
from geom_miner.resumable import FitResult
from geom_miner.voxelize import Occupancy
from pipelines.config import AblationRun, fit_settings

DEFAULT = "default"
# Operations of a sine and its cosine by range reduction and polynomials.
_SINE = 22


@dataclass(frozen=True)
class Arguments(StudyArguments):
    """Fit several shapes with one setting changed at a time."""


def run_ablation(run: AblationRun, *, fresh: bool, console: Console) -> list[Record]:
    """One record per shape and cell; those of an earlier run with equal settings are kept."""
    cells = _cells(run)
    folder = make_folder(Path(run.output))
    path = folder / "records.jsonl"
    known = [] if fresh else read_records(path)
    records: list[Record] = []
    for name in run.ablate:
        shape = find_shape(name, console=console)
        occupancies: dict[int, Occupancy] = {}
        for cell, settings in cells.items():
            facts = {
                "shape": shape.name,
                "faces": shape.faces,
                "resolution": run.resolution,
                "samples": run.samples,
                "settings": asdict(settings),
            }
            record = next((r for r in known if facts.items() <= r.items()), None)
            if record is None:
                occupancy = _occupancy(shape, run.resolution, settings.block_size, occupancies)
                console.print(f"  {cell}", highlight=False, markup=False)
                record = {**facts, **_measure(shape, occupancy, settings, run.samples)}
            records.append({**record, "cell": cell})
            if record not in known:
                known.append(record)
                write_records(path, known)
    facts = manifest(
        config=portable(run, fit=asdict(fit_settings(run))),
        seed=fit_settings(run).seed, device="cpu", backend="cpu",
    )  # fmt: skip
    write_json(folder / "manifest.json", facts)
    write_text(folder / "report.md", ablation_report(records))
    return records


def _cells(run: AblationRun) -> dict[str, FitSettings]:
    """The default row and every other one, checked before anything is fitted."""
    cells = {DEFAULT: fit_settings(run)}
    for name, changes in run.cells.items():
        if name == DEFAULT or not isinstance(changes, dict):
            raise SettingsError(f"cells must map names to settings, got {name}: {changes!r}")
        changes = dict(changes)
        base = replace(run, preset=changes.pop("preset", run.preset))
        own = {} if base.preset != run.preset else run.fit
        cells[name] = fit_settings(replace(base, fit={**own, **changes}))
    return cells


def _occupancy(
    shape: Shape, resolution: int, block_size: int, made: dict[int, Occupancy]
) -> Occupancy:
    if block_size not in made:
        voxels = VoxelizeSettings(resolution=resolution)
        made[block_size] = voxelize_mesh(shape.mesh, voxels, block_size=block_size)
    return made[block_size]


def _measure(shape: Shape, occupancy: Occupancy, settings: FitSettings, samples: int) -> Record:
    """Fit to a file, forget the fit, and judge what the file holds."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.miner"
        result = fit_to_file(occupancy.blocks, occupancy.grid, settings, path)
        size = path.stat().st_size
        representation = load_model(path)
    decoded = representation.decode(0)
    mesh = extract_level(representation, 0)
    surface = surface_metrics(
        mesh, shape.mesh, threshold=2 * occupancy.grid.spacing[0], samples=samples
    )
    grid_shape = occupancy.grid.shape
    return {
        **{
            f"iou_{threshold}": iou_voxel_sparse(
                decoded, occupancy.blocks, shape=grid_shape, threshold=threshold
            )
            for threshold in (0.5, 0.4)
        },
        "normal_consistency": surface["normal_consistency"],
        "chamfer_l1_voxels": surface["chamfer_l1"] / occupancy.grid.spacing[0],
        "seconds": sum(entry.seconds for entry in result.history),
        "block_steps": sum(entry.block_steps for entry in result.history),
        "mflop": _mflop(result),
        "finest_blocks": result.history[-1].fitted_blocks,
        "finest_converged": result.history[-1].converged_blocks,
        "parameters": representation.num_parameters,
        "file_bytes": size,
        "hardware": device_name("cpu"),
    }


def _mflop(result: FitResult) -> float:
    """Arithmetic of the whole fit: products forward, backward and of the gradient, and sines."""
    total = 0.0
    for entry, level in zip(result.history, result.representation.levels, strict=True):
        net = level.architecture
        products = sum(a * b for a, b in zip(net.widths[:-1], net.widths[1:], strict=True))
        # The first layer hands no gradient to its inputs.
        per_sample = 6 * products - 2 * net.widths[0] * net.width + _SINE * net.width * net.depth
        total += entry.block_steps * level.layout.block_samples * per_sample
    return total / 1e6


_COLUMNS: tuple[tuple[str, Callable[[Record, Record], float], str], ...] = (
    ("IoU at .5", lambda r, _: r["iou_0.5"], ".5f"),
    ("IoU at .4", lambda r, _: r["iou_0.4"], ".5f"),
    ("normals", lambda r, _: r["normal_consistency"], ".4f"),
    ("Chamfer-L1, voxels", lambda r, _: r["chamfer_l1_voxels"], ".3f"),
    ("block-steps", lambda r, d: r["block_steps"] / max(1, d["block_steps"]), ".2f"),
    ("MFLOP", lambda r, d: r["mflop"] / max(1e-9, d["mflop"]), ".2f"),
    ("seconds", lambda r, d: r["seconds"] / d["seconds"], ".2f"),
    ("converged", lambda r, _: r["finest_converged"] / max(1, r["finest_blocks"]), ".2f"),
    ("parameters", lambda r, d: r["parameters"] / max(1, d["parameters"]), ".2f"),
)


def ablation_report(records: Sequence[Record]) -> str:
    """Markdown: a row per cell; mean over the shapes and, in brackets, smallest to largest.

    Costs and parameters are relative to the default row of the same shape.
    """
    defaults = {r["shape"]: r for r in records if r["cell"] == DEFAULT}
    first = records[0]
    total = [sum(d[key] for d in defaults.values()) for key in ("block_steps", "mflop", "seconds")]
    lines = [
        f"# Ablation at {first['resolution']}^3",
        "",
        f"Shapes: {', '.join(defaults)}. Each cell is the mean over them, with the smallest and "
        "the largest value; block-steps, MFLOP, seconds and parameters are relative to the "
        f"default row of the same shape. All default fits together: {total[0]:,} block-steps, "
        f"{total[1] / 1e3:,.1f} GFLOP, {total[2]:.1f} s on {first['hardware']} (other programs "
        "may have run beside: trust the first two).",
        "",
        "| setting | " + " | ".join(name for name, _, _ in _COLUMNS) + " |",
        "|---|" + "---:|" * len(_COLUMNS),
    ]
    for cell in dict.fromkeys(r["cell"] for r in records):
        own = [r for r in records if r["cell"] == cell]
        entries = [
            _spread([value(r, defaults[r["shape"]]) for r in own], form)
            for _, value, form in _COLUMNS
        ]
        lines.append(f"| {cell} | " + " | ".join(entries) + " |")
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float], form: str) -> str:
    mean, low, high = (
        format(v, form) for v in (sum(values) / len(values), min(values), max(values))
    )
    return mean if low == high else f"{mean} ({low}-{high})"


def main() -> int:
    """Run from the command line."""

    def work(console: Console) -> None:
        arguments = tyro.cli(Arguments, prog="python -m pipelines.ablation")
        overrides = {"resolution": arguments.resolution, "output": arguments.output}
        run = load_config(arguments.config, AblationRun, overrides)
        records = run_ablation(run, fresh=arguments.fresh, console=console)
        console.print(ablation_report(records), markup=False, highlight=False, soft_wrap=True)
        console.print(f"Wrote {run.output}/: records.jsonl, report.md, manifest.json", markup=False)

    return run_command(work)


if __name__ == "__main__":
    raise SystemExit(main())
