"""Run a command: its problems become one sentence and an exit status, never a traceback."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Protocol

from rich.console import Console

from geom_miner.errors import GeomMinerError
from geom_miner.memory import is_out_of_memory
from geom_miner.terminal import Terminal, printable

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""
# A log or a pipe has no width of its own; tables must not be squeezed into 80 columns.
_LOG_WIDTH = 160
# Packages whose log messages are written for users.
_OWN_PACKAGES = ("geom_miner", "eval", "pipelines")


class Command(Protocol):
    """A command: a dataclass of its arguments, whose first docstring line is its summary.

    Other packages offer commands to ``geom-miner`` by entry points of the group
    ``geom_miner.commands``, each the name of a command and its class.
    """

    def run(self, console: Console) -> int | None:
        """Do the work; answers go to standard output, all else to the console."""


@contextlib.contextmanager
def parsing() -> Iterator[None]:
    """Let a setting that is refused while tyro parses options speak for itself, in one sentence.

    tyro would put it into a box and end the program. What it says of options stays as it is.

    Raises
    ------
    GeomMinerError
        A setting was refused.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            yield
    except SystemExit as stop:
        reason: BaseException | None = stop
        while reason is not None:
            if isinstance(reason, GeomMinerError):
                raise reason from None
            reason = reason.__context__
        raise
    finally:
        if not isinstance(sys.exc_info()[1], GeomMinerError):
            sys.stderr.write(said.getvalue())


def run_command(work: Callable[[Console], int | None]) -> int:
    """Run a command's work with a console on standard error.

    Log messages of this program appear there too. Those of other packages, and warnings, are not
    shown: they are about their own calls, and what concerns a user is said by this program.

    Returns
    -------
    The exit status: what ``work`` returns, with None for 0; 1 after an error, which is printed as
    one sentence; 1 without a word if nobody reads the answer any more, as after ``| head``; 130
    after an interrupt.
    """
    keep_logs_off_the_terminal()
    _open_closed_streams()
    console = Terminal(stderr=True)
    if not console.is_terminal:
        console = Terminal(stderr=True, width=_LOG_WIDTH)
    try:
        return _answer(work, console)
    except GeomMinerError as error:
        print_error(console, str(error))
    except BrokenPipeError:
        _discard_answer()
    except OSError as error:
        _discard_answer()
        file = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or error
        print_error(console, f"{file}{reason}; check the path and the free space there")
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print_error(console, "out of memory; end other programs or use a larger machine")
    except KeyboardInterrupt:
        console.print(
            "interrupted; what is finished is kept, run the same command again to go on",
            style="yellow",
            soft_wrap=True,
        )
        return INTERRUPTED
    return 1


def keep_logs_off_the_terminal() -> None:
    """Send log messages and warnings of others nowhere, unless the process has handlers for them.

    Warnings of this project's packages are for users, such as that code is compiled.
    Without any handler Python prints messages from "warning" upwards on standard error.
    """
    logging.captureWarnings(True)
    root = logging.getLogger()
    if root.handlers:
        return
    root.addHandler(logging.NullHandler())
    for package in _OWN_PACKAGES:
        logging.getLogger(package).addHandler(_PrintedLines(logging.WARNING))


class _PrintedLines(logging.Handler):
    """Prints messages on standard error as lines without control characters."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(printable(record.getMessage()) + "\n")


def _answer(work: Callable[[Console], int | None], console: Console) -> int:
    """Do the work and hand its answer over now, while a failure can still be reported."""
    try:
        return work(console) or 0
    finally:
        sys.stdout.flush()


def _discard_answer() -> None:
    """Drop what standard output does not take, or the interpreter would try again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _open_closed_streams() -> None:
    """Lead standard streams that were closed at the start to nowhere.

    Otherwise the next file to be opened would get their number, and stray output.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def print_error(console: Console, sentence: str) -> None:
    """Print ``error: sentence`` on one line, however long."""
    console.print(f"error: {printable(sentence)}", style="red", soft_wrap=True)
