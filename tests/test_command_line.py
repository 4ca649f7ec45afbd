"""Whatever happens in a command: a status, and at most one sentence on standard error."""

from __future__ import annotations

import os
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
        (MemoryError(), 1, "error: out of memory; end other programs or use a larger machine"),
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
    logging.getLogger("geom_miner.kernels").warning("[compiling] a kernel")
    warnings.warn("a warning of a library")
    console.print("what the program says")


sys.exit(run_command(work))
"""


def test_only_log_messages_of_this_program_reach_the_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", NOISY], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "",
        "[compiling] a kernel\nwhat the program says\n",
    )


READERLESS = """
import os, sys
from geom_miner.cli.main import main
from geom_miner.command_line import run_command
from rich.console import Console
answers = {"print": lambda _: print("x" * 100_000), "rich": lambda _: Console().print("x")}
work = answers.get(sys.argv[1])
sys.exit(run_command(work) if work else main(sys.argv[1].split()))
"""


@pytest.mark.parametrize("answer", ["print", "rich", "--help", "--version", "fit --help"])
def test_an_answer_that_nobody_reads_is_no_traceback(answer: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", READERLESS, answer], stdout=pipe, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("answer", ["print", "--version"])
def test_an_answer_that_finds_a_full_disk_is_one_sentence(answer: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", READERLESS, answer], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: No space left on device; ")
    assert done.stderr.count(b"\n") == 1


def test_a_closed_standard_output_lends_its_number_to_no_file(tmp_path: Path) -> None:
    script = (
        "import sys; from geom_miner.command_line import run_command\n"
        "def work(_):\n"
        "    print('an answer')\n"
        f"    assert open({str(tmp_path / 'a')!r}, 'w').fileno() > 2\n"
        "sys.exit(run_command(work))"
    )
    # A shell closes the streams; subprocess can only lead them elsewhere.
    closing = 'exec "$0" -W ignore -c "$1" <&- >&- 2>&-'
    done = subprocess.run(["/bin/sh", "-c", closing, sys.executable, script])
    assert done.returncode == 0
    assert (tmp_path / "a").read_bytes() == b""
