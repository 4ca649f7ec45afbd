"""Bars on a terminal, lines in a log, and the time left."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from geom_miner import progress_bars
from geom_miner.fit.history import FitStatus
from geom_miner.progress_bars import FitBar, LevelBar, TimeLeft, WorkBar


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=120), file


def report(scale: int, step: int, done: float) -> FitStatus:
    return FitStatus(scale, 3, step, 100, 7, 9, 1e-3, done)


def test_steady_work_is_foreseen_whatever_was_there_before() -> None:
    now = [1000.0]
    left = TimeLeft(lambda: now[0])
    # Resumed at 60 %; the rest takes 80 seconds.
    assert left.at(0.6) is None
    for done in (8, 20, 40, 79):
        now[0] = 1000.0 + done
        assert left.at(0.6 + 0.4 * done / 80) == pytest.approx(80 - done)
    now[0] = 1080.0
    assert left.at(1.0) == 0


def test_nothing_is_foreseen_from_nothing() -> None:
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    assert left.at(0.1) is None
    now[0] = 0.5
    assert left.at(0.2) is None  # too short a time
    now[0] = 5.0
    assert left.at(0.1) is None  # no work in that time
    assert left.at(0.105) is None  # hardly any


def test_a_terminal_shows_share_and_elapsed_time() -> None:
    screen, file = console(terminal=True)
    with WorkBar(screen, "voxelizing") as bar:
        bar(0.25)
        bar(3, 4)
    assert "voxelizing" in file.getvalue()
    assert "75 %" in file.getvalue()
    assert "elapsed" in file.getvalue()
    assert "done in" not in file.getvalue()


def test_a_log_has_a_line_for_begin_and_end() -> None:
    screen, file = console(terminal=False)
    with WorkBar(screen, "judging") as bar:
        bar._begin_log()
        assert file.getvalue() == "judging ...\n"
        bar.describe("judging level of detail 1")
        bar.describe("judging level of detail 1")
    lines = file.getvalue().splitlines()
    assert [line.partition(": done in ")[0] for line in lines] == [
        "judging ...",
        "judging level of detail 1 ...",
        "judging level of detail 1",
        "judging",
    ]


def test_a_log_that_begins_late_has_the_parts_that_ended_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress_bars, "time", SimpleNamespace(monotonic=lambda: now[0]))
    screen, file = console(terminal=False)
    with FitBar(screen) as bar:
        for scale, second in ((3, 0.5), (2, 1.5), (1, 1.9)):
            now[0] = second
            bar.on_progress(report(scale, 5, second / 10))
        now[0] = 2.0
        bar._begin_log()
        now[0] = 4.0
    assert file.getvalue().splitlines() == [
        "preparing the kernel: done in 0.5 s",
        "fit scale 3: done in 1.0 s",
        "fit scale 2: done in 0.4 s",
        "fit scale 1 ...",
        "fit scale 1: done in 2.1 s",
        "fit: done in 4.0 s",
    ]


def test_levels_are_parts_of_one_work_that_cost_by_their_surfaces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, file = console(terminal=False)
    shown: list[float] = []
    with LevelBar(screen, "meshing", [2, 1, 0]) as bar:
        monkeypatch.setattr(bar, "_show", shown.append)
        bar._begin_log()
        for scale in (2, 1, 0):
            bar.begin(scale)
            bar(0.5)
    assert shown == pytest.approx([0.5 / 21, 3 / 21, 13 / 21])
    assert [line.partition(": done in ")[0] for line in file.getvalue().splitlines()] == [
        "meshing ...",
        *(f"meshing level of detail {scale}{end}" for scale in (2, 1, 0) for end in (" ...", "")),
        "meshing",
    ]


@pytest.mark.parametrize(("after", "lines"), [(0.01, 2), (60.0, 0)])
def test_a_log_says_nothing_about_short_work(
    monkeypatch: pytest.MonkeyPatch, after: float, lines: int
) -> None:
    monkeypatch.setattr(progress_bars, "_LOG_AFTER", after)
    screen, file = console(terminal=False)
    with WorkBar(screen, "drawing") as bar:
        bar._timer.join(0.5)
    assert len(file.getvalue().splitlines()) == lines


def test_a_log_of_broken_work_does_not_say_done() -> None:
    screen, file = console(terminal=False)
    bar = WorkBar(screen, "drawing")
    bar.__enter__()
    bar._begin_log()
    bar.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert file.getvalue() == "drawing ...\n"


def test_a_log_of_long_work_shows_life(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress_bars, "time", SimpleNamespace(monotonic=lambda: now[0]))
    screen, file = console(terminal=False)
    with FitBar(screen) as bar:
        bar._left = TimeLeft(lambda: now[0])
        bar._begin_log()
        for second in range(101):
            now[0] = float(second)
            bar.on_progress(report(0 if second > 50 else 1, second, second / 100))
    lines = file.getvalue().splitlines()
    assert lines[0] == "preparing the kernel ..."
    assert lines[1] == "preparing the kernel: done in 0.0 s"
    assert lines[2] == "fit scale 1 ..."
    assert lines[3] == (
        "fit scale 1: step 30/100, 7/9 blocks active, loss 1.00e-03, 30 %, 30.0 s elapsed, "
        "about 1:10 left"
    )
    assert lines[4:6] == ["fit scale 1: done in 51.0 s", "fit scale 0 ..."]
    assert [line.split(" blocks")[0] for line in lines[6:]] == [
        "fit scale 0: step 81/100, 7/9",
        "fit scale 0: done in 49.0 s",
        "fit: done in 1:40",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"), [(4.21, "4.2 s"), (185, "3:05"), (7800, "2:10:00"), (59.97, "1:00")]
)
def test_durations(seconds: float, words: str) -> None:
    assert progress_bars._duration(seconds) == words
