"""Commands that are killed, interrupted, stopped, or run short of something, and run again.

``python -m pipelines.campaigns.kills configs/kills.yaml [--kills 20]``
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from eval.report import Column, Table
from eval.runs import manifest, run_folder, write_json, write_text
from geom_miner.errors import GeomMinerError, SettingsError
from geom_miner.progress_bars import WorkBar
from pipelines.campaigns.conditions import (
    Outcome,
    can_mount,
    can_mount_read_only,
    try_conditions,
)
from pipelines.campaigns.kill_jobs import JOBS, prepare
from pipelines.campaigns.strikes import Strike, Uninterrupted, run_uninterrupted, strike
from pipelines.command import Earlier, run_pipeline


@dataclass(frozen=True)
class KillsConfig:
    """Strikes at random moments, and conditions under which writing fails."""

    kills: int = 500
    """Runs that are struck, spread over the jobs."""
    jobs: str = "all"
    """Job, or all."""
    seed: int = 0
    """Seed of the first struck run of each job."""
    conditions: bool = True
    """Whether the jobs are also run short of space, rights and a terminal."""
    output: str = "runs/kills"
    """Folder to write."""

    def __post_init__(self) -> None:
        if self.jobs not in ("all", *JOBS):
            raise SettingsError(f"jobs must be all or one of {', '.join(JOBS)}, got {self.jobs!r}")
        if self.kills < 0:
            raise SettingsError(f"kills must be at least 0, got {self.kills}")


class FaultsFound(GeomMinerError):
    """A campaign that found faults of the project."""


def run_kills(config: KillsConfig, console: Console) -> tuple[list[Strike], list[Outcome]]:
    """Strike the jobs in turn, then try the conditions."""
    names = list(JOBS) if config.jobs == "all" else [config.jobs]
    strikes: list[Strike] = []
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        good, folder = Path(scratch) / "good", Path(scratch) / "work"
        good.mkdir()
        whole: dict[str, Uninterrupted] = {}
        with WorkBar(console, "uninterrupted runs") as bar:
            prepare(good)
            for number, name in enumerate(names, 1):
                whole[name] = run_uninterrupted(name, good, folder)
                bar(number, len(names))
        with WorkBar(console, "strikes") as bar:
            turns = itertools.cycle([name for name in names for _ in range(JOBS[name].weight)])
            seeds = {name: itertools.count(config.seed) for name in names}
            for number, name in enumerate(itertools.islice(turns, config.kills)):
                strikes.append(strike(name, next(seeds[name]), whole[name], good, folder))
                bar(number + 1, config.kills)
        if config.conditions:
            with WorkBar(console, "conditions") as bar:
                for number, name in enumerate(names, 1):
                    outcomes += try_conditions(name, whole[name], good, folder)
                    bar(number, len(names))
    return strikes, outcomes


def kills_report(strikes: Sequence[Strike], outcomes: Sequence[Outcome]) -> str:
    """Markdown: how struck runs ended, and how commands end under each condition."""
    groups = {
        job: [s for s in strikes if s.job == job] for job in dict.fromkeys(s.job for s in strikes)
    }
    columns: list[Column[tuple[str, list[Strike]]]] = [
        Column("job", lambda group: group[0], left=True),
        Column("struck runs", lambda group: len(group[1])),
        Column("strikes", lambda group: sum(len(s.moments) for s in group[1])),
        Column("that left finished parts", lambda group: sum(s.kept > 0 for s in group[1])),
        Column("runs with faults", lambda group: sum(bool(s.faults) for s in group[1])),
    ]
    lines = ["# Commands that are interrupted", ""]
    if groups:
        lines += [
            "After the strikes each run is started again and must end with status 0, the bytes of "
            "the uninterrupted run, every finished scale taken over, and nothing left behind.",
            "",
            Table(columns, list(groups.items())).markdown(),
        ]
    faulty = [s for s in strikes if s.faults]
    if faulty:
        lines += ["## Faults", "", _faults_table(faulty)]
    if outcomes:
        lines += ["## Conditions", "", " ".join(_scope()), "", _conditions_table(outcomes)]
    return "\n".join(lines)


def _scope() -> Iterator[str]:
    """Sentences on what the conditions are, and on those that this machine does not allow."""
    yield "Each run is started once more without the condition, unless its disk is full."
    if not can_mount():
        yield (
            "No file system could be mounted here: the limit of a file's size stands in for a full "
            "disk."
        )
    if not can_mount_read_only():
        yield "No folder could be made read-only here: nothing was tried without rights to write."


def _faults_table(faulty: Sequence[Strike]) -> str:
    columns: list[Column[Strike]] = [
        Column("job", lambda s: s.job, left=True),
        Column("seed", lambda s: str(s.seed)),
        Column("strikes", lambda s: ", ".join(f"{n} at {t} s" for n, t in s.moments), left=True),
        Column("faults", lambda s: "; ".join(s.faults), left=True),
    ]
    return Table(columns, faulty).markdown()


def _conditions_table(outcomes: Sequence[Outcome]) -> str:
    columns: list[Column[Outcome]] = [
        Column("condition", lambda o: o.condition, left=True),
        Column("job", lambda o: o.job, left=True),
        Column("status", lambda o: str(o.status)),
        Column("last words", lambda o: o.sentence[:200], left=True),
        Column("faults", lambda o: "; ".join(o.faults), left=True),
    ]
    return Table(columns, outcomes).markdown()


def main() -> int:
    """Run from the command line."""

    def work(config: KillsConfig, earlier: Earlier, console: Console) -> None:
        with run_folder(Path(config.output), config, force=earlier.force) as folder:
            strikes, outcomes = run_kills(config, console)
            report = kills_report(strikes, outcomes)
            write_text(folder / "report.md", report)
            values = {
                "manifest": manifest(
                    config=asdict(config), seed=config.seed, device="cpu", backend="reference"
                ),
                "strikes": [asdict(one) for one in strikes],
                "conditions": [asdict(one) for one in outcomes],
            }
            write_json(folder / "kills.json", values)
            console.print(report, soft_wrap=True)
            console.print(f"Wrote {folder}/: report.md, kills.json")
            faulty = sum(bool(one.faults) for one in strikes) + sum(
                bool(o.faults) for o in outcomes
            )
            if faulty:
                total = len(strikes) + len(outcomes)
                raise FaultsFound(f"{faulty} of {total} runs have faults; see {folder}/report.md")

    return run_pipeline(
        work,
        KillsConfig,
        module="pipelines.campaigns.kills",
        summary="Kill, interrupt and stop commands at random moments, and run them again.",
        overrides=("kills", "jobs", "seed", "conditions", "output"),
    )


if __name__ == "__main__":
    raise SystemExit(main())
