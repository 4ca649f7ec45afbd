"""Progress of a fit on the terminal: scale, active blocks, loss, time left."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from geom_miner.fit.history import Progress as FitProgressReport


class FitProgress:
    """A context manager whose instance is handed to a fit as ``on_progress``."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TextColumn("elapsed, at most"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=not console.is_terminal,
        )
        self._task = self._bar.add_task("fit", total=1.0, state="building the pyramid")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, report: FitProgressReport) -> None:
        self._bar.update(
            self._task,
            completed=report.done,
            description=f"fit scale {report.scale}",
            state=(
                f"step {report.step}/{report.max_steps}, "
                f"{report.active_blocks}/{report.fitted_blocks} blocks active, "
                f"loss {report.loss:.2e}"
            ),
        )
