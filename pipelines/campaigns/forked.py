"""Call a function in a fork of a process that has loaded the libraries: a crash is a sentence."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from eval.runs import Record
from geom_miner.errors import GeomMinerError


class ForkFailed(GeomMinerError):
    """A call that crashed or took too long."""


def call_forked(
    function: Callable[..., Record], *arguments: str, preload: Sequence[str], seconds: float
) -> Record:
    """Call a module-level function with texts; gives the JSON-able record that it returns.

    Parameters
    ----------
    preload : modules that the forked process has loaded already.
    seconds : after which the call is ended.

    Raises
    ------
    ForkFailed
        The process died or took too long.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            raise ForkFailed(f"it took more than {seconds:.0f} s; it was ended")
        found: Record = json.loads(receiver.recv_bytes())
        return found
    except EOFError:
        process.join()
        status = process.exitcode or 0
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        raise ForkFailed(f"the process died ({name})") from None
    finally:
        process.kill()
        process.join()
        receiver.close()


def _answer(sender: Connection, function: Callable[..., Any], arguments: Sequence[str]) -> None:
    # Libraries print on what they cannot read; none of it belongs to the report.
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    sender.send_bytes(json.dumps(function(*arguments)).encode())
