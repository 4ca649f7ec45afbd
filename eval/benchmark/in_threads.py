"""Work on several items at a time, each in a thread, with their events in one place."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Started(Generic[Item]):
    """The work on an item has begun."""

    item: Item


@dataclass(frozen=True)
class Advanced(Generic[Item]):
    """A share of the work on an item, in [0, 1], is done."""

    item: Item
    share: float


@dataclass(frozen=True)
class Ended(Generic[Item, Result]):
    """The work on an item is done."""

    item: Item
    result: Result


def in_threads(
    work: Callable[[Item, Callable[[float], None]], Result], items: Sequence[Item], jobs: int
) -> Iterator[Started[Item] | Advanced[Item] | Ended[Item, Result]]:
    """Work on items in their order, ``jobs`` of them at a time, and yield what happens.

    The threads end with the program: nothing waits for them when it is interrupted. Once the
    iterator is closed no further item is begun.

    Parameters
    ----------
    work : is called with an item and a progress function. What it raises is raised here.
    """
    events: queue.SimpleQueue[
        Started[Item] | Advanced[Item] | Ended[Item, Result] | BaseException
    ] = queue.SimpleQueue()
    waiting = iter(items)
    lock, closed = threading.Lock(), threading.Event()

    def advance(item: Item, share: float) -> None:
        events.put(Advanced(item, share))

    def watch() -> None:
        while not closed.is_set():
            with lock:
                item = next(waiting, None)
            if item is None:
                return
            events.put(Started(item))
            try:
                events.put(Ended(item, work(item, partial(advance, item))))
            except BaseException as error:
                events.put(error)
                return

    for _ in range(min(jobs, len(items))):
        threading.Thread(target=watch, daemon=True).start()
    left = len(items)
    try:
        while left:
            event = events.get()
            if isinstance(event, BaseException):
                raise event
            left -= isinstance(event, Ended)
            yield event
    finally:
        closed.set()
