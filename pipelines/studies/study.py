"""A study: trials that are measured once and kept, and a report on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from rich.console import Console

from eval.runs import (
    Record,
    manifest,
    portable,
    read_records,
    run_folder,
    write_json,
    write_records,
    write_text,
)
from eval.shapes import Shape, find_shape
from geom_miner.errors import GeomMinerError, SettingsError
from pipelines.command import Earlier, run_pipeline

Config = TypeVar("Config")


@dataclass(frozen=True)
class Trial:
    """One measurement.

    Parameters
    ----------
    key : JSON-able values that decide the result; a kept record that holds them is used again.
    measure : gives the record, or several, without the key.
    title : what the console shows while it is measured.
    label : values that are added to the records for the report but do not decide the result.
    files : what ``measure`` writes besides; where one is missing it is measured again.
    may_fail : a GeomMinerError becomes a record with ``failed``, which the next run tries again.
    """

    key: Record
    measure: Callable[[], Record | list[Record]]
    title: str
    label: Record = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    may_fail: bool = False


@dataclass(frozen=True)
class Study(Generic[Config]):
    """A resumable study with a configuration, records, a manifest and a report.

    Parameters
    ----------
    module : that holds the study, for its command line.
    summary : one line for ``--help``.
    config : dataclass of the YAML file, with ``output`` and, if there is one, ``seed``.
    trials : what to measure, in the order of the report.
    report : Markdown of the records.
    finish : is called at the end with the configuration, the folder and the records.
    overrides : settings that the command line may override.
    """

    module: str
    summary: str
    config: type[Config]
    trials: Callable[[Config, Path, Console], Iterable[Trial]]
    report: Callable[[Config, Sequence[Record]], str]
    finish: Callable[[Config, Path, Sequence[Record]], None] | None = None
    overrides: tuple[str, ...] = ("resolution", "output")

    def run(
        self, config: Config, *, fresh: bool = False, force: bool = False, console: Console
    ) -> list[Record]:
        """Measure what no earlier run in the folder has measured; gives all records.

        Parameters
        ----------
        fresh : measure everything anew.
        force : write into a folder that holds files of another program.
        """
        settings: Any = config
        with run_folder(Path(settings.output), config, force=force) as folder:
            return self._run_in(folder, config, fresh, console)

    def _run_in(self, folder: Path, config: Config, fresh: bool, console: Console) -> list[Record]:
        path = folder / "records.jsonl"
        kept = [] if fresh else [r for r in read_records(path) if "failed" not in r]
        records: list[Record] = []
        for trial in self.trials(config, folder, console):
            matching = [r for r in kept if trial.key.items() <= r.items()]
            if not matching or not all(file.is_file() for file in trial.files):
                console.print(f"  {trial.title}", highlight=False, markup=False)
                kept = [r for r in kept if r not in matching]
                matching = _measure(trial)
                kept += matching
                write_records(path, kept)
            records += [{**record, **trial.label} for record in matching]
        seed = getattr(config, "seed", 0)
        facts = manifest(config=portable(config), seed=seed, device="cpu", backend="cpu")
        write_json(folder / "manifest.json", facts)
        if not records:
            raise SettingsError("the study has nothing to measure; name shapes")
        write_text(folder / "report.md", self.report(config, records))
        if self.finish is not None:
            self.finish(config, folder, records)
        return records

    def main(self) -> int:
        """Run from the command line; returns the exit status."""

        def work(config: Config, earlier: Earlier, console: Console) -> None:
            settings: Any = config
            records = self.run(config, fresh=earlier.fresh, force=earlier.force, console=console)
            report = self.report(config, records)
            console.print(report, markup=False, highlight=False, soft_wrap=True)
            failures = [record for record in records if "failed" in record]
            if len(failures) == len(records):
                raise SettingsError(
                    f"none of {len(records)} trials could be measured; see {settings.output}/"
                )
            console.print(
                f"Wrote {settings.output}/: records.jsonl, report.md, manifest.json", markup=False
            )

        return run_pipeline(
            work,
            self.config,
            module=self.module,
            summary=self.summary,
            overrides=self.overrides,
        )


def _measure(trial: Trial) -> list[Record]:
    try:
        measured = trial.measure()
    except GeomMinerError as error:
        if not trial.may_fail:
            raise
        measured = {"failed": str(error)}
    records = measured if isinstance(measured, list) else [measured]
    return [{**trial.key, **record} for record in records]


def study_shapes(names: Iterable[str], console: Console) -> Iterable[tuple[Shape, Record]]:
    """Shapes by name or path, each with what a record's key says about it."""
    for name in names:
        shape = find_shape(name, console=console)
        yield shape, {"shape": shape.name, "faces": shape.faces}
