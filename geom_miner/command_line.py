"""Run a command: its problems become one sentence and an exit status, never a traceback."""

from __future__ import annotations

import logging
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

    Log messages and warnings of other packages are not shown: they are about their own calls, and
    what concerns a user is said by this program.

    Returns
    -------
    The exit status: what ``work`` returns, with None for 0; 1 after an error, which is printed as
    one sentence; 130 after an interrupt.
    """
    keep_logs_off_the_terminal()
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=_LOG_WIDTH)
    try:
        return work(console) or 0
    except GeomMinerError as error:
        print_error(console, str(error))
    except OSError as error:
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


def keep_logs_off_the_terminal() -> None:
    """Send log messages and warnings nowhere, unless the process has handlers for them.

    Without any handler Python prints messages from "warning" upwards on standard error.
    """
    logging.captureWarnings(True)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def print_error(console: Console, sentence: str) -> None:
    """Print ``error: sentence`` on one line, however long."""
    console.print(f"error: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
