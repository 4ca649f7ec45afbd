"""Run a command: its problems become one sentence and an exit status, never a traceback."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Protocol

from rich.console import Console

from geom_miner.errors import GeomMinerError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""
# A log or a pipe has no width of its own; tables must not be squeezed into 80 columns.
_LOG_WIDTH = 160


class Command(Protocol):
    """A command: a dataclass of its arguments, whose first docstring line is its summary.

    Other packages offer commands to ``geom-miner`` by entry points of the group
    ``geom_miner.commands``, each the name of a command and its class.
    """

    def run(self, console: Console) -> int | None:
        """Do the work; answers go to standard output, all else to the console."""


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
    _open_closed_streams()
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=_LOG_WIDTH)
    show_own_logs_only(console)
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
    except MemoryError:
        print_error(console, "out of memory; lower the resolution or use a larger machine")
    except KeyboardInterrupt:
        console.print(
            "interrupted; what is finished is kept, run the same command again to go on",
            style="yellow",
            soft_wrap=True,
        )
        return INTERRUPTED
    return 1


def show_own_logs_only(console: Console) -> None:
    """Print log messages of this program; send those of other packages, and warnings, nowhere.

    Handlers that the process has already are left as they are. Without any handler Python prints
    messages from "warning" upwards on standard error.
    """
    logging.captureWarnings(True)
    root, own = logging.getLogger(), logging.getLogger("geom_miner")
    if root.handlers and not any(isinstance(h, _Printer) for h in own.handlers):
        return
    root.handlers = root.handlers or [logging.NullHandler()]
    own.handlers = [_Printer(console)]


class _Printer(logging.Handler):
    """Prints messages on a console, as plain text."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(record.getMessage(), markup=False, highlight=False, soft_wrap=True)


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
    console.print(f"error: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
