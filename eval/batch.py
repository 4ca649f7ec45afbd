"""The command ``evaluate`` (``python -m eval batch``): run a batch and write its report."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from geom_miner.constraints import Range


@dataclass(frozen=True)
class BatchSettings:
    """Run methods on shapes within budgets, and write tables and a page about the results."""

    config: tyro.conf.Positional[Path]
    """YAML file of the run."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder to write, instead of the config's."""
    resolution: Annotated[int, Range(8, 1 << 15)] | None = None
    """Samples along the longest side of the grid, instead of the config's."""
    jobs: Annotated[int, Range(1, 1024)] | None = None
    """Cells at a time, instead of the config's; with more than one, seconds can't be compared."""
    fresh: tyro.conf.FlagCreatePairsOff[bool] = False
    """Measure anew what an earlier run has measured."""
    retry: tyro.conf.FlagCreatePairsOff[bool] = False
    """Measure anew what has failed in an earlier run."""
    force: tyro.conf.FlagCreatePairsOff[bool] = False
    """Write into a folder that holds files of another program, which may be replaced."""

    def run(self, console: Console) -> None:
        """Run the batch and write its report."""
        from eval.benchmark.run import run_batch
        from eval.benchmark.settings import BatchRun
        from eval.report.write import write_report
        from eval.runs.config_file import load_config
        from eval.runs.folder import check_config_place

        overrides = {"output": self.output, "resolution": self.resolution, "jobs": self.jobs}
        run = load_config(self.config, BatchRun, overrides)
        check_config_place(self.config, Path(run.output))
        result = run_batch(
            run, fresh=self.fresh, retry=self.retry, force=self.force, console=console
        )
        # The page must not contain folders of the machine that made it.
        config = self.config.name if self.config.is_absolute() else self.config
        command = shlex.join(["geom-miner", "evaluate", str(config)])
        report, files = write_report(result, command=command, console=console)
        wrote = f"Wrote {result.folder}/: {', '.join(files)}, records.jsonl"
        for sentence in [*report.summary, *report.claims, wrote]:
            console.print(str(sentence), markup=False, highlight=False, soft_wrap=True)
