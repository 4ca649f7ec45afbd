"""Learn where the blocks of the finest scale start, and keep it only if it pays on other shapes.

``python -m pipelines.learn_start configs/learn_start.yaml``
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from rich.console import Console

from eval.runs import load_config
from eval.shapes import find_shape
from geom_miner import FitSettings, VoxelizeSettings, voxelize_mesh
from geom_miner.atomic_files import make_folder, new_file
from geom_miner.command_line import run_command
from geom_miner.errors import SettingsError
from geom_miner.fit import LearnedStart, ReptileSettings, finest_residuals, learn_start, try_start
from pipelines.config import LearnStartRun, fit_settings

# Least saving of block-steps that is worth a file.
_WORTH = 0.05
# Steps after which a fit is looked at while it is young.
_FEW = (10, 20)


@dataclass(frozen=True)
class Arguments:
    """Learn starts and write those that help."""

    config: tyro.conf.Positional[Path]
    """YAML file of the run."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder to write, instead of the config's."""


def run_learn_start(run: LearnStartRun, *, console: Console) -> list[dict[str, Any]]:
    """Learn one start per size; one row per start with its cost beside that of SIREN draws."""
    reptile = ReptileSettings(run.outer_steps, run.batch, run.inner_steps, run.outer_rate)
    base = fit_settings(run)
    sizes = [fit_settings(replace(run, fit={**run.fit, **size})) for size in run.sizes]
    if set(run.learn_from) & set(run.judge_on):
        raise SettingsError("judge_on must name other shapes than learn_from")
    folder = make_folder(Path(run.output))
    # The same targets for every size: the coarser scales are fitted with the run's own settings.
    seen = _residuals(run.learn_from, base, run.resolution, console)
    unseen = _residuals(run.judge_on, base, run.resolution, console)
    rows = []
    for settings in sizes:
        with console.status(f"learning a start for {settings.width} x {settings.depth}"):
            learned = learn_start(seen, settings, reptile, ndim=3)
        row = _judge(learned, unseen, settings)
        row["kept"] = row["block_steps"] <= (1 - _WORTH) * row["siren_block_steps"]
        if row["kept"]:
            _write(folder / learned.file_name, learned)
        console.print(_sentence(row), highlight=False, markup=False, soft_wrap=True)
        rows.append(row)
    return rows


def _residuals(
    names: Iterable[str], settings: FitSettings, resolution: int, console: Console
) -> torch.Tensor:
    """Residuals of all these shapes, (block, sample, 1)."""
    parts = []
    for name in names:
        shape = find_shape(name, console=console)
        voxels = VoxelizeSettings(resolution=resolution)
        occupancy = voxelize_mesh(shape.mesh, voxels, block_size=settings.block_size)
        parts.append(finest_residuals(occupancy.blocks, occupancy.grid, settings))
    return torch.cat(parts)


def _judge(learned: LearnedStart, residuals: torch.Tensor, settings: FitSettings) -> dict[str, Any]:
    row: dict[str, Any] = {"file": learned.file_name, "blocks": len(residuals)}
    for prefix, start in (("siren_", None), ("", learned.row)):
        trial = try_start(residuals, settings, start, ndim=3)
        row |= {f"{prefix}{key}": value for key, value in asdict(trial).items() if key != "blocks"}
        for steps in _FEW:
            young = try_start(residuals, replace(settings, steps=steps), start, ndim=3)
            row[f"{prefix}wrong_after_{steps}"] = young.wrong_samples
    return row


def _sentence(row: dict[str, Any]) -> str:
    blocks = row["blocks"]
    few = ", ".join(
        f"{row[f'wrong_after_{n}'] / blocks:.2f} wrong samples per block after {n} steps "
        f"against {row[f'siren_wrong_after_{n}'] / blocks:.2f}"
        for n in _FEW
    )
    saved = 1 - row["block_steps"] / row["siren_block_steps"]
    return (
        f"{row['file']}: {row['block_steps'] / blocks:.1f} steps per block against "
        f"{row['siren_block_steps'] / blocks:.1f} from SIREN draws ({saved:.0%} saved), "
        f"{row['converged'] / blocks:.1%} against {row['siren_converged'] / blocks:.1%} converged, "
        f"{few}. " + ("Written." if row["kept"] else f"Not written: less than {_WORTH:.0%} saved.")
    )


def _write(path: Path, learned: LearnedStart) -> None:
    with new_file(path, SettingsError) as file:
        np.save(file, learned.row.numpy().astype(np.float32), allow_pickle=False)


def main() -> int:
    """Run from the command line."""

    def work(console: Console) -> None:
        arguments = tyro.cli(Arguments, prog="python -m pipelines.learn_start")
        run = load_config(arguments.config, LearnStartRun, {"output": arguments.output})
        run_learn_start(run, console=console)

    return run_command(work)


if __name__ == "__main__":
    raise SystemExit(main())
