"""Work that may crash, hang or eat the memory, done in a process of its own.

Data goes there and back through NPZ files in a temporary folder, words through text files beside
them, so that nothing is unpickled and nothing that the process prints can be taken for a result.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.errors import MethodError
from eval.runs import peak_rss_bytes
from geom_miner import GeomMinerError

Arrays = Mapping[str, npt.NDArray[np.generic]]
Facts = Mapping[str, Any]
Progress = Callable[[float, str], None]
# What is guarded: a function of a module, not of a class or another function.
Work = Callable[[Arrays, Facts, Progress], tuple[Arrays, Facts]]

_ROOT = Path(__file__).resolve().parents[2]
# Seconds between two looks at the process: short beside the work, long beside a look.
_LOOK_EVERY = 0.05
_LONGEST_LINE = 300
# What the libraries used here take their numbers of threads from.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What came back.

    Parameters
    ----------
    arrays, facts : as the work returned them; the facts after a trip through JSON.
    seconds : from starting the process to its end.
    peak_rss_bytes : largest resident memory of the process.
    """

    arrays: dict[str, npt.NDArray[np.generic]]
    facts: dict[str, Any]
    seconds: float
    peak_rss_bytes: int


def run_guarded(
    work: Work,
    arrays: Arrays,
    facts: Facts,
    *,
    name: str,
    seconds: float,
    memory_bytes: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Call ``work(arrays, facts, progress)`` in a fresh interpreter and wait for what it returns.

    Whatever ends the waiting, the process and all that it started are gone when this returns. It
    also ends by itself if this process dies without a word.

    Parameters
    ----------
    work : a function of a module, found there by its name.
    arrays : what it works on.
    facts : more of it, JSON-able.
    name : of the work, the subject of the sentences in errors.
    seconds : longest time that it may take, loading its libraries included.
    memory_bytes : most memory that it may ask the system for, code not counted; systems other
        than Linux may not hold it to that.
    threads : that its libraries work with; None leaves that to them.
    progress : called here with what the work reports there.

    Raises
    ------
    MethodError
        The work raised an error, crashed, ran out of memory, took longer, or ended early.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="guarded-") as place:
        folder = _Folder(Path(place))
        np.savez(folder.given, allow_pickle=False, **arrays)
        job = {
            "module": work.__module__,
            "function": work.__qualname__,
            "facts": dict(facts),
            "memory_bytes": memory_bytes,
        }
        folder.job.write_text(json.dumps(job))
        status = _run(folder, seconds, threads, progress)
        if status is None:
            raise MethodError(f"{name} took longer than {seconds:g} seconds and was ended")
        if not folder.answer.exists():
            raise MethodError(f"{name} {_how_it_ended(status, memory_bytes)}{folder.last_line()}")
        answer = json.loads(folder.answer.read_text())
        if "error" in answer:
            raise MethodError(f"{name} {answer['error']}")
        with np.load(folder.result, allow_pickle=False) as archive:
            found = {key: archive[key] for key in archive.files}
    return Outcome(found, answer["facts"], time.monotonic() - started, answer["peak_rss_bytes"])


@dataclass(frozen=True)
class _Folder:
    """Where both processes leave what the other one reads."""

    path: Path

    @property
    def job(self) -> Path:
        return self.path / "job.json"

    @property
    def given(self) -> Path:
        return self.path / "given.npz"

    @property
    def progress(self) -> Path:
        return self.path / "progress.jsonl"

    @property
    def output(self) -> Path:
        return self.path / "output.txt"

    @property
    def result(self) -> Path:
        return self.path / "result.npz"

    @property
    def answer(self) -> Path:
        return self.path / "answer.json"

    def last_line(self) -> str:
        """The last words on the error stream, to be put after a sentence; empty if none."""
        lines = self.output.read_text(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"; its last words: {said[-1][:_LONGEST_LINE]}" if said else ""


def _run(
    folder: _Folder, seconds: float, threads: int | None, progress: Progress | None
) -> int | None:
    """Run the job of a folder to its end; its status, or None if it took too long."""
    # This package is found there as it is here, wherever this process was started.
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    shared = {} if threads is None else dict.fromkeys(_THREADS, str(threads))
    deadline, read = time.monotonic() + seconds, 0
    with open(folder.output, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=output,
            env={**os.environ, **shared, "PYTHONPATH": path},
            # A group of its own, so that all that it starts can be ended with it.
            start_new_session=True,
        )
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(_LOOK_EVERY, max(deadline - time.monotonic(), 0.0)))
            read = _hand_on(folder.progress, read, progress)
            if process.returncode is not None:
                return process.returncode
            if time.monotonic() >= deadline:
                return None
    finally:
        # Its group may live on without it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _hand_on(path: Path, read: int, progress: Progress | None) -> int:
    """Call with every whole line that was added since ``read`` bytes; how many are read now."""
    if progress is None or not path.exists():
        return read
    with open(path, "rb") as stream:
        stream.seek(read)
        added = stream.read()
    added = added[: added.rfind(b"\n") + 1]
    for line in added.splitlines():
        share, words = json.loads(line)
        progress(share, words)
    return read + len(added)


def _how_it_ended(status: int, memory_bytes: int | None) -> str:
    if status >= 0:
        return f"ended early, with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if name == "SIGKILL":
        return f"was ended by the system ({name}), as happens when memory runs out"
    limit = f" under its limit of {memory_bytes:,} bytes" if memory_bytes else ""
    return f"crashed ({name}){limit}"


def _do(folder: _Folder) -> None:
    """The other side: do the job of a folder and leave the answer there."""
    _end_with_parent()
    job = json.loads(folder.job.read_text())
    limit = job["memory_bytes"]
    if limit is not None:
        # Of data, not of addresses: libraries map far more of these than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        work: Work = getattr(importlib.import_module(job["module"]), job["function"])
        with np.load(folder.given, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        with open(folder.progress, "w", buffering=1) as stream:

            def report(share: float, words: str) -> None:
                stream.write(json.dumps([share, words]) + "\n")

            found, facts = work(arrays, job["facts"], report)
        np.savez(folder.result, allow_pickle=False, **found)
        answer = {"facts": dict(facts), "peak_rss_bytes": peak_rss_bytes()}
    except MemoryError:
        allowed = "" if limit is None else f" of the {limit:,} bytes that it may take"
        answer = {"error": f"ran out of memory{allowed}; lower the resolution or the points"}
    except GeomMinerError as error:
        answer = {"error": f"failed: {error}"}
    except Exception as error:
        # Whatever it is, it becomes a sentence on the other side.
        answer = {"error": f"failed with {type(error).__name__}: {error}"[:_LONGEST_LINE]}
    scratch = folder.answer.with_suffix(".tmp")
    scratch.write_text(json.dumps(answer))
    scratch.replace(folder.answer)


def _end_with_parent() -> None:
    """Let the kernel end this process when the other one is gone, and with it its end of the pipe.

    A thread that waits for that would not do: libraries keep the interpreter to themselves while
    they compute. On systems other than Linux the signal may be ignored; then the work goes on to
    its end.
    """
    pipe = sys.stdin.fileno()
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([pipe], [], [], 0.0)[0]:
        # Nothing is ever written, so it was closed before the signal was asked for.
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _do(_Folder(Path(sys.argv[1])))
