"""Commands of other packages: eval's, a good one, and every way in which one can be broken."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from geom_miner.cli import plugins
from geom_miner.cli.main import COMMANDS
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Greet:
    """Print a greeting.

    More about it.
    """

    name: str
    """Whom to greet."""

    def run(self, console: Console) -> int:
        console.print(f"hello {self.name}")
        return 3


class Runless:
    """A class that is no command."""


Offer = Callable[..., None]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Offers commands as an installed package would, by name and by what their module holds."""

    def offer(**commands: object) -> None:
        module = ModuleType("greetings")
        vars(module).update({f"{name}_class": command for name, command in commands.items()})
        monkeypatch.setitem(sys.modules, "greetings", module)
        entries = [EntryPoint(name, f"greetings:{name}_class", plugins.GROUP) for name in commands]
        monkeypatch.setattr(plugins, "entry_points", lambda group: entries)

    return offer


def test_a_command_is_listed_by_its_first_line_and_runs(offer: Offer, run: Run) -> None:
    offer(greet=Greet)
    assert "  greet     Print a greeting.\n" in run("--help").out
    outcome = run("greet", "--name", "Lucy")
    assert (outcome.status, outcome.err) == (3, "hello Lucy\n")
    assert "Whom to greet." in run("greet", "--help").out


def test_the_tools_own_commands_come_first(offer: Offer, run: Run) -> None:
    offer(info=Greet)
    assert "Print a greeting." not in run("--help").out
    assert "Whom to greet." not in run("info", "--help").out


def test_a_command_that_cannot_be_imported_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    entry = EntryPoint("greet", "no_such_module:Greet", plugins.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry])
    sentence = (
        "command greet of no_such_module cannot be loaded (No module named 'no_such_module'); "
        "update or uninstall no_such_module\n"
    )
    listed = run("--help")
    assert (listed.status, listed.err) == (0, "")
    assert f"  greet     {sentence}" in listed.out
    outcome = run("greet")
    assert (outcome.status, outcome.out, outcome.err) == (1, "", f"error: {sentence}")


def test_a_command_without_run_is_one_sentence(offer: Offer, run: Run) -> None:
    offer(greet=Runless)
    outcome = run("greet")
    assert outcome.status == 1
    assert outcome.err.startswith("error: command greet of greetings has no method run; update")


def test_the_commands_of_this_project_can_be_loaded() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = {
        name: EntryPoint(name, value, plugins.GROUP)
        for name, value in project["entry-points"][plugins.GROUP].items()
    }
    assert entries.keys() == {"compare", "evaluate", "reconstruct"}
    assert not entries.keys() & COMMANDS.keys()
    for entry in entries.values():
        summary = (plugins.load_command(entry).__doc__ or "").strip()
        assert summary.endswith(".")
        assert "\n" not in summary
