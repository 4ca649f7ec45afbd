"""What every pipeline's command line does about problems: one sentence, a status, no traceback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from geom_miner import GeomMinerError


@dataclass(frozen=True)
class StudyArguments:
    """What the studies of several shapes take; each says in its own words what it measures."""

    config: tyro.conf.Positional[Path]
    """YAML file of the run."""
    resolution: int | None = None
    """Samples along each side, instead of the config's."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder to write, instead of the config's."""
    fresh: bool = False
    """Measure anew what an earlier run has measured."""


def run_command(work: Callable[[Console], None]) -> int:
    """Run a pipeline with a console on standard error; returns the exit status."""
    console = Console(stderr=True)
    if not console.is_terminal:
        # A log has no width; tables must not be squeezed into 80 columns.
        console = Console(stderr=True, width=160)
    try:
        work(console)
    except GeomMinerError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        console.print(
            f"error: {where}{error.strerror or error}; check the place and its free space",
            style="red", markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; what is finished is kept, run again to go on", style="yellow")
        return 130
    except MemoryError:
        console.print("error: out of memory; lower the resolution or use a larger machine")
        return 1
    return 0
