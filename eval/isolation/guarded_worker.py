"""The worker's side of a guarded process: do the job of a folder and leave the answer there."""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import resource
import select
import signal
import sys
from pathlib import Path

import numpy as np

from eval.isolation.work import LONGEST_MESSAGE, ExchangeFolder, Work
from eval.runs import peak_rss_bytes
from geom_miner import GeomMinerError


def work_on(folder: ExchangeFolder) -> None:
    """Call the function of the folder's job; write its result, or an error message."""
    _end_with_parent()
    job = json.loads(folder.job.read_text())
    limit = job["memory_bytes"]
    if limit is not None:
        # A limit on data, not on addresses: libraries map far more addresses than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        work: Work = getattr(importlib.import_module(job["module"]), job["function"])
        with np.load(folder.input_arrays, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        with open(folder.progress, "w", buffering=1) as stream:

            def report(share: float, status: str) -> None:
                stream.write(json.dumps([share, status]) + "\n")

            output, values = work(arrays, job["values"], report)
        np.savez(folder.output_arrays, allow_pickle=False, **output)
        answer = {"values": dict(values), "peak_rss_bytes": peak_rss_bytes()}
    except MemoryError:
        allowed = "" if limit is None else f" of the {limit:,} bytes that it may take"
        answer = {"error": f"ran out of memory{allowed}; lower the resolution or the points"}
    except GeomMinerError as error:
        answer = {"error": f"failed: {error}"}
    except Exception as error:
        # An error of any type becomes a sentence in the calling process.
        answer = {"error": f"failed with {type(error).__name__}: {error}"[:LONGEST_MESSAGE]}
    draft = folder.answer.with_suffix(".tmp")
    draft.write_text(json.dumps(answer))
    draft.replace(folder.answer)


def _end_with_parent() -> None:
    """Let the kernel end this process when the parent, and its end of the pipe, are gone.

    A waiting thread cannot do this: libraries hold the interpreter lock while they compute. On
    systems other than Linux the signal may be ignored; then the work runs to its end.
    """
    pipe = sys.stdin.fileno()
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([pipe], [], [], 0.0)[0]:
        # Nothing is ever written to the pipe, so the parent closed it before this was set up.
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    work_on(ExchangeFolder(Path(sys.argv[1])))
