"""Dispatch of the command ``geom-miner``: which command, which defaults, what a problem prints.

Answers go to standard output, everything else (progress, notes, errors) to standard error. A
problem gives one sentence and exit status 1, an interrupt 130.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import tyro
from rich.console import Console

from geom_miner import __version__
from geom_miner.cli.decode import Decode
from geom_miner.cli.extract import Extract
from geom_miner.cli.fit import Fit, fit_with_preset
from geom_miner.cli.info import Info
from geom_miner.cli.query import Query
from geom_miner.cli.voxelize import Voxelize
from geom_miner.errors import GeomMinerError

COMMANDS: dict[str, Any] = {
    "voxelize": Voxelize,
    "fit": Fit,
    "extract": Extract,
    "decode": Decode,
    "info": Info,
    "query": Query,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = Console(stderr=True)
    if arguments[:1] == ["--version"]:
        Console().print(f"geom-miner {__version__}", highlight=False)
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        asked = bool(arguments) and arguments[0] in ("-h", "--help")
        (Console() if asked else console).print(_overview(), highlight=False, soft_wrap=True)
        return 0 if asked else 2
    name, rest = arguments[0], arguments[1:]
    try:
        kind = fit_with_preset(rest) if name == "fit" else COMMANDS[name]
        command = tyro.cli(kind, prog=f"geom-miner {name}", args=rest)
        command.run(console)
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
        console.print(
            "interrupted; what a fit has finished is kept, run it again to go on", style="yellow"
        )
        return 130
    except MemoryError:
        _print_error(console, "out of memory; lower --resolution or use a larger machine")
        return 1
    return 0


def _print_error(console: Console, sentence: str) -> None:
    console.print(f"error: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)


def _overview() -> str:
    lines = ["usage: geom-miner COMMAND ... (geom-miner COMMAND --help explains each)", ""]
    lines += [f"  {name:10}{command.__doc__}" for name, command in COMMANDS.items()]
    return "\n".join([*lines, "", "  --version  print the version"])
