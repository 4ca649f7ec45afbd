"""The command line of every pipeline: a YAML file, and options that override its settings."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro
from rich.console import Console

from eval.runs import check_config_place, load_config
from geom_miner.command_line import parsing, run_command
from geom_miner.constraints import check_fields

Config = TypeVar("Config")

_ALIASES = {"output": ["-o"]}


@dataclass(frozen=True)
class Earlier:
    """What to do with what is in the folder of a run.

    Parameters
    ----------
    fresh : begin anew instead of keeping what an earlier run has left.
    force : write into a folder that holds files of another program, which may be replaced.
    """

    fresh: bool = False
    force: bool = False


def run_pipeline(
    work: Callable[[Config, Earlier, Console], None],
    config_type: type[Config],
    *,
    module: str,
    summary: str,
    overrides: Sequence[str] = ("resolution", "output"),
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse the command line, read the configuration, do the work; returns the exit status.

    Parameters
    ----------
    work : is given the configuration, what to do with earlier results, and a console for notes.
    module : name of the module that is run, for ``--help``.
    summary : one line for ``--help``.
    overrides : settings of the configuration that an option of the same name overrides.
    """

    def read_and_work(console: Console) -> None:
        with parsing():
            given = tyro.cli(
                _arguments_type(config_type, overrides),
                prog=f"python -m {module}",
                description=summary,
                args=arguments,
            )
        check_fields(given)
        values = {name: getattr(given, name) for name in overrides}
        config: Any = load_config(given.config, config_type, values)
        check_config_place(given.config, Path(config.output))
        work(config, Earlier(fresh=given.fresh, force=given.force), console)

    return run_command(read_and_work)


def _arguments_type(config_type: type, overrides: Sequence[str]) -> Any:
    hints = typing.get_type_hints(config_type)
    entries: list[Any] = [
        (
            "config",
            Annotated[tyro.conf.Positional[Path], tyro.conf.arg(help="YAML file of the run.")],
        )
    ]
    for name in overrides:
        option = tyro.conf.arg(
            help=f"Overrides the configuration's {name}.", aliases=_ALIASES.get(name)
        )
        entries.append((name, Annotated[hints[name] | None, option], field(default=None)))
    anew = tyro.conf.arg(help="Begin anew instead of keeping what an earlier run has left.")
    entries.append(("fresh", Annotated[bool, anew], field(default=False)))
    foreign = tyro.conf.arg(help="Write into a folder that holds files of another program.")
    entries.append(("force", Annotated[bool, foreign], field(default=False)))
    return make_dataclass("Arguments", entries)
