"""Dispatch of the command ``geom-miner``: its own commands, and those of other packages.

Answers go to standard output, everything else (progress, notes, errors) to standard error. A
problem gives one sentence and exit status 1, an interrupt 130.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import tyro
from rich.console import Console

from geom_miner import __version__
from geom_miner.cli.decode import Decode
from geom_miner.cli.extract import Extract
from geom_miner.cli.fit import Fit, fit_with_preset
from geom_miner.cli.info import Info
from geom_miner.cli.plugins import load_command, plugin_commands
from geom_miner.cli.query import Query
from geom_miner.cli.voxelize import Voxelize
from geom_miner.command_line import Command, parsing, run_command
from geom_miner.constraints import check_fields
from geom_miner.errors import PluginError
from geom_miner.memory import explain_memory
from geom_miner.terminal import Terminal

_LARGER = "end other programs or use a larger machine"

COMMANDS: dict[str, Callable[..., Command]] = {
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
    return run_command(lambda console: _dispatch(arguments, console))


def _dispatch(arguments: list[str], console: Console) -> int | None:
    name, options = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name == "--version":
        Terminal().print(f"geom-miner {__version__}")
        return 0
    if name not in COMMANDS and name not in plugin_commands():
        asked = name in ("-h", "--help")
        Terminal(stderr=not asked).print(_overview(), soft_wrap=True)
        return 0 if asked else 2
    with parsing():
        command = tyro.cli(_command(name, options), prog=f"geom-miner {name}", args=options)
    check_fields(command)
    with explain_memory(getattr(command, "memory_remedy", _LARGER)):
        return command.run(console)


def _command(name: str, options: Sequence[str]) -> Callable[..., Command]:
    if name == "fit":
        return fit_with_preset(options)
    return COMMANDS[name] if name in COMMANDS else load_command(plugin_commands()[name])


def _overview() -> str:
    summaries = {name: _summary(command) for name, command in COMMANDS.items()}
    for name, entry in sorted(plugin_commands().items()):
        if name not in COMMANDS:
            try:
                summaries[name] = _summary(load_command(entry))
            except PluginError as error:
                summaries[name] = str(error)
    width = max(map(len, summaries)) + 2
    return "\n".join(
        [
            "usage: geom-miner COMMAND ... (geom-miner COMMAND --help explains each)",
            "",
            *(f"  {name:{width}}{summary}" for name, summary in summaries.items()),
            "",
            "  --version  print the version",
        ]
    )


def _summary(command: Callable[..., Command]) -> str:
    """First line of a command's docstring."""
    return (command.__doc__ or "").strip().partition("\n")[0]
