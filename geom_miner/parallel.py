"""Call a function for many inputs at once, on several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from numba import get_num_threads

from geom_miner.progress import Progress, silent

Result = TypeVar("Result")


def parallel_map(
    function: Callable[..., Result],
    arguments: Iterable[tuple[object, ...]],
    progress: Progress = silent,
) -> list[Result]:
    """Results of ``function(*each)`` for each tuple of ``arguments``, in order.

    Up to ``num_threads`` calls run at once. The function should release the interpreter's lock,
    as compiled code does with ``nogil=True``. After an error no further call is started.

    Parameters
    ----------
    progress : called with the share of the results that are complete, in (0, 1].
    """
    with ThreadPoolExecutor(num_threads()) as pool:
        futures = [pool.submit(function, *each) for each in arguments]
        results = []
        try:
            for future in futures:
                results.append(future.result())
                progress(len(results) / len(futures))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def num_threads() -> int:
    """Threads that Numba may use."""
    return int(get_num_threads())
