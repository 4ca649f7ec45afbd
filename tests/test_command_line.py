"""Whatever happens in a command: a status, and at most one sentence on standard error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from geom_miner.command_line import run_command
from geom_miner.errors import SettingsError

ROOT = Path(__file__).parents[1]


def raising(error: BaseException) -> Callable[[Console], int | None]:
    def work(_: Console) -> int | None:
        raise error

    return work


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (3, 3)])
def test_a_status_is_passed_on(
    returned: int | None, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(lambda _: returned) == status
    assert capsys.readouterr() == ("", "")


LONG = "width must be at least 8, got 3; " + "take 16 " * 40


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (SettingsError(LONG), 1, f"error: {LONG}"),
        (SettingsError("[bold] is no tag"), 1, "error: [bold] is no tag"),
        (
            OSError(28, "No space left on device", "a.ply"),
            1,
            "error: a.ply: No space left on device; check the path and the free space there",
        ),
        (OSError("odd"), 1, "error: odd; check the path and the free space there"),
        (MemoryError(), 1, "error: out of memory; lower the resolution or use a larger machine"),
        (
            KeyboardInterrupt(),
            130,
            "interrupted; what is finished is kept, run the same command again to go on",
        ),
    ],
)
def test_a_problem_is_one_sentence(
    error: BaseException, status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(raising(error)) == status
    assert capsys.readouterr() == ("", f"{sentence}\n")


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(raising(ZeroDivisionError()))


NOISY = """
import logging, sys, warnings
from geom_miner.command_line import run_command


def work(console):
    logging.getLogger("trimesh").warning("a message of a library")
    logging.error("another one")
    warnings.warn("a warning of a library")
    console.print("what the program says")


sys.exit(run_command(work))
"""


def test_log_messages_and_warnings_of_libraries_do_not_reach_the_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", NOISY], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "what the program says\n")
