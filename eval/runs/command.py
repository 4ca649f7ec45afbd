"""How every command line reports a problem: one sentence and a status, no traceback."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from geom_miner import GeomMinerError


def run_command(work: Callable[[Console], None]) -> int:
    """Run a pipeline with a console on standard error; returns the exit status."""
    console = Console(stderr=True)
    if not console.is_terminal:
        # A log has no width; tables must not be squeezed into 80 columns.
        console = Console(stderr=True, width=160)
    try:
        work(console)
    except GeomMinerError as error:
        _print_error(console, str(error))
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _print_error(
            console, f"{where}{error.strerror or error}; check the place and its free space"
        )
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; what is finished is kept, run again to go on", style="yellow")
        return 130
    except MemoryError:
        _print_error(console, "out of memory; lower the resolution or use a larger machine")
        return 1
    return 0


def _print_error(console: Console, sentence: str) -> None:
    console.print(f"error: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
