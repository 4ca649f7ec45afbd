"""`python -m eval batch CONFIG`: run a batch and write its report."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from eval.runs import load_config, run_command


@dataclass(frozen=True)
class BatchSettings:
    """Methods by shapes by budgets: run them all, and write tables and a page about them."""

    config: tyro.conf.Positional[Path]
    """YAML file of the run."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder to write, instead of the config's."""
    resolution: int | None = None
    """Samples along the longest side of the grid, instead of the config's."""
    jobs: int | None = None
    """Cells at a time, instead of the config's; with more than one, seconds can't be compared."""
    fresh: tyro.conf.FlagCreatePairsOff[bool] = False
    """Measure anew what an earlier run has measured."""
    retry: tyro.conf.FlagCreatePairsOff[bool] = False
    """Measure anew what has failed in an earlier run."""


def batch(settings: BatchSettings) -> int:
    """Run the batch; return 0, or 1 after one sentence on the error stream."""

    def do(console: Console) -> None:
        from eval.batch_report.rows import rows_of
        from eval.batch_report.verdict import claims, summary
        from eval.batch_report.write import write_report
        from eval.experiment.run import run_batch
        from eval.experiment.settings import BatchRun

        overrides = {
            "output": settings.output,
            "resolution": settings.resolution,
            "jobs": settings.jobs,
        }
        run = load_config(settings.config, BatchRun, overrides)
        finished = run_batch(run, fresh=settings.fresh, retry=settings.retry, console=console)
        # A page tells nothing of the folders of the machine that made it.
        place = settings.config if not settings.config.is_absolute() else settings.config.name
        words = shlex.join(["python", "-m", "eval", "batch", str(place)])
        page = write_report(finished, command=words, console=console)
        rows = rows_of(finished)
        for sentence in [*summary(rows), *claims(rows)]:
            console.print(str(sentence), markup=False, highlight=False, soft_wrap=True)
        console.print(
            f"Wrote {page.parent}/: index.html, report.md, results.csv, records.jsonl",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip

    return run_command(do)
