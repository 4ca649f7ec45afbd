"""Text as bytes: its lines, stretches that threads read at once, and all of its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError

Text = npt.NDArray[np.uint8]

# Bytes that a thread reads at once (4 MiB), which keeps temporary arrays small.
_STRETCH = 1 << 22
# Words that are converted together because they are no short numbers.
_SLOW_WORDS = 1 << 16


def line_number(text: Text, at: int) -> int:
    """Number of the line, from 1, in which byte ``at`` lies."""
    before = text[:at].tobytes()
    return 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def stretches_of(text: Text, end: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Start and stop of stretches that follow each other; each ends with a match of ``end``."""
    start = 0
    while start < len(text):
        found = end.search(text.data, start + _STRETCH)
        stop = found.end() if found else len(text)
        yield start, stop
        start = stop


@dataclass(frozen=True)
class Words:
    """The words of a text, all of them numbers."""

    numbers: npt.NDArray[np.float64]
    ends_line: npt.NDArray[np.bool_]
    """Whether each word is the last one of its line."""


def read_numbers(path: Path, text: Text, start: int = 0) -> Words:
    """Read text[start:]; from # to the end of a line is a comment.

    Raises
    ------
    MeshError
        A word is no number.
    """
    # Numba is imported on first use.
    from geom_miner.mesh.parsers import numbers

    most = numbers.count_words(text, start, len(text))
    values, ends_line = np.empty(most), np.empty(most, np.bool_)
    slow = np.empty((min(most + 1, _SLOW_WORDS), 3), np.int64)
    words, at = 0, start
    while at < len(text):
        words, slow_words, at = numbers.read_words(text, at, words, values, slow, ends_line)
        wrong = numbers.read_slow(text, slow[:slow_words], values)
        if wrong is not None:
            word = text[wrong : wrong + 40].tobytes().decode("utf-8", "replace").split()[0]
            raise MeshError(
                f"{path} has something other than numbers in its data: {word!r} in line "
                f"{line_number(text, wrong):,}; export it again"
            )
    return Words(values[:words], ends_line[:words])
