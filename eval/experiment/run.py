"""The run of a batch: every cell once, in a process of its own, kept as soon as it is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from eval.errors import MethodError
from eval.experiment.cell import Cell, errors_file
from eval.experiment.in_threads import Advanced, Started, in_threads
from eval.experiment.job import judge, reconstruct
from eval.experiment.settings import BatchRun, Contender
from eval.experiment.subjects import Subject, gather
from eval.isolation import run_guarded
from eval.methods import find_method
from eval.runs import Record, manifest, read_records, write_json, write_records
from geom_miner.atomic_files import make_folder
from geom_miner.errors import SettingsError
from geom_miner.kernels import choose_device
from geom_miner.progress_bars import WorkBar

_BOOK = "records.jsonl"


@dataclass(frozen=True)
class Finished:
    """A run whose cells all have a record.

    Parameters
    ----------
    missing : a sentence for each shape that could not be had.
    cells, records : one record per cell, in the order of the config.
    manifest : settings, versions, commit, machine.
    """

    run: BatchRun
    folder: Path
    subjects: list[Subject]
    missing: list[str]
    cells: list[Cell]
    records: list[Record]
    manifest: dict[str, Any]


def run_batch(
    run: BatchRun, *, fresh: bool = False, retry: bool = False, console: Console
) -> Finished:
    """Measure what no earlier run has measured; a cell that fails is a record that says why.

    Parameters
    ----------
    fresh : measure everything anew.
    retry : measure anew what failed.

    Raises
    ------
    GeomMinerError
        The settings are wrong, no shape can be had, or the folder can't be written.
    """
    contenders = run.contenders
    for contender in contenders:
        _check(contender)
    device = choose_device(run.device)
    folder = make_folder(Path(run.output))
    subjects, missing = gather(run, folder, console)
    cells = list(_cells(run, subjects, contenders, device))
    if not cells:
        raise SettingsError("no method of the run can be given any of its shapes")
    known = [] if fresh else read_records(folder / _BOOK)
    known = [record for record in known if _usable(record, folder) and not (retry and _bad(record))]
    facts = manifest(config=_portable(run), seed=min(run.seeds), device=device, backend="auto")
    write_json(folder / "manifest.json", facts)
    new = [cell for cell in cells if _find(known, cell) is None]
    _measure(new, run, {"jobs": run.jobs, "commit": facts["commit"]}, known, console)
    records = [found for cell in cells if (found := _find(known, cell)) is not None]
    return Finished(run, folder, subjects, missing, cells, records, facts)


def _check(contender: Contender) -> None:
    """Raise for what can be known to be wrong before anything runs."""
    try:
        method = find_method(contender.method)
    except ImportError:
        return  # Its cells will say what is missing; the others can run.
    if contender.preset and contender.preset not in method.presets:
        raise SettingsError(
            f"{contender.method} has no preset {contender.preset!r}; there are "
            f"{', '.join(method.presets)}"
        )
    wanted = {"mesh"} if contender.input == "mesh" else {"points", "oriented points"}
    if not wanted & method.takes:
        raise SettingsError(
            f"{contender.label} cannot be given {contender.input}; it takes "
            f"{', '.join(sorted(method.takes))}"
        )


def _cells(
    run: BatchRun, subjects: Sequence[Subject], contenders: Sequence[Contender], device: str
) -> Iterator[Cell]:
    for subject in subjects:
        for contender in contenders:
            if subject.cloud and contender.input == "mesh":
                continue
            for budget in contender.budgets:
                for seed in contender.seeds:
                    yield Cell(subject, contender, budget, seed, run.samples, device)


def _measure(
    cells: Sequence[Cell], run: BatchRun, way: Record, known: list[Record], console: Console
) -> None:
    """Run cells, ``run.jobs`` at a time, and add their records to those known.

    Parameters
    ----------
    way : of measuring, which every record tells though it doesn't decide the result.
    """
    if not cells:
        return
    total = sum(cell.expected_seconds for cell in cells)
    done = 0.0
    shares: dict[str, float] = {}

    folder = Path(run.output)
    # Cells at a time share the cores: threads of several that wait for each other waste them.
    cores = len(os.sched_getaffinity(0))
    threads = None if run.jobs == 1 else max(1, cores // run.jobs)

    def attempt(cell: Cell, tell: Callable[[float], None]) -> Record:
        return {**way, **_attempt(cell, folder, run.timeout, threads, tell)}

    with WorkBar(console, "cells") as bar:
        bar(0, total)
        for event in in_threads(attempt, cells, run.jobs):
            cell = event.item
            if isinstance(event, Started):
                bar.describe(cell.words)
            elif isinstance(event, Advanced):
                shares[cell.mesh_file] = event.share * cell.expected_seconds
            else:
                record = event.result
                known[:] = [other for other in known if other["cell"] != record["cell"]]
                known.append(record)
                write_records(folder / _BOOK, known)
                _tell(console, cell, record)
                shares.pop(cell.mesh_file, None)
                done += cell.expected_seconds
            if done:
                # The first words of a first cell say nothing about the time of all.
                bar(done + sum(shares.values()), total)


def _attempt(
    cell: Cell, folder: Path, seconds: float, threads: int | None, tell: Callable[[float], None]
) -> Record:
    """The record of a cell, whatever happens in it.

    Parameters
    ----------
    seconds : after which either of its processes is ended.
    threads : of either.
    """
    record: Record = {"cell": cell.facts, "failure": None}
    facts = asdict(cell.job(folder))
    make_folder((folder / cell.mesh_file).parent)
    try:
        made = run_guarded(
            reconstruct,
            {},
            facts,
            name=cell.contender.label,
            seconds=seconds,
            threads=threads,
            progress=lambda share, _: tell(share),
        )
        judged = run_guarded(
            judge, {}, facts, name="Judging the mesh", seconds=seconds, threads=threads
        )
    except MethodError as error:
        return {**record, "failure": _sentence(str(error), folder)}
    np.save(folder / errors_file(cell.mesh_file), judged.arrays["errors"], allow_pickle=False)
    return {**record, **made.values, **judged.values, "mesh": cell.mesh_file}


def _sentence(words: str, folder: Path) -> str:
    """One sentence, without any folder of this machine."""
    words = " ".join(words.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "").split())
    return words.rstrip(".") + "."


def _tell(console: Console, cell: Cell, record: Record) -> None:
    """A line for each cell: what came of it."""
    if record["failure"]:
        outcome = f"FAILED, {record['failure']}"
    else:
        seconds, faces = record["timings"]["total"], record["measures"]["faces"]
        outcome = f"{seconds:.1f} s, {faces:,} faces"
    line = f"{cell.words}: {outcome}"
    style = "yellow" if record["failure"] else None
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _usable(record: Record, folder: Path) -> bool:
    """Whether a record is whole and its files are there."""
    if not isinstance(record.get("cell"), dict) or "failure" not in record:
        return False
    files = (record["mesh"], errors_file(record["mesh"])) if not _bad(record) else ()
    return all((folder / file).is_file() for file in files)


def _bad(record: Record) -> bool:
    return record["failure"] is not None


def _find(records: Sequence[Record], cell: Cell) -> Record | None:
    facts = cell.facts
    return next((record for record in records if record["cell"] == facts), None)


def _portable(run: BatchRun) -> dict[str, Any]:
    """The settings as they were given, paths by their last part."""
    shapes = []
    for entry in run.shapes:
        given = {"shape": entry} if isinstance(entry, str) else dict(entry)
        places = {"shape", "folder", "cloud", "clouds"} & given.keys()
        shapes.append({**given, **{key: Path(str(given[key])).name for key in places}})
    named = replace(run, shapes=shapes, output=Path(run.output).name)
    return {**asdict(named), "cloud_folder": Path(run.cloud_folder).name}
