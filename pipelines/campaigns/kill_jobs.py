"""Commands that are interrupted: what each is given, what it must leave, and how it is started."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np

from geom_miner import GeomMinerError, TriangleMesh, write_mesh
from geom_miner.storage import describe_model

# Modules that take seconds to load; each start of a command is a fork of a process with them.
_PRELOADED = (
    "geom_miner.__main__",
    "geom_miner.fit",
    "geom_miner.extract",
    "geom_miner.targets",
    "geom_miner.storage",
    "geom_miner.media",
    "eval.__main__",
    "eval.benchmark",
    "eval.methods",
    "eval.report",
    "pipelines.campaigns.conditions",
    "pipelines.command",
)
_FIT = ["--scales", "3", "--block-size", "4", "--width", "8", "--depth", "2", "--device", "cpu"]
_FIT += ["--steps", "60", "--coarse-steps", "60", "--resolution", "32", "--backend", "reference"]
_FIT += ["--memory", "1MB", "--json"]
MESH, MODEL = "sphere.ply", "sphere.miner"
# Notes on a fit that state how long it took.
_UNEQUAL = (".history.json", ".jsonl", ".json", ".html", ".md", ".csv", ".webp", ".npy.txt")


@dataclass(frozen=True)
class KillJob:
    """A command that can be run again after it was interrupted.

    Parameters
    ----------
    words : the command, run in a folder that holds ``given``.
    given : names of the prepared files.
    equal : suffixes of the outputs that are the same in every run, byte for byte.
    kept : number of finished parts that an interrupted run in a folder has left.
    taken_over : number of parts that a rerun took over, from its answer on standard output.
    weight : of every so many struck runs, this many are of the job; a batch takes minutes.
    """

    words: Sequence[str]
    given: Sequence[str]
    equal: tuple[str, ...]
    kept: Callable[[Path], int] = field(default=lambda folder: 0)
    taken_over: Callable[[str], int] = field(default=lambda answer: 0)
    weight: int = 8


def _scales_in_part(folder: Path) -> int:
    for name in ("out.miner", "out.miner.part"):
        with contextlib.suppress(GeomMinerError):
            return len(describe_model(folder / name)["scales"])
    return 0


def _resumed_scales(answer: str) -> int:
    return int(json.loads(answer)["resumed_scales"])


def _records(folder: Path) -> int:
    path = folder / "batch" / "records.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


JOBS: dict[str, KillJob] = {
    "fit": KillJob(
        ["geom_miner", "fit", MESH, "-o", "out.miner", *_FIT],
        [MESH],
        (".miner",),
        _scales_in_part,
        _resumed_scales,
    ),
    "extract": KillJob(["geom_miner", "extract", MODEL, "-o", "meshes"], [MODEL], (".ply",)),
    "decode": KillJob(["geom_miner", "decode", MODEL, "-o", "samples.npy"], [MODEL], (".npy",)),
    "batch": KillJob(
        ["eval", "batch", "batch.yaml"], [MESH, "batch.yaml"], (".ply",), _records, weight=1
    ),
}
_BATCH = f"""shapes: [{MESH}]
methods:
  - {{method: miner, seeds: [0, 1], resolution: 16}}
samples: 500
output: batch
"""


def prepare(folder: Path) -> None:
    """Write what the jobs are given: a sphere, its model, a configuration of a batch."""
    write_mesh(folder / MESH, _sphere())
    (folder / "batch.yaml").write_text(_BATCH)
    if not (folder / MODEL).exists():
        status = start(["geom_miner", "fit", MESH, "-o", MODEL, *_FIT], folder).wait()
        if status != 0:
            raise RuntimeError(printed(folder, "err.txt"))


def _sphere() -> TriangleMesh:
    """An octahedron, its faces cut four times and drawn out to a sphere."""
    vertices = np.vstack([np.eye(3), -np.eye(3)])
    faces = np.array([[a, b, c] for a in (0, 3) for b in (1, 4) for c in (2, 5)])
    for _ in range(4):
        corners = vertices[faces]
        middles = (corners + np.roll(corners, -1, axis=1)) / 2
        a, b, c = corners.swapaxes(0, 1)
        ab, bc, ca = middles.swapaxes(0, 1)
        pieces = np.concatenate(
            [np.stack(p, axis=1) for p in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
        vertices, inverse = np.unique(pieces.reshape(-1, 3), axis=0, return_inverse=True)
        faces = inverse.reshape(-1, 3)
    vertices = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    normals = np.cross(*(vertices[faces[:, k]] - vertices[faces[:, 0]] for k in (1, 2)))
    inward = (normals * vertices[faces].mean(axis=1)).sum(axis=1) < 0
    faces[inward] = faces[inward][:, ::-1]
    return TriangleMesh(vertices, faces)


@dataclass
class Running:
    """A command in a process of its own session."""

    process: ForkServerProcess
    folder: Path

    @property
    def pid(self) -> int:
        """Number of the process, and of its session."""
        assert self.process.pid is not None
        return self.process.pid

    def send(self, how: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        # A process that has ended may have left its number to another.
        if self.process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, how)

    def wait(self, seconds: float = 600.0) -> int:
        """The exit status, negative for a signal.

        Raises
        ------
        TimeoutError
            The process has not ended in time; it is killed.
        """
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            raise TimeoutError(f"a command has not ended after {seconds:.0f} s")
        return self.process.exitcode


def start(words: Sequence[str], folder: Path) -> Running:
    """Start a command in a folder; what it prints goes to out.txt and err.txt beside its files."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    process = context.Process(target=_run, args=(list(words), str(folder)))
    process.start()
    return Running(process, folder)


def _run(words: list[str], folder: str) -> None:
    os.setsid()
    os.chdir(folder)
    # A process in the background ignores interrupts; a command of a terminal does not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in ((1, "out.txt"), (2, "err.txt")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    if words[0] == "geom_miner":
        from geom_miner.__main__ import main

        sys.exit(main(words[1:]))
    from eval.__main__ import main as evaluate

    sys.exit(evaluate(words[1:]))


def printed(folder: Path, name: str) -> str:
    """What a command has printed; nothing if it was ended before it could."""
    path = folder / name
    return path.read_text(errors="replace") if path.is_file() else ""


def fresh_folder(folder: Path, good: Path, job: KillJob) -> Path:
    """An empty folder with what the job is given."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in job.given:
        shutil.copy(good / name, folder / name)
    return folder


def contents(folder: Path, job: KillJob) -> dict[str, str]:
    """Names of all files in a folder, hidden ones included; digests of those that must be equal."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in ("out.txt", "err.txt"):
            name = path.relative_to(folder).as_posix()
            is_equal = path.suffix in job.equal and not name.endswith(_UNEQUAL)
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if is_equal else ""
            found[name] = digest
    return found


def orphans(session: int) -> list[int]:
    """Processes that are still in a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    found.append(int(entry.name))
    return found
