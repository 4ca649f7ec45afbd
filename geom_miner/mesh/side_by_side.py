"""Work on several cores at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from numba import get_num_threads

Result = TypeVar("Result")


def side_by_side(
    work: Callable[..., Result],
    arguments: Iterable[tuple[object, ...]],
    progress: Callable[[float], None] | None = None,
) -> list[Result]:
    """Results of ``work(*each)`` for each of ``arguments``, as many at once as there are ``cores``.

    The work should let go of the interpreter's lock. ``progress`` is called with the share of the
    results that are there, in (0, 1].
    """
    with ThreadPoolExecutor(cores()) as pool:
        futures = [pool.submit(work, *each) for each in arguments]
        results = []
        try:
            for future in futures:
                results.append(future.result())
                if progress is not None:
                    progress(len(results) / len(futures))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def cores() -> int:
    """Threads that Numba may use."""
    return int(get_num_threads())
