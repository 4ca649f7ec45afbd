"""What each setting of a fit is worth: several shapes, one setting changed at a time, one table.

``python -m pipelines.studies.ablation configs/ablation.yaml [--resolution 256]``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console

from eval import iou_voxel_sparse, surface_metrics
from eval.report import Column, Spread, Table, markdown_text
from eval.runs import Record, device_name
from eval.shapes import Shape
from geom_miner import extract_level
from geom_miner.constraints import Range
from geom_miner.errors import SettingsError
from geom_miner.fit import AnySettings, FitResult
from geom_miner.model import BlockMLPs
from pipelines.config import ChecksItsFit, fit_settings
from pipelines.studies.fitted_shape import fit_shape
from pipelines.studies.study import Study, Trial, study_shapes

# Operations of a sine and its cosine by range reduction and polynomials.
_SINE = 22


@dataclass(frozen=True)
class AblationConfig(ChecksItsFit):
    """What each setting of the fit is worth, on several shapes."""

    shapes: list[str]
    """Named shapes or paths."""
    entries: dict[str, Any]
    """Name of a row of the table, and the settings in which it differs from the first row."""
    resolution: Annotated[int, Range(2, 1 << 15)] = 128
    """Samples along each side."""
    preset: str = "volume"
    """Where the fit's settings start; one for an occupancy."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Settings of the first row that differ from the preset."""
    samples: Annotated[int, Range(1, 10**9)] = 100_000
    """Points on each surface for distances and normals."""
    output: str = "runs/ablation"
    """Folder to write."""


def first_row(config: AblationConfig) -> str:
    """Name of the row that the others are compared with."""
    return f"preset {config.preset}"


def entries_of(config: AblationConfig) -> dict[str, AnySettings]:
    """The first row and every other one, checked before anything is fitted."""
    entries = {first_row(config): fit_settings(config)}
    for name, given in config.entries.items():
        if name in entries or not isinstance(given, dict):
            raise SettingsError(f"entries must map names to settings, got {name}: {given!r}")
        changes = dict(given)
        base = replace(config, preset=changes.pop("preset", config.preset))
        inherited = {} if base.preset != config.preset else config.fit
        entries[name] = fit_settings(replace(base, fit={**inherited, **changes}))
    return entries


def trials(config: AblationConfig, folder: Path, console: Console) -> Iterator[Trial]:
    """Every entry on every shape."""
    entries = entries_of(config)
    for shape, key in study_shapes(config.shapes, console):
        for name, settings in entries.items():
            yield Trial(
                key={
                    **key,
                    "resolution": config.resolution,
                    "samples": config.samples,
                    "settings": asdict(settings),
                },
                measure=partial(measure_fit, shape, settings, config),
                title=f"{shape.name}: {name}",
                label={"cell": name},
            )


def measure_fit(shape: Shape, settings: AnySettings, config: AblationConfig) -> Record:
    """Fit the occupancy to a file and evaluate what the file holds."""
    fitted = fit_shape(shape.mesh, "occupancy", settings, config.resolution)
    decoded, mesh, grid = fitted.model.decode(0), extract_level(fitted.model, 0), fitted.model.grid
    truth = fitted.occupancy.blocks.extended(decoded.layout)
    surface = surface_metrics(
        mesh, shape.mesh, threshold=2 * grid.spacing[0], samples=config.samples
    )
    iou = {
        f"iou_{threshold}": iou_voxel_sparse(decoded, truth, shape=grid.shape, threshold=threshold)
        for threshold in (0.5, 0.4)
    }
    history = fitted.result.history
    return {
        **iou,
        "normal_consistency": surface["normal_consistency"],
        "chamfer_l1_voxels": surface["chamfer_l1"] / grid.spacing[0],
        "seconds": fitted.fit_seconds,
        "block_steps": sum(entry.block_steps for entry in history),
        "mflop": _mflop(fitted.result),
        "finest_blocks": history[-1].fitted_blocks,
        "finest_converged": history[-1].converged_blocks,
        "parameters": fitted.model.num_parameters,
        "file_bytes": fitted.file_bytes,
        "hardware": device_name("cpu"),
    }


def _mflop(result: FitResult) -> float:
    """Arithmetic of the whole fit: products forward, backward and of the gradient, and sines."""
    total = 0.0
    for entry, level in zip(result.history, result.representation.scales, strict=True):
        assert isinstance(level, BlockMLPs)
        net = level.architecture
        products = sum(a * b for a, b in zip(net.widths[:-1], net.widths[1:], strict=True))
        # The first layer hands no gradient to its inputs.
        per_sample = 6 * products - 2 * net.widths[0] * net.width + _SINE * net.width * net.depth
        total += entry.block_steps * level.layout.block_samples * per_sample
    return total / 1e6


def _mean(
    title: str, form: str, value: Callable[[Record, Record], float]
) -> Column[list[tuple[Record, Record]]]:
    """A column of means over the shapes: value of (record, default row's record)."""
    return Column(title, lambda pairs: Spread([value(*pair) for pair in pairs], "mean"), form)


_COLUMNS = (
    _mean("IoU at .5", ".5f", lambda r, _: r["iou_0.5"]),
    _mean("IoU at .4", ".5f", lambda r, _: r["iou_0.4"]),
    _mean("normals", ".4f", lambda r, _: r["normal_consistency"]),
    _mean("Chamfer-L1, voxels", ".3f", lambda r, _: r["chamfer_l1_voxels"]),
    _mean("block-steps", ".2f", lambda r, d: r["block_steps"] / max(1, d["block_steps"])),
    _mean("MFLOP", ".2f", lambda r, d: r["mflop"] / max(1e-9, d["mflop"])),
    _mean("seconds", ".2f", lambda r, d: r["seconds"] / d["seconds"]),
    _mean("converged", ".2f", lambda r, _: r["finest_converged"] / max(1, r["finest_blocks"])),
    _mean("parameters", ".2f", lambda r, d: r["parameters"] / max(1, d["parameters"])),
)


def report(config: AblationConfig, records: Sequence[Record]) -> str:
    """Markdown: a row per entry; mean over the shapes and, in brackets, smallest to largest.

    Costs and parameters are relative to the first row of the same shape.
    """
    first = first_row(config)
    defaults = {r["shape"]: r for r in records if r["cell"] == first}
    steps, mflop, seconds = (
        sum(d[key] for d in defaults.values()) for key in ("block_steps", "mflop", "seconds")
    )
    rows = [
        [(r, defaults[r["shape"]]) for r in records if r["cell"] == cell]
        for cell in dict.fromkeys(r["cell"] for r in records)
    ]
    setting: Column[Any] = Column("setting", lambda pairs: pairs[0][0]["cell"], left=True)
    return (
        f"# Ablation at {config.resolution}^3\n\n"
        f"Shapes: {markdown_text(', '.join(defaults))}. "
        "Each cell is the mean over them, with the smallest and "
        "the largest value; block-steps, MFLOP, seconds and parameters are relative to the "
        f"row {first} of the same shape. All fits of that row together: {steps:,} block-steps, "
        f"{mflop / 1e3:,.1f} GFLOP, {seconds:.1f} s on {records[0]['hardware']} (other programs "
        "may have run beside: trust the first two).\n\n"
        f"{Table([setting, *_COLUMNS], rows).markdown()}"
    )


ABLATION = Study(
    module="pipelines.studies.ablation",
    summary="Fit several shapes with one setting changed at a time.",
    config=AblationConfig,
    trials=trials,
    report=report,
)

if __name__ == "__main__":
    raise SystemExit(ABLATION.main())
