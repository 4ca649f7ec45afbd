"""Guarded processes: results come back complete, every failure is one sentence, nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eval.errors import MethodError
from eval.isolation import GuardedResult, JsonValues, Work, run_guarded
from tests.eval.isolation import misbehaving


def guarded(work: Work, values: JsonValues | None = None, seconds: float = 60.0) -> GuardedResult:
    return run_guarded(work, {}, values or {}, name="the trial", seconds=seconds)


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def becomes_false(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not condition()


def children() -> list[int]:
    """Processes that this one has started and not yet waited for."""
    pids = []
    for task in Path("/proc/self/task").iterdir():
        pids += [int(word) for word in (task / "children").read_text().split()]
    return pids


def test_arrays_values_and_progress_come_back() -> None:
    reports: list[tuple[float, str]] = []
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    before = children()
    result = run_guarded(
        misbehaving.double,
        {"numbers": numbers},
        {"word": "Grüße"},
        name="doubling",
        seconds=60,
        progress=lambda share, status: reports.append((share, status)),
    )
    np.testing.assert_array_equal(result.arrays["twice"], 2 * numbers)
    assert result.arrays["twice"].dtype == np.float32
    assert result.values["word"] == "Grüße"
    assert result.values["pid"] != os.getpid()
    assert reports == [(0.5, "doubling"), (1.0, 'done, with "quotes"\nand a line')]
    assert 0 < result.seconds < 60
    # An interpreter with NumPy takes about 40 MB, PyTorch 200 more.
    assert 10e6 < result.peak_rss_bytes < 100e6
    assert children() == before


def test_libraries_work_with_as_many_threads_as_they_are_reports() -> None:
    result = run_guarded(misbehaving.thread_numbers, {}, {}, name="it", seconds=60, threads=1)
    assert result.values == {"threads": [1, 1]}


def test_a_large_result_comes_back() -> None:
    count = 20_000_000
    result = guarded(misbehaving.many_numbers, {"count": count})
    np.testing.assert_array_equal(result.arrays["numbers"], np.arange(count))
    assert result.peak_rss_bytes > 8 * count


@pytest.mark.parametrize(
    ("work", "values", "sentence"),
    [
        (
            misbehaving.abort,
            {},
            "the trial crashed (SIGABRT); its last words: the octree is broken",
        ),
        (misbehaving.segfault, {}, "the trial crashed (SIGSEGV)"),
        (
            misbehaving.killed,
            {},
            "the trial was ended by the system (SIGKILL), as happens when memory runs out",
        ),
        (misbehaving.leaves, {"status": 0}, "the trial ended early, with status 0"),
        (misbehaving.leaves, {"status": 3}, "the trial ended early, with status 3"),
        (misbehaving.raises, {"kind": "method"}, "the trial failed: nothing to divide by"),
        (
            misbehaving.raises,
            {"kind": "other"},
            "the trial failed with ZeroDivisionError: nothing to divide by",
        ),
    ],
)
def test_every_failure_is_one_sentence(work: Work, values: JsonValues, sentence: str) -> None:
    before = children()
    with pytest.raises(MethodError) as caught:
        guarded(work, values)
    assert str(caught.value) == sentence
    assert children() == before


def test_a_hang_ends_in_time_with_all_processes_that_it_started() -> None:
    reports: list[str] = []
    before, start = children(), time.monotonic()
    with pytest.raises(MethodError, match=r"^the trial took longer than 3 seconds and was ended$"):
        run_guarded(
            misbehaving.hangs,
            {},
            {},
            name="the trial",
            seconds=3,
            progress=lambda _, status: reports.append(status),
        )
    assert 3 <= time.monotonic() - start < 10
    (pids,) = reports
    for pid in map(int, pids.split()):
        assert becomes_false(lambda pid=pid: is_running(pid))
    assert children() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds processes to a data limit")
def test_a_memory_limit_is_enforced() -> None:
    limit = 400_000_000

    def allocate(size: int) -> GuardedResult:
        values = {"bytes": size}
        return run_guarded(
            misbehaving.touch, {}, values, name="the trial", seconds=60, memory_bytes=limit
        )

    assert allocate(100_000_000).peak_rss_bytes > 100_000_000
    with pytest.raises(MethodError, match=r"ran out of memory of the 400,000,000 bytes"):
        allocate(1_000_000_000)


def test_an_error_in_progress_ends_the_process() -> None:
    def interrupt(share: float, status: str) -> None:
        raise KeyboardInterrupt

    before = children()
    with pytest.raises(KeyboardInterrupt):
        run_guarded(misbehaving.dawdles, {}, {}, name="the trial", seconds=60, progress=interrupt)
    assert children() == before


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_process_ends_with_the_one_that_started_it(signal_number: signal.Signals) -> None:
    script = """
        from eval.isolation import run_guarded
        from tests.eval.isolation.misbehaving import hangs
        run_guarded(hangs, {}, {}, name="trial", seconds=60,
                    progress=lambda _, pids: print(pids, flush=True))
    """
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert starter.stdout is not None
    with starter:
        worker, left = map(int, starter.stdout.readline().split())
        try:
            starter.send_signal(signal_number)
            starter.wait(timeout=10)
            assert becomes_false(lambda: is_running(worker))
        finally:
            for pid in (worker, left):
                if is_running(pid):
                    os.kill(pid, signal.SIGKILL)
