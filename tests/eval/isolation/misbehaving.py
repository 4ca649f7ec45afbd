"""Work for guarded processes: one function that succeeds, and every way to fail."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

import numpy as np

from eval.errors import MethodError
from eval.isolation import Arrays, JsonValues, WorkOutput
from eval.progress import StatusProgress


def double(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    progress(0.5, "doubling")
    progress(1.0, 'done, with "quotes"\nand a line')
    return {"twice": arrays["numbers"] * 2}, {"word": values["word"], "pid": os.getpid()}


def many_numbers(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    return {"numbers": np.arange(values["count"])}, {}


def touch(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    np.ones(values["bytes"], dtype=np.uint8)
    return {}, {}


def abort(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    os.write(2, b"first words\nthe octree is broken\n\n")
    os.abort()


def segfault(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    ctypes.string_at(0)
    return {}, {}


def killed(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}, {}


def leaves(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    os._exit(values["status"])


def raises(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    errors = {"method": MethodError, "other": ZeroDivisionError}
    raise errors[values["kind"]]("nothing to divide by")


def hangs(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    """Hang without letting other Python code run, and leave a process behind."""
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    progress(0.0, f"{os.getpid()} {left.pid}")
    libc = ctypes.PyDLL(None)
    while True:
        libc.sleep(600)


def dawdles(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    progress(0.25, "waiting")
    time.sleep(600)
    return {}, {}


def thread_numbers(arrays: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    import numba
    import torch

    return {}, {"threads": [torch.get_num_threads(), numba.get_num_threads()]}
