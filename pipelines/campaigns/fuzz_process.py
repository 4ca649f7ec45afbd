"""A worker process that is asked for one input after another, watched, and started again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from eval.isolation import thread_environment

# Seconds of CPU time after which an input counts as a hang, and of the clock where it only waits.
HANG_CPU, HANG_CLOCK = 10.0, 60.0
# Seconds in which a worker has to load its libraries.
_START = 600.0
_TICKS = os.sysconf("SC_CLK_TCK")
_MODULE = "pipelines.campaigns.fuzz_worker"

Answer = dict[str, Any]


class FuzzProcess:
    """A context manager: ``ask(seed)`` gives how an input of the kind ended, whatever it did.

    Compiled code checks every index there: what would write beyond an array is an IndexError
    instead of a crash much later, or of none.

    Parameters
    ----------
    compiled : folder that keeps the code that is compiled so.
    """

    def __init__(self, kind: str, compiled: Path) -> None:
        self._kind, self._compiled = kind, compiled
        self._process: subprocess.Popen[str] | None = None
        self._words: IO[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def ask(self, seed: int) -> Answer:
        """How the input ended; one that hung, crashed or took too much memory is tried again.

        A fresh process has to confirm it: an earlier input, or a busy machine, may be the reason.
        """
        answer = self._ask_once(seed, HANG_CPU)
        if answer["outcome"] in ("hang", "crash", "memory"):
            # An input that is the first of its sort has code compiled; that is kept then.
            self._end()
            if answer["outcome"] == "hang":
                self._ask_once(seed, 6 * HANG_CPU)
            answer = self._ask_once(seed, HANG_CPU)
        return answer

    def _ask_once(self, seed: int, cpu: float) -> Answer:
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"seed": seed}) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass
        return self._answer(process, cpu, cpu / HANG_CPU * HANG_CLOCK)

    def _start(self) -> subprocess.Popen[str]:
        self._words = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, self._kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            cwd=Path(__file__).parents[2],
            env={
                **os.environ,
                **thread_environment(1),
                "NUMBA_BOUNDSCHECK": "1",
                "NUMBA_CACHE_DIR": str(self._compiled.resolve()),
            },
            start_new_session=True,
        )
        answer = self._answer(self._process, _START, _START)
        if answer["outcome"] != "ready":
            raise RuntimeError(f"the worker for {self._kind} does not start: {answer}")
        return self._process

    def _answer(self, process: subprocess.Popen[str], cpu: float, clock: float) -> Answer:
        assert process.stdout is not None
        began, spent = time.monotonic(), _cpu_seconds(process.pid)
        while not select.select([process.stdout], [], [], 0.5)[0]:
            used = _cpu_seconds(process.pid) - spent
            if used > cpu or time.monotonic() - began > clock:
                os.kill(process.pid, signal.SIGUSR1)  # its traceback goes to the error stream
                time.sleep(0.2)
                return self._lost("hang", "", seconds=used)
        line = process.stdout.readline()
        if line:
            found: Answer = json.loads(line)
            return found
        status = process.wait()
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        return self._lost("crash", name)

    def _lost(self, outcome: str, error: str, **more: Any) -> Answer:
        """The answer in place of a process that is not there any more, and ends it."""
        assert self._words is not None
        self._words.seek(0)
        text = self._words.read()
        self._end()
        places = re.findall(r'File ".*?((?:geom_miner|eval)/[^"]+)", line (\d+) in (\w+)', text)
        where = "{}:{} {}".format(*places[0]) if places else "?"
        return {
            "outcome": outcome,
            "error": error,
            "message": "",
            "where": where,
            "traceback": text[-6000:],
            **more,
        }

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._words):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
        self._process = self._words = None


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process so far; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
