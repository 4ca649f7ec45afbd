"""The run of a batch: every cell once, in a process of its own, its record kept at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from eval.benchmark.cell import Cell, errors_file
from eval.benchmark.in_threads import Advanced, Started, in_threads
from eval.benchmark.job import evaluate, reconstruct
from eval.benchmark.settings import BatchRun, Entry, ShapeEntry, without_defaults
from eval.benchmark.subjects import Subject, gather
from eval.errors import MethodError
from eval.isolation import run_guarded
from eval.methods import find_method
from eval.runs.files import write_json
from eval.runs.folder import run_folder
from eval.runs.provenance import manifest
from eval.runs.records import Record, read_records, write_records
from geom_miner.atomic_files import make_folder
from geom_miner.errors import SettingsError
from geom_miner.kernels import choose_device
from geom_miner.media import write_array
from geom_miner.progress_bars import WorkBar

_RECORDS = "records.jsonl"


@dataclass(frozen=True)
class BatchResult:
    """A run whose cells all have a record.

    Parameters
    ----------
    missing : a sentence for each shape that is not available.
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
    run: BatchRun,
    *,
    fresh: bool = False,
    retry: bool = False,
    force: bool = False,
    console: Console,
) -> BatchResult:
    """Measure what no earlier run has measured; a cell that fails has a record with the reason.

    Parameters
    ----------
    fresh : measure everything anew.
    retry : measure anew what failed.
    force : write into a folder that holds files of another program.

    Raises
    ------
    GeomMinerError
        The settings are wrong, no shape is available, or the folder can't be written.
    """
    for entry in run.methods:
        _check(entry)
    with run_folder(Path(run.output), run, force=force) as folder:
        return _run_in(folder, run, fresh, retry, console)


def _run_in(folder: Path, run: BatchRun, fresh: bool, retry: bool, console: Console) -> BatchResult:
    device = choose_device(run.device)
    subjects, missing = gather(run, folder, console)
    cells = list(_cells(run, subjects, device))
    if not cells:
        raise SettingsError("no method of the run can be given any of its shapes")
    kept = [] if fresh else read_records(folder / _RECORDS)
    kept = [r for r in kept if _usable(r, folder) and not (retry and _has_failed(r))]
    seed = min(min(entry.seeds) for entry in run.methods)
    provenance = manifest(config=_portable(run), seed=seed, device=device, backend="auto")
    write_json(folder / "manifest.json", provenance)
    new = [cell for cell in cells if _find(kept, cell) is None]
    _measure(new, run, {"jobs": run.jobs, "commit": provenance["commit"]}, kept, console)
    records = [record for cell in cells if (record := _find(kept, cell)) is not None]
    return BatchResult(run, folder, subjects, missing, cells, records, provenance)


def _check(entry: Entry) -> None:
    """Raise for what can be known to be wrong before anything runs."""
    try:
        method = find_method(entry.method)
    except ImportError:
        return  # The records of its cells will name what is missing; the others can run.
    if entry.preset and entry.preset not in method.presets:
        raise SettingsError(
            f"{entry.method} has no preset {entry.preset!r}; there are {', '.join(method.presets)}"
        )
    usable = {"mesh"} if entry.input == "mesh" else {"points", "oriented points"}
    if not usable & method.takes:
        raise SettingsError(
            f"{entry.label} cannot be given {entry.input}; it takes "
            f"{', '.join(sorted(method.takes))}"
        )


def _cells(run: BatchRun, subjects: Sequence[Subject], device: str) -> Iterator[Cell]:
    for subject in subjects:
        for entry in run.methods:
            if subject.cloud and entry.input == "mesh":
                continue
            for budget in entry.budgets:
                for seed in entry.seeds:
                    yield Cell(subject, entry, budget, seed, run.samples, device)


def _measure(
    cells: Sequence[Cell],
    run: BatchRun,
    circumstances: Record,
    records: list[Record],
    console: Console,
) -> None:
    """Run cells, ``run.jobs`` at a time, and add their records to the given ones.

    Parameters
    ----------
    circumstances : added to every record; they do not decide the result.
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

    def attempt(cell: Cell, progress: Callable[[float], None]) -> Record:
        return {**circumstances, **_attempt(cell, folder, run.timeout, threads, progress)}

    with WorkBar(console, "cells") as bar:
        bar(0, total)
        for event in in_threads(attempt, cells, run.jobs):
            cell = event.item
            if isinstance(event, Started):
                bar.describe(cell.title)
            elif isinstance(event, Advanced):
                shares[cell.mesh_file] = event.share * cell.expected_seconds
            else:
                record = event.result
                records[:] = [other for other in records if other["cell"] != record["cell"]]
                records.append(record)
                write_records(folder / _RECORDS, records)
                _print_outcome(console, cell, record)
                shares.pop(cell.mesh_file, None)
                done += cell.expected_seconds
            if done:
                # The progress of a first cell predicts nothing about the time of all.
                bar(done + sum(shares.values()), total)


def _attempt(
    cell: Cell, folder: Path, seconds: float, threads: int | None, progress: Callable[[float], None]
) -> Record:
    """The record of a cell, whatever happens in it.

    Parameters
    ----------
    seconds : after which either of its processes is ended.
    threads : of either.
    """
    record: Record = {"cell": cell.key, "failure": None}
    job = asdict(cell.job(folder))
    make_folder((folder / cell.mesh_file).parent)
    try:
        made = run_guarded(
            reconstruct,
            {},
            job,
            name=cell.entry.label,
            seconds=seconds,
            threads=threads,
            progress=lambda share, _: progress(share),
        )
        evaluated = run_guarded(
            evaluate, {}, job, name="Evaluating the mesh", seconds=seconds, threads=threads
        )
    except MethodError as error:
        return {**record, "failure": _sentence(str(error), folder)}
    write_array(folder / errors_file(cell.mesh_file), evaluated.arrays["errors"])
    return {**record, **made.values, **evaluated.values, "mesh": cell.mesh_file}


def _sentence(message: str, folder: Path) -> str:
    """One sentence, without any folder of this machine."""
    message = message.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
    return " ".join(message.split()).rstrip(".") + "."


def _print_outcome(console: Console, cell: Cell, record: Record) -> None:
    """Print the result of a cell in one line."""
    if record["failure"]:
        outcome = f"FAILED, {record['failure']}"
    else:
        seconds, faces = record["timings"]["total"], record["measures"]["faces"]
        outcome = f"{seconds:.1f} s, {faces:,} faces"
    line = f"{cell.title}: {outcome}"
    style = "yellow" if record["failure"] else None
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _usable(record: Record, folder: Path) -> bool:
    """Whether a record is whole and its files are there."""
    if not isinstance(record.get("cell"), dict) or "failure" not in record:
        return False
    files = (record["mesh"], errors_file(record["mesh"])) if not _has_failed(record) else ()
    return all((folder / file).is_file() for file in files)


def _has_failed(record: Record) -> bool:
    return record["failure"] is not None


def _find(records: Sequence[Record], cell: Cell) -> Record | None:
    key = cell.key
    return next((record for record in records if record["cell"] == key), None)


def _portable(run: BatchRun) -> dict[str, Any]:
    """The settings for the manifest: those that differ from defaults, paths by their last part."""
    return {
        **asdict(run),
        "shapes": [_portable_shape(entry) for entry in run.shapes],
        "methods": [without_defaults(entry) for entry in run.methods],
        "output": Path(run.output).name,
        "cloud_folder": Path(run.cloud_folder).name,
    }


def _portable_shape(entry: ShapeEntry) -> dict[str, Any]:
    values = without_defaults(entry)
    paths = {"shape", "folder", "cloud", "clouds"} & values.keys()
    return {**values, **{key: Path(values[key]).name for key in paths}}
