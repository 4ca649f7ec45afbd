"""A study of several shapes: every shape measured once, kept, and told in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tyro
from rich.console import Console

from eval.runs import (
    Record,
    StudyArguments,
    load_config,
    manifest,
    portable,
    read_records,
    write_json,
    write_records,
    write_text,
)
from eval.shapes import Shape, find_shape
from geom_miner.atomic_files import make_folder
from geom_miner.command_line import run_command

Run = TypeVar("Run")
Report = Callable[[Sequence[Record]], str]


def study_shapes(
    run: Any,
    measure: Callable[[Shape], Iterable[Record]],
    report: Report,
    *,
    facts: Sequence[str],
    fresh: bool,
    console: Console,
) -> list[Record]:
    """Records of every shape of a run, in its folder, with a report; measured ones are kept.

    Parameters
    ----------
    run : settings with ``shapes``, ``output`` and ``seed``.
    measure : gives the records of a shape.
    facts : names of the settings that decide what is measured.
    fresh : measure anew what an earlier run has measured.
    """
    folder = make_folder(Path(run.output))
    book = folder / "records.jsonl"
    known = [] if fresh else read_records(book)
    records: list[Record] = []
    for name in run.shapes:
        shape = find_shape(name, console=console)
        key = {"shape": shape.name, "faces": shape.faces, **{f: getattr(run, f) for f in facts}}
        own = [r for r in known if key.items() <= r.items()]
        if not own:
            console.print(f"  {shape.name}", highlight=False, markup=False)
            own = [{**key, **record} for record in measure(shape)]
            known += own
            write_records(book, known)
        records += own
    facts_of_run = manifest(config=portable(run), seed=run.seed, device="cpu", backend="cpu")
    write_json(folder / "manifest.json", facts_of_run)
    write_text(folder / "report.md", report(records))
    return records


def study_command(
    prog: str,
    arguments: type[StudyArguments],
    kind: type[Run],
    work: Callable[[Run, bool, Console], str],
) -> int:
    """The command line of a study; returns the exit status.

    Parameters
    ----------
    kind : settings that the YAML file holds.
    work : does the study, given these, whether to begin anew, and a console; gives its report.
    """

    def run_it(console: Console) -> None:
        given = tyro.cli(arguments, prog=prog)
        overrides = {"resolution": given.resolution, "output": given.output}
        run: Any = load_config(given.config, kind, overrides)
        text = work(run, given.fresh, console)
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        console.print(f"Wrote {run.output}/: records.jsonl, report.md, manifest.json", markup=False)

    return run_command(run_it)
