"""Many faulty inputs, each read within limits of time and memory: what is neither read nor refused.

``python -m pipelines.campaigns.fuzz configs/fuzz.yaml [--kind ply] [--seed 123]``
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from eval.report import Column, Table
from eval.runs import manifest, run_folder, write_json, write_text
from geom_miner.atomic_files import make_folder
from geom_miner.errors import GeomMinerError, SettingsError
from geom_miner.progress_bars import WorkBar
from geom_miner.terminal import printable
from pipelines.campaigns.fuzz_process import HANG_CPU, FuzzProcess
from pipelines.campaigns.fuzz_worker import MEMORY
from pipelines.campaigns.kinds import KINDS, make_input
from pipelines.command import Earlier, run_pipeline

# Outcomes that are right, and those that are faults of the project.
GOOD = ("accepted", "refused")
FAULTS = {
    "raw": "raw exceptions",
    "no sentence": "refused otherwise",
    "wrong": "wrong results",
    "hang": f"hangs over {HANG_CPU:.0f} s",
    "memory": f"allocations over {MEMORY >> 30} GiB",
    "crash": "crashes",
}
_SHOWN_SEEDS = 3


@dataclass(frozen=True)
class FuzzConfig:
    """Inputs of every kind, or of one."""

    inputs: int = 1400
    """Inputs of each kind; kinds whose reading takes long have a tenth."""
    kind: str = "all"
    """Kind of input, or all."""
    first: int = 0
    """Seed of the first input of each kind; the finds of earlier campaigns begin at 0."""
    seed: int | None = None
    """Try the input with this seed alone, keep its files and show the traceback."""
    output: str = "runs/fuzz"
    """Folder to write."""

    def __post_init__(self) -> None:
        if self.kind not in ("all", *KINDS):
            raise SettingsError(f"kind must be all or one of {', '.join(KINDS)}, got {self.kind!r}")
        if self.inputs < 1 or self.first < 0 or (self.seed or 0) < 0:
            raise SettingsError(
                "inputs must be at least 1 and seeds at least 0, got "
                f"{self.inputs}, {self.first} and {self.seed}"
            )
        if self.seed is not None and self.kind == "all":
            raise SettingsError(
                f"a seed belongs to a kind; name one with --kind: {', '.join(KINDS)}"
            )


@dataclass(frozen=True)
class KindResult:
    """How the inputs of a kind ended."""

    kind: str
    outcomes: Counter[str]
    faults: list[dict[str, Any]]

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return sum(self.outcomes.values())


@dataclass(frozen=True)
class Find:
    """Faults that end in the same way at the same place."""

    kind: str
    outcome: str
    error: str
    where: str
    message: str
    seeds: tuple[int, ...]

    @property
    def replay(self) -> str:
        """The command that repeats the first of them."""
        return f'make fuzz FUZZ="--kind {self.kind} --seed {self.seeds[0]}"'


def run_fuzz(config: FuzzConfig, console: Console) -> list[KindResult]:
    """Try the inputs that the configuration names, kind by kind."""
    return [_run_kind(kind, config, console) for kind in _kinds(config)]


def _kinds(config: FuzzConfig) -> list[str]:
    return list(KINDS) if config.kind == "all" else [config.kind]


def _compiled(config: FuzzConfig) -> Path:
    return Path(config.output) / "compiled"


def _run_kind(kind: str, config: FuzzConfig, console: Console) -> KindResult:
    count = max(1, round(config.inputs * KINDS[kind].share))
    outcomes: Counter[str] = Counter()
    faults = []
    with FuzzProcess(kind, _compiled(config)) as process, WorkBar(console, f"fuzz {kind}") as bar:
        for seed in range(config.first, config.first + count):
            answer = process.ask(seed)
            outcomes[answer["outcome"]] += 1
            if answer["outcome"] not in GOOD:
                faults.append({"kind": kind, "seed": seed, **answer})
            bar(seed - config.first + 1, count)
    return KindResult(kind, outcomes, faults)


def finds_of(results: Sequence[KindResult]) -> list[Find]:
    """Faults with one cause together, as far as outcome, error and place tell."""
    groups: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for result in results:
        for fault in result.faults:
            key = (result.kind, fault["outcome"], fault["error"], fault["where"])
            groups.setdefault(key, []).append(fault)
    return [
        Find(kind, outcome, error, where, same[0]["message"], tuple(f["seed"] for f in same))
        for (kind, outcome, error, where), same in groups.items()
    ]


def fuzz_report(results: Sequence[KindResult]) -> str:
    """Markdown: a row per kind, and a row per find with the command that repeats it."""
    kinds: list[Column[KindResult]] = [
        Column("kind", lambda result: result.kind, left=True),
        Column("inputs", lambda result: result.inputs),
        Column("accepted", lambda result: result.outcomes["accepted"]),
        Column("refused in one sentence", lambda result: result.outcomes["refused"]),
    ]
    kinds += list(_fault_columns())
    total = KindResult("all", sum((r.outcomes for r in results), Counter()), [])
    found = finds_of(results)
    lines = ["# Faulty inputs", "", Table(kinds, [*results, total]).markdown()]
    if found:
        columns: list[Column[Find]] = [
            Column("kind", lambda find: find.kind, left=True),
            Column("outcome", lambda find: find.outcome, left=True),
            Column("error", lambda find: find.error, left=True),
            Column("where", lambda find: find.where, left=True),
            Column("message", lambda find: find.message[:160], left=True),
            Column("inputs", lambda find: len(find.seeds)),
            Column("again", lambda find: find.replay, left=True),
        ]
        lines += ["## Finds", "", Table(columns, found).markdown()]
    return "\n".join(lines)


def _fault_columns() -> Iterator[Column[KindResult]]:
    for outcome, title in FAULTS.items():
        yield Column(title, lambda result, outcome=outcome: result.outcomes[outcome])  # type: ignore[misc]


def replay(config: FuzzConfig, console: Console) -> None:
    """Try one input, keep its files, and print how it ended."""
    assert config.seed is not None
    folder = make_folder(Path(config.output) / f"{config.kind}_{config.seed}")
    for name, content in make_input(config.kind, config.seed).items():
        (folder / name).write_bytes(content)
    with FuzzProcess(config.kind, _compiled(config)) as process:
        answer = process.ask(config.seed)
    console.print(f"{answer['outcome']}: {printable(answer.get('message', ''))}", soft_wrap=True)
    console.print(answer.get("traceback", ""), soft_wrap=True)
    console.print(f"The input is in {folder}/.")


def main() -> int:
    """Run from the command line."""

    def work(config: FuzzConfig, earlier: Earlier, console: Console) -> None:
        if config.seed is not None:
            replay(config, console)
            return
        with run_folder(Path(config.output), config, force=earlier.force) as folder:
            results = run_fuzz(config, console)
            report = fuzz_report(results)
            write_text(folder / "report.md", report)
            facts = manifest(config=asdict(config), seed=config.first, device="cpu", backend="cpu")
            faults = [fault for result in results for fault in result.faults]
            counts = {result.kind: dict(result.outcomes) for result in results}
            write_json(
                folder / "fuzz.json", {"manifest": facts, "outcomes": counts, "faults": faults}
            )
            console.print(report, soft_wrap=True)
            console.print(f"Wrote {folder}/: report.md, fuzz.json")
            if faults:
                inputs = sum(result.inputs for result in results)
                raise FaultsFound(
                    f"{len(faults)} of {inputs:,} inputs were neither read nor refused in one "
                    f"sentence; see {folder}/report.md"
                )

    return run_pipeline(
        work,
        FuzzConfig,
        module="pipelines.campaigns.fuzz",
        summary="Read many faulty inputs and report what is neither read nor refused.",
        overrides=("kind", "inputs", "first", "seed", "output"),
    )


class FaultsFound(GeomMinerError):
    """A campaign that found faults of the project."""


if __name__ == "__main__":
    raise SystemExit(main())
