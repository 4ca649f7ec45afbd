"""Names of files are shown as they are: they neither steer the terminal nor count as markup."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest
from rich.progress import Progress
from rich.table import Table

from geom_miner.progress_bars import PlainColumn, WorkBar
from geom_miner.terminal import Terminal, printable
from tests.cli.conftest import Run

HOSTILE = "[/red]\x1b[31m\x9b\u202e\n[bold]x[/bold]"
SHOWN = r"[/red]\x1b[31m\x9b\u202e\n[bold]x[/bold]"


def shown_on_terminal(value: object) -> str:
    terminal = Terminal(file=io.StringIO(), width=1000)
    terminal.print(value, style="red")
    return terminal.file.getvalue()  # type: ignore[attr-defined]


def test_what_is_not_printed_is_escaped() -> None:
    assert printable(HOSTILE) == SHOWN
    assert printable("größe 寸 é/α.ply") == "größe 寸 é/α.ply"
    assert printable(os.fsdecode(b"caf\xe9\x7f\r\t")) == r"caf\udce9\x7f\r\t"


def test_the_terminal_shows_text_tables_and_bars_as_they_are() -> None:
    name = HOSTILE.replace("\n", "")
    as_shown = printable(name)
    table = Table(name, title=name, caption=name)
    table.add_row(name)
    assert as_shown in shown_on_terminal(name)
    assert shown_on_terminal(table).count(as_shown) == 4
    assert shown_on_terminal("a\nb") == "a\nb\n"
    stream = io.StringIO()
    terminal = Terminal(file=stream, width=1000, force_terminal=True)
    with Progress(PlainColumn("{task.description}"), console=terminal) as progress:
        progress.add_task(name)
    with terminal.status(name), WorkBar(terminal, name) as bar:
        bar(0.5)
    assert stream.getvalue().count(as_shown) >= 3
    assert "\x1b[31m" not in stream.getvalue()


@pytest.mark.parametrize(
    ("command", "suffix"),
    [("fit", ".miner"), ("voxelize", ".npz"), ("info", ""), ("extract", "_"), ("decode", ".npy")],
)
def test_an_error_names_a_hostile_file_on_one_line(
    run: Run, tmp_path: Path, command: str, suffix: str
) -> None:
    source = tmp_path / HOSTILE / "a.ply"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"nothing")
    output = ["-o", source.with_name(f"out{suffix}")] if suffix else []
    outcome = run(command, source, *output)
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith("error: ")
    assert f"{SHOWN}/a.ply" in outcome.err
    assert not set("\x1b\u202e") & set(outcome.err + outcome.out)


def test_answers_name_hostile_files_as_they_are(run: Run, made: Path, tmp_path: Path) -> None:
    model = tmp_path / "[red]\x1b[31m[bold].miner"
    shutil.copy(made / "sphere.miner", model)
    for arguments in (["info", model], ["extract", model, "-o", tmp_path / "[/b]\x1b", "--lod", 1]):
        outcome = run(*arguments)
        assert outcome.status == 0, outcome.err
        assert "\x1b" not in outcome.out + outcome.err
    assert r"[red]\x1b[31m[bold].miner" in "".join(run("info", model).out.split("\n"))
