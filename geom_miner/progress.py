"""How long work reports its progress: one protocol for every function that takes a while."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

# Called with the share of the work that is done, in (0, 1].
Progress = Callable[[float], None]

# Called with a few words on a piece of work; gives a context for it whose value is its progress.
Stages = Callable[[str], AbstractContextManager[Progress]]


def silent(share: float) -> None:
    """A progress that shows nothing."""


def silent_stages(description: str) -> AbstractContextManager[Progress]:
    """Stages that show nothing."""
    return nullcontext(silent)
