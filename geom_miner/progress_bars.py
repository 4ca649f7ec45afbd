"""Progress bars for long work: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from geom_miner.fit.history import FitStatus
from geom_miner.fit.observer import Observer
from geom_miner.progress import Stages
from geom_miner.terminal import printable

# Seconds after which work is worth a line where there is no terminal.
_LOG_AFTER = 2.0
# Seconds between two lines about one piece of work where there is no terminal.
_LOG_EVERY = 30.0
# Work over a shorter time says nothing about the rest.
_SHORTEST = 1.0
# Nor does a smaller share of it: compiling is a part of it, and little else.
_LEAST = 0.01


class TimeLeft:
    """Seconds left, from the share of the work done since the first word of it.

    What was there at the first word, from an earlier run or from setting up, counts neither as
    work nor as time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def at(self, share: float) -> float | None:
        """Seconds from now on, the share in [0, 1] being done; None if nothing can be said yet."""
        now = self._clock()
        if self._first is None:
            self._first = now, share
        seconds, work = now - self._first[0], share - self._first[1]
        if work < _LEAST or seconds < _SHORTEST:
            return None
        return seconds * (1 - share) / work


class PlainColumn(TextColumn):
    """A column of a progress display that shows text as it is, like ``Terminal``."""

    def __init__(self, form: str) -> None:
        super().__init__(form, markup=False)

    def render(self, task: Task) -> Text:
        """The column's text for a task."""
        return Text(printable(super().render(task).plain), self.style, justify=self.justify)


class _Bar:
    """A context manager that shows a piece of work from its beginning to its end.

    On a terminal it is a bar that is gone when the work is. In a log work of more than two seconds
    has a line at the beginning and at the end of each of its parts, one every half a minute, and
    one for the whole. Parts that ended within the two seconds have their line then.

    Parameters
    ----------
    description : of the first part, if the work has several.
    title : of the whole work; by default the first description.
    """

    def __init__(self, console: Console, description: str, title: str = "") -> None:
        self._console, self._description = console, description
        self._title = title or description
        self._started = self._logged = self._part_started = time.monotonic()
        self._ended: list[str] = []
        self._left = TimeLeft()
        self._in_log = False
        self._timer = threading.Timer(_LOG_AFTER, self._begin_log)
        self._timer.daemon = True
        self._bar = Progress(
            PlainColumn("{task.description}"),
            BarColumn(bar_width=24),
            PlainColumn("{task.fields[state]}"),
            PlainColumn("{task.fields[share]}"),
            # Ticks while nothing is told; the time left is of the last word.
            TimeElapsedColumn(),
            PlainColumn("elapsed"),
            PlainColumn("{task.fields[left]}"),
            console=console,
            transient=True,
        )
        # Without a total the bar pulses: nothing is known until the first call.
        self._task = self._bar.add_task(description, total=None, state="", share="", left="")

    def __enter__(self) -> Self:
        self._started = self._part_started = time.monotonic()
        if self._console.is_terminal:
            self._bar.start()
        else:
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._console.is_terminal:
            self._bar.stop()
        elif self._in_log and kind is None:
            self._end_part()
            self._print(f"{self._title}: done in {_duration(time.monotonic() - self._started)}")

    def describe(self, description: str) -> None:
        """Say what is being worked at now."""
        if description == self._description:
            return
        self._end_part()
        self._description = description
        self._bar.update(self._task, description=description)
        if self._in_log:
            self._print(f"{self._description} ...")

    def _begin_log(self) -> None:
        self._in_log = True
        for line in self._ended:
            self._print(line)
        self._print(f"{self._description} ...")

    def _end_part(self) -> None:
        now = time.monotonic()
        if self._description == self._title:  # the whole, whose line comes last
            self._part_started = now
            return
        line = f"{self._description}: done in {_duration(now - self._part_started)}"
        self._part_started = now
        if self._in_log:
            self._print(line)
        else:
            self._ended.append(line)

    def _show(self, share: float, state: str = "") -> None:
        left = self._left.at(share)
        ahead = f", about {_duration(left)} left" if left is not None else ""
        percent = f"{100 * share:3.0f} %"
        self._bar.update(
            self._task, completed=share, total=1.0, state=state, share=percent, left=ahead[2:]
        )
        if self._in_log and time.monotonic() - self._logged >= _LOG_EVERY:
            elapsed = _duration(time.monotonic() - self._started)
            words = [state] if state else []
            shown = ", ".join([*words, percent.strip(), elapsed])
            self._print(f"{self._description}: {shown} elapsed{ahead}")

    def _print(self, line: str) -> None:
        self._logged = time.monotonic()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class WorkBar(_Bar):
    """Progress of any work; call the instance with (done, total), or never."""

    def __call__(self, done: float, total: float = 1.0) -> None:
        self._show(done / total if total else 1.0)


class LevelBar(_Bar):
    """Progress of work on levels of detail, each of which costs by the size of its surface.

    Parameters
    ----------
    title : what is done to the levels.
    scales : the levels in the order of the work.
    """

    def __init__(self, console: Console, title: str, scales: Sequence[int]) -> None:
        super().__init__(console, title)
        self._costs = {scale: 0.25**scale for scale in scales}
        self._before, self._cost = 0.0, 0.0

    def begin(self, scale: int) -> None:
        """Go on to a level."""
        self._before += self._cost
        self._cost = self._costs[scale]
        self.describe(f"{self._title} level of detail {scale}")

    def __call__(self, share: float) -> None:
        self._show((self._before + share * self._cost) / sum(self._costs.values()))


class FitBar(_Bar, Observer):
    """Progress of a fit: an observer of it."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, "preparing the kernel", "fit")

    def on_progress(self, status: FitStatus) -> None:
        self.describe(f"fit scale {status.scale}")
        self._show(
            status.done,
            f"step {status.step}/{status.max_steps}, "
            f"{status.active_blocks}/{status.fitted_blocks} blocks active, "
            f"loss {status.loss:.2e}",
        )


def bars(console: Console) -> Stages:
    """Stages that show a bar for each piece of work."""
    return lambda description: WorkBar(console, description)


def _duration(seconds: float) -> str:
    """A time as people say it: 4.2 s, 3:05, 2:10:00."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
