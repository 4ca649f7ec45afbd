"""Commands that other packages offer to ``geom-miner`` through entry points.

An entry point of the group ``geom_miner.commands`` is the name of a command and its class, which
keeps the protocol ``geom_miner.command_line.Command``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from geom_miner.command_line import Command
from geom_miner.errors import PluginError

GROUP = "geom_miner.commands"


def plugin_commands() -> dict[str, EntryPoint]:
    """Entry points of the installed packages by the name of their command; nothing is imported."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def load_command(entry: EntryPoint) -> Callable[..., Command]:
    """Import the class of a command.

    Raises
    ------
    PluginError
        It cannot be imported, or has no method ``run``.
    """
    package = entry.dist.name if entry.dist else entry.module
    remedy = f"update or uninstall {package}"
    try:
        command: Callable[..., Command] = entry.load()
    except Exception as error:  # whatever happens while a foreign module is imported
        raise PluginError(
            f"command {entry.name} of {package} cannot be loaded ({error}); {remedy}"
        ) from error
    if not callable(getattr(command, "run", None)):
        raise PluginError(f"command {entry.name} of {package} has no method run; {remedy}")
    return command
