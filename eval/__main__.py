"""`python -m eval COMMAND`: reconstruct a surface, compare files, run a batch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import tyro
from rich.console import Console

from eval.batch import BatchSettings, batch
from eval.compare import CompareSettings, compare, to_json, to_table
from eval.reconstruct import ReconstructSettings, reconstruct
from eval.runs import run_command


def _compare(settings: CompareSettings) -> int:
    def work(_: Console) -> None:
        result = compare(settings)
        out = Console()
        if settings.json:
            out.out(to_json(result), highlight=False)
        else:
            out.print(to_table(result))

    return run_command(work)


# Name of a command: its settings, and what takes them and gives an exit status. Modules named here
# load what is heavy when they are run.
COMMANDS: dict[str, tuple[type, Callable[[Any], int]]] = {
    "batch": (BatchSettings, batch),
    "compare": (CompareSettings, _compare),
    "reconstruct": (ReconstructSettings, reconstruct),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0, or 1 after one sentence on the error stream."""
    settings = tyro.extras.subcommand_cli_from_dict(
        {name: kind for name, (kind, _) in COMMANDS.items()},
        prog="python -m eval",
        args=arguments,
    )
    (run,) = (run for kind, run in COMMANDS.values() if type(settings) is kind)
    return run(settings)


if __name__ == "__main__":
    sys.exit(main())
