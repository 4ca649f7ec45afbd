"""The environment variables that limit the threads of a process that is about to start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# PyTorch and Numba read these once, when they are loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def thread_environment(count: int | None) -> dict[str, str]:
    """Variables that limit a new process to ``count`` threads; none for None."""
    return {} if count is None else dict.fromkeys(THREAD_VARIABLES, str(count))


@contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Limit the processes that start inside the ``with`` block to ``count`` threads."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(thread_environment(count))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
