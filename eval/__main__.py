"""`python -m eval COMMAND`: reconstruct a surface, compare files, run a batch.

The same commands as ``geom-miner compare``, ``reconstruct`` and ``evaluate`` (here: batch).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import tyro
from rich.console import Console

from eval.batch import BatchSettings
from eval.compare import CompareSettings
from eval.reconstruct import ReconstructSettings
from geom_miner.command_line import Command, parsing, run_command
from geom_miner.constraints import check_fields

# Modules named here load what is heavy when they are run.
COMMANDS: dict[str, Callable[..., Command]] = {
    "batch": BatchSettings,
    "compare": CompareSettings,
    "reconstruct": ReconstructSettings,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0, or 1 after one sentence on the error stream."""

    def work(console: Console) -> int | None:
        with parsing():
            command = tyro.extras.subcommand_cli_from_dict(
                COMMANDS, prog="python -m eval", args=arguments
            )
        check_fields(command)
        status: int | None = command.run(console)
        return status

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
