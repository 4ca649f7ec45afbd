"""Dispatch of the command ``geom-miner``: which command, which defaults, what a problem prints.

Answers go to standard output, everything else (progress, notes, errors) to standard error. A
problem gives one sentence and exit status 1, an interrupt 130.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import tyro
from rich.console import Console

from geom_miner import __version__
from geom_miner.cli.commands import IMAGES, Decode, Extract, Fit, Info, Query, Voxelize
from geom_miner.errors import GeomMinerError
from geom_miner.fit.settings import DISTANCE_PRESETS, FitSettings, preset, target_for
from geom_miner.voxelize.settings import VoxelizeSettings

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
        command = tyro.cli(_with_preset(name, rest), prog=f"geom-miner {name}", args=rest)
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


def _with_preset(name: str, arguments: Sequence[str]) -> Any:
    """The command's class; for ``fit`` with its options' defaults taken from the preset."""
    command = COMMANDS[name]
    if command is not Fit:
        return command
    asked = _value_of("--preset", arguments)
    chosen = "auto" if asked is None else asked
    if chosen == "auto":
        words = zip(["", *arguments], arguments, strict=False)
        sources = [word for option, word in words if option not in ("-o", "--output")]
        image = any(word.lower().endswith(IMAGES) for word in sources if word[:1] != "-")
        wanted = _value_of("--target", arguments)
        volume = "volume" if wanted in ("occupancy", "coverage") else DISTANCE_PRESETS[0]
        chosen = "image" if image else volume
    settings = preset(chosen)
    target = target_for(chosen)

    @dataclass(frozen=True)
    class FitWithPreset(Fit):
        __doc__ = Fit.__doc__
        voxels: tyro.conf.OmitArgPrefixes[VoxelizeSettings] = field(
            default_factory=lambda: VoxelizeSettings(target=target)
        )
        settings: tyro.conf.OmitArgPrefixes[FitSettings] = field(
            default_factory=lambda: replace(settings)
        )

    return FitWithPreset


def _value_of(option: str, arguments: Sequence[str]) -> str | None:
    """What is given for an option, before the options are parsed; None if it is not there."""
    value = None
    for at, argument in enumerate(arguments):
        if argument == option and at + 1 < len(arguments):
            value = arguments[at + 1]
        elif argument.startswith(f"{option}="):
            value = argument.partition("=")[2]
    return value
