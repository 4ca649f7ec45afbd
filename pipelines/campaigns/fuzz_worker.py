"""The process that reads inputs, one after another, within limits of memory.

It is asked by lines of JSON on its standard input, ``{"seed": 5}``, and answers each with a line on
its standard output. What the code under test prints goes to its error stream.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

from geom_miner.errors import GeomMinerError
from pipelines.campaigns.commands import RefusedCommand
from pipelines.campaigns.dice import Dice
from pipelines.campaigns.kinds import KINDS, Kind, WrongResult, make_input

# Memory that reading an input may take, as address space on top of what the libraries take.
MEMORY = 2 << 30
# A sentence is no longer than this; a name may be part of it.
LONGEST_SENTENCE = 6000
# Good inputs that are read before memory is limited, so that every library is loaded by then.
_WARM_UP = 8

Answer = dict[str, Any]


def try_input(kind: str, seed: int, folder: Path) -> Answer:
    """Make an input, read it, and say how that ended.

    Parameters
    ----------
    folder : is emptied, and holds the files of the input then.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = make_input(kind, seed)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            KINDS[kind].read(folder / next(iter(files)))
    except Exception as error:
        return _failed(error)
    return {"outcome": "accepted"}


def _failed(error: Exception) -> Answer:
    chain = [error]
    while (reason := chain[-1].__cause__ or chain[-1].__context__) and isinstance(
        reason, Exception
    ):
        chain.append(reason)
    message = str(error)
    if any(_is_out_of_memory(each) for each in chain):
        outcome = "memory"
    elif isinstance(error, WrongResult):
        outcome = "wrong"
    elif isinstance(error, (GeomMinerError, RefusedCommand)):
        is_sentence = 0 < len(message) <= LONGEST_SENTENCE and "\n" not in message
        outcome = "refused" if is_sentence else "no sentence"
    else:
        outcome = "raw"
    if outcome == "refused":
        return {"outcome": outcome, "message": message}
    return {
        "outcome": outcome,
        "error": type(chain[-1]).__name__,
        "message": message[:300],
        "where": _place(chain[-1]),
        "traceback": "".join(traceback.format_exception(error))[-6000:],
    }


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)


def _place(error: Exception) -> str:
    """The innermost line of the project in a traceback."""
    root = Path(__file__).parents[2]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(root)]
    ours = [f for f in ours if "campaigns" not in f.filename and ".venv" not in f.filename]
    if not (ours or frames):
        return "?"
    frame = (ours or frames)[-1]
    path = Path(frame.filename)
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    return f"{name}:{frame.lineno} {frame.name}"


def limit_memory(kind: str, folder: Path) -> None:
    """Load what reading this kind needs, then limit the address space."""
    for number in range(_WARM_UP):
        with contextlib.suppress(Exception):
            _read_good(KINDS[kind], number, folder)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _read_good(kind: Kind, number: int, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = kind.make(Dice(random.Random(number)))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    kind.read(folder / next(iter(files)))


def main(kind: str) -> None:
    """Answer until the standard input ends."""
    # Files under test must find nothing to read and nowhere to print but the error stream.
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = Path(scratch) / "input"
        limit_memory(kind, folder)
        print(json.dumps({"outcome": "ready"}), file=answers, flush=True)
        for line in questions:
            answer = try_input(kind, json.loads(line)["seed"], folder)
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
