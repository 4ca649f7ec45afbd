"""Run work that may crash, hang or use up the memory in a process of its own, and wait for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.errors import MethodError
from eval.isolation.threads import thread_environment
from eval.isolation.work import Arrays, ExchangeFolder, JsonValues, Work
from eval.progress import StatusProgress

_ROOT = Path(__file__).resolve().parents[2]
_WORKER_MODULE = "eval.isolation.guarded_worker"
# Pause between two looks at the worker: short compared with the work, long compared with a look.
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class GuardedResult:
    """What the work returned, and what it cost.

    Parameters
    ----------
    arrays, values : as the work returned them; the values after conversion to JSON and back.
    seconds : from the start of the process to its end.
    peak_rss_bytes : largest resident memory of the process.
    """

    arrays: dict[str, npt.NDArray[np.generic]]
    values: dict[str, Any]
    seconds: float
    peak_rss_bytes: int


def run_guarded(
    work: Work,
    arrays: Arrays,
    values: JsonValues,
    *,
    name: str,
    seconds: float,
    memory_bytes: int | None = None,
    threads: int | None = None,
    progress: StatusProgress | None = None,
) -> GuardedResult:
    """Call ``work(arrays, values, progress)`` in a fresh interpreter and wait for its result.

    When this function returns or raises, the process and all processes that it started are gone.
    The process also ends by itself if the calling process dies.

    Parameters
    ----------
    work : a module-level function; the worker imports it by name.
    arrays, values : its arguments; the values must be JSON-able.
    name : of the work, the subject of error messages.
    seconds : time limit, which includes loading libraries.
    memory_bytes : limit on the data memory of the process. Only Linux enforces it.
    threads : limit on the threads of its libraries; None sets no limit.
    progress : called in this process with what the work reports.

    Raises
    ------
    MethodError
        The work raised an error, crashed, ran out of memory or time, or ended early.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="guarded-") as path:
        folder = ExchangeFolder(Path(path))
        np.savez(folder.input_arrays, allow_pickle=False, **arrays)
        job = {
            "module": work.__module__,
            "function": work.__qualname__,
            "values": dict(values),
            "memory_bytes": memory_bytes,
        }
        folder.job.write_text(json.dumps(job))
        status = _wait_for_worker(folder, seconds, threads, progress)
        if status is None:
            raise MethodError(f"{name} took longer than {seconds:g} seconds and was ended")
        if not folder.answer.exists():
            raise MethodError(f"{name} {_describe_end(status, memory_bytes)}{folder.last_line()}")
        answer = json.loads(folder.answer.read_text())
        if "error" in answer:
            raise MethodError(f"{name} {answer['error']}")
        with np.load(folder.output_arrays, allow_pickle=False) as archive:
            output = {key: archive[key] for key in archive.files}
    return GuardedResult(
        output, answer["values"], time.monotonic() - started, answer["peak_rss_bytes"]
    )


def _wait_for_worker(
    folder: ExchangeFolder, seconds: float, threads: int | None, progress: StatusProgress | None
) -> int | None:
    """Run the job of a folder; returns its exit status, or None if it exceeded the time limit."""
    # The worker must find this package wherever the calling process was started.
    python_path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **thread_environment(threads), "PYTHONPATH": python_path}
    deadline, bytes_read = time.monotonic() + seconds, 0
    with open(folder.error_stream, "wb") as error_stream:
        process = subprocess.Popen(
            [sys.executable, "-m", _WORKER_MODULE, str(folder.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=error_stream,
            env=environment,
            # A process group of its own, so that everything it starts can be ended with it.
            start_new_session=True,
        )
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0.0)))
            bytes_read = _forward_progress(folder.progress, bytes_read, progress)
            if process.returncode is not None:
                return process.returncode
            if time.monotonic() >= deadline:
                return None
    finally:
        # Other processes of the group may outlive the worker.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _forward_progress(path: Path, bytes_read: int, progress: StatusProgress | None) -> int:
    """Report every complete line after the first ``bytes_read`` bytes; returns the new count."""
    if progress is None or not path.exists():
        return bytes_read
    with open(path, "rb") as stream:
        stream.seek(bytes_read)
        added = stream.read()
    complete = added[: added.rfind(b"\n") + 1]
    for line in complete.splitlines():
        share, status = json.loads(line)
        progress(share, status)
    return bytes_read + len(complete)


def _describe_end(status: int, memory_bytes: int | None) -> str:
    """How a worker that left no answer ended; the rest of a sentence that begins with its name."""
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
