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
from geom_miner.command_line import Command, run_command

# Modules named here load what is heavy when they are run.
COMMANDS: dict[str, Callable[..., Command]] = {
    "batch": BatchSettings,
    "compare": CompareSettings,
    "reconstruct": ReconstructSettings,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0, or 1 after one sentence on the error stream."""

    def work(console: Console) -> int | None:
        prog = "python -m eval"
        command: Command = tyro.extras.subcommand_cli_from_dict(COMMANDS, prog=prog, args=arguments)
        return command.run(console)

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
