"""Every mesh file of this machine's packages and of chosen folders, read by us and by others.

``python -m pipelines.campaigns.corpus configs/corpus.yaml [--output runs/corpus]``
"""

from __future__ import annotations

import glob
import hashlib
import importlib.metadata
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console

from eval.clouds import holds_cloud
from eval.report import Column, Table
from eval.runs import Record
from geom_miner.errors import GeomMinerError
from geom_miner.mesh import MESH_SUFFIXES
from pipelines.campaigns.forked import ForkFailed, call_forked
from pipelines.studies.study import Study, Trial

PYTHON_PACKAGES = "python-packages"
CORPUS_VARIABLE = "GEOM_MINER_CORPUS"
# Areas and volumes that differ by less than this share are equal: files hold float32.
_EQUAL = 1e-5
# What every process that reads a file needs: the readers, and all that this module imports, as a
# process that is forked imports it once more.
_PRELOADED = (
    "pipelines.campaigns.loaded_readers",
    "pipelines.campaigns.forked",
    "pipelines.studies.study",
    "eval.clouds",
)
_SECONDS = 300.0


@dataclass(frozen=True)
class CorpusConfig:
    """Folders that are searched for mesh files, with all folders below them."""

    folders: list[str] = field(default_factory=list)
    """Folders, with wildcards and $VARIABLES; ``python-packages`` is where Python's packages are.
    Those that are not there are passed over. GEOM_MINER_CORPUS may list more."""
    most_bytes: int = 200_000_000
    """Larger files are left out."""
    output: str = "runs/corpus"
    """Folder to write."""


def mesh_files_below(config: CorpusConfig) -> dict[str, Path]:
    """Every mesh file once, by its path within the folder that was searched."""
    found: dict[str, Path] = {}
    contents: set[str] = set()
    for folder in _folders(config):
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in MESH_SUFFIXES or not path.is_file():
                continue
            if not 0 < path.stat().st_size <= config.most_bytes:
                continue
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest not in contents and not _is_cloud(path):
                contents.add(digest)
                found[(Path(folder.name) / path.relative_to(folder)).as_posix()] = path
    return found


def _folders(config: CorpusConfig) -> list[Path]:
    listed = [*config.folders, *os.environ.get(CORPUS_VARIABLE, "").split(os.pathsep)]
    folders: dict[Path, None] = {}
    for entry in filter(None, listed):
        if entry == PYTHON_PACKAGES:
            names = sorted({str(one.locate_file("")) for one in importlib.metadata.distributions()})
        else:
            names = sorted(glob.glob(os.path.expanduser(os.path.expandvars(entry))))
        folders |= {Path(name).resolve(): None for name in names if Path(name).is_dir()}
    return list(folders)


def _is_cloud(path: Path) -> bool:
    try:
        return holds_cloud(path)
    except GeomMinerError:
        return False


def trials(config: CorpusConfig, folder: Path, console: Console) -> Iterator[Trial]:
    """One for every file; a file of other content is read again."""
    files = mesh_files_below(config)
    for number, (name, path) in enumerate(files.items(), 1):
        key = {"file": name, "bytes": path.stat().st_size}
        yield Trial(key, partial(_measure, path), f"[{number}/{len(files)}] {name}")


def _measure(path: Path) -> Record:
    from pipelines.campaigns.corpus_readers import read_by_all

    try:
        return call_forked(read_by_all, str(path), preload=_PRELOADED, seconds=_SECONDS)
    except ForkFailed as error:
        return {name: {"refused": str(error)} for name in ("ours", "trimesh", "open3d")}


def verdict(record: Record, other: str) -> str:
    """How our reading of a file compares with another one: equal, or what differs."""
    ours, theirs = record["ours"], record[other]
    if "refused" in ours:
        return "we refuse" if "refused" not in theirs else "both refuse"
    if "refused" in theirs:
        return "it refuses"
    scale = max(ours["area"], theirs["area"], 1e-300)
    if abs(ours["area"] - theirs["area"]) > _EQUAL * scale:
        return f"area {_share(ours['area'], theirs['area'])}"
    if abs(ours["volume"] - theirs["volume"]) > _EQUAL * scale**1.5:
        return f"volume {_share(ours['volume'], theirs['volume'])}"
    # Positions are float32 in most files: a step grows with the distance from the origin.
    reach = scale**0.5 + max(map(abs, ours["center"]))
    if max(abs(a - b) for a, b in zip(ours["center"], theirs["center"], strict=True)) > (
        _EQUAL * reach
    ):
        return "another place"
    return "equal"


def _share(ours: float, theirs: float) -> str:
    return f"{ours:.6g} against {theirs:.6g}"


def report(config: CorpusConfig, records: Sequence[Record]) -> str:
    """Markdown: counts by format, the files that are read differently, then every file."""
    suffixes = sorted({Path(r["file"]).suffix.lower() for r in records})
    groups = [(s, [r for r in records if r["file"].lower().endswith(s)]) for s in suffixes]
    groups.append(("all", list(records)))
    counts: list[Column[tuple[str, list[Record]]]] = [
        Column("format", lambda g: g[0], left=True),
        Column("files", lambda g: len(g[1])),
        *(
            Column(f"read by {title}", lambda g, name=name: _read(g[1], name))  # type: ignore[misc]
            for name, title in (("ours", "us"), ("trimesh", "trimesh"), ("open3d", "Open3D"))
        ),
        Column("equal to trimesh", lambda g: _equal(g[1], "trimesh")),
        Column("equal to Open3D", lambda g: _equal(g[1], "open3d")),
        Column("refused by us alone", lambda g: sum(_refused_alone(r) for r in g[1])),
    ]
    odd = [r for r in records if {verdict(r, "trimesh"), verdict(r, "open3d")} != {"equal"}]
    files: list[Column[Record]] = [
        Column("file", lambda r: r["file"], left=True),
        Column("faces", lambda r: r["ours"].get("faces")),
        Column("against trimesh", lambda r: verdict(r, "trimesh"), left=True),
        Column("against Open3D", lambda r: verdict(r, "open3d"), left=True),
        Column("we say", lambda r: r["ours"].get("refused", ""), left=True),
    ]
    lines = [
        f"# {len(records)} mesh files of this machine",
        "",
        f"Equal: area, volume and center within {_EQUAL:g} of each other.",
        "",
        Table(counts, groups).markdown(),
        f"## Not equal for all: {len(odd)}",
        "",
        Table(files, odd).markdown(),
    ]
    return "\n".join(lines)


def _read(records: Sequence[Record], name: str) -> int:
    return sum("refused" not in record[name] for record in records)


def _equal(records: Sequence[Record], other: str) -> str:
    both = [r for r in records if "refused" not in r["ours"] and "refused" not in r[other]]
    return f"{sum(verdict(r, other) == 'equal' for r in both)} of {len(both)}"


def _refused_alone(record: Record) -> bool:
    others = (record["trimesh"], record["open3d"])
    return "refused" in record["ours"] and any("refused" not in other for other in others)


CORPUS = Study(
    module="pipelines.campaigns.corpus",
    summary="Read every mesh file of this machine's packages with our readers and with others.",
    config=CorpusConfig,
    trials=trials,
    report=report,
    overrides=("output",),
)

if __name__ == "__main__":
    raise SystemExit(CORPUS.main())
