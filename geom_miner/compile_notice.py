"""Say that functions are compiled, and that it happens once: the first run takes much longer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from numba.core import event

_LOG = logging.getLogger(__name__)
_OUTER = ContextVar("_OUTER", default=False)


@contextmanager
def announce_compiling(what: str, seconds: int) -> Iterator[None]:
    """Log a warning when Numba compiles the first function within; loading a cache is silent.

    Within another announcement it does nothing.

    Parameters
    ----------
    what : what is compiled, for the message.
    seconds : about how long that takes on two cores.
    """
    if _OUTER.get():
        yield
        return
    token = _OUTER.set(True)
    try:
        with event.install_listener("numba:compile", _FirstCompilation(what, seconds)):
            yield
    finally:
        _OUTER.reset(token)


class _FirstCompilation(event.Listener):
    def __init__(self, what: str, seconds: int) -> None:
        self._what, self._seconds = what, seconds
        self._announced = False

    def on_start(self, event: object) -> None:
        if not self._announced:
            _LOG.warning(
                "compiling %s: about %d seconds, once on this machine", self._what, self._seconds
            )
        self._announced = True

    def on_end(self, event: object) -> None:
        pass
