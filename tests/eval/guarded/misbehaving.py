"""Work for guarded processes: some that does what it should, and every way not to."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

import numpy as np

from eval.errors import MethodError
from eval.guarded.process import Arrays, Facts, Progress


def double(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    progress(0.5, "doubling")
    progress(1.0, 'done, with "quotes"\nand a line')
    return {"twice": arrays["numbers"] * 2}, {"said": facts["word"], "pid": os.getpid()}


def many_numbers(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    return {"numbers": np.arange(facts["count"])}, {}


def touch(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    np.ones(facts["bytes"], dtype=np.uint8)
    return {}, {}


def abort(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    os.write(2, b"first words\nthe octree is broken\n\n")
    os.abort()


def segfault(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    ctypes.string_at(0)
    return {}, {}


def killed(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}, {}


def leaves(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    os._exit(facts["status"])


def raises(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    raise {"method": MethodError, "other": ZeroDivisionError}[facts["kind"]]("nothing to divide by")


def hangs(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    """Hang without letting other Python code run, and leave a process behind."""
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    progress(0.0, f"{os.getpid()} {left.pid}")
    libc = ctypes.PyDLL(None)
    while True:
        libc.sleep(600)


def dawdles(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    progress(0.25, "waiting")
    time.sleep(600)
    return {}, {}


def thread_numbers(arrays: Arrays, facts: Facts, progress: Progress) -> tuple[Arrays, Facts]:
    import numba
    import torch

    return {}, {"threads": [torch.get_num_threads(), numba.get_num_threads()]}
