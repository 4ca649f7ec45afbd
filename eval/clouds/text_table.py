"""Read tables of points as text: one row for each line, with an optional header or count."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from eval.clouds.columns import is_header
from eval.errors import CloudError

Floats = npt.NDArray[np.float64]

_COMMENTS = ("#", "//")


@dataclass(frozen=True)
class TextTable:
    """A table, and the names of its columns if the file gives them.

    Parameters
    ----------
    rows : (n, column) finite.
    names : in lower case, one for each column; None if there are none.
    """

    rows: Floats
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class _Top:
    """What precedes the rows: the lines to skip, names of columns, and a number of points."""

    skipped: int = 0
    names: tuple[str, ...] | None = None
    count: int | None = None


def read_text_table(path: Path) -> TextTable:
    """Read rows of numbers separated by blanks, commas or semicolons.

    Lines that begin with # or // are comments. Names of the columns are taken from a first line of
    words, or from such a comment. A first line with one whole number, before rows of several, is
    the number of points.

    Raises
    ------
    CloudError
        A line is no row of numbers, rows differ in length, or there are not as many as the first
        line says.
    """
    top = _top_of(path)
    with _open_text(path) as stream, warnings.catch_warnings():
        # For an empty table NumPy warns and returns no rows.
        warnings.simplefilter("ignore", UserWarning)
        try:
            lines = (row for _, row in _rows(stream, top.skipped))
            table = np.loadtxt(lines, comments=None, ndmin=2)
        except ValueError as error:
            raise _describe_bad_line(path, top) from error
    if not np.isfinite(table).all():
        raise _describe_bad_line(path, top)
    if top.count is not None and top.count != len(table):
        raise CloudError(
            f"{path} has {len(table):,} points and its first line says {top.count:,}; it is cut "
            "short or damaged, copy or export it again"
        )
    fits = top.names is not None and table.ndim == 2 and len(top.names) == table.shape[1]
    return TextTable(table, top.names if fits else None)


def _top_of(path: Path) -> _Top:
    """Look at the first lines, up to the second that is no comment."""
    names, skipped = None, 0
    with _open_text(path) as stream:
        for line in stream:
            skipped += 1
            words = _split(line.lstrip(" \t#/"))
            is_comment = line.lstrip().startswith(_COMMENTS)
            if is_header(words):
                names = tuple(word.lower() for word in words)
            if not words or is_comment:
                continue
            if is_header(words):
                return _Top(skipped, names)
            if len(words) == 1 and re.fullmatch(r"\d{1,18}", words[0]):
                second = next((row for _, row in _rows(stream)), "")
                if len(second.split()) > 1:
                    return _Top(skipped, names, int(words[0]))
            return _Top(0, names)
    return _Top(0, names)


def _open_text(path: Path) -> IO[str]:
    return open(path, encoding="utf-8-sig", errors="replace")


def _split(line: str) -> list[str]:
    return line.replace(",", " ").replace(";", " ").split()


def _rows(stream: IO[str], skipped: int = 0) -> Iterator[tuple[int, str]]:
    """The lines that hold a point, separated by blanks, with their line numbers from 1."""
    for number, line in enumerate(stream, 1):
        if number <= skipped:
            continue
        if line.strip() and not line.lstrip().startswith(_COMMENTS):
            yield number, line.replace(",", " ").replace(";", " ")


def _describe_bad_line(path: Path, top: _Top) -> CloudError:
    """The error for the first line that differs from the lines before it."""
    columns = None
    with _open_text(path) as stream:
        for number, line in _rows(stream, top.skipped):
            where, entries = f"{path}, line {number},", line.split()
            try:
                values = [float(entry) for entry in entries]
            except ValueError:
                text = line.strip()[:40]
                return CloudError(f"{where} is no row of numbers: {text!r}; correct or remove it")
            if not all(map(math.isfinite, values)):
                return CloudError(f"{where} holds NaN or infinity; remove that point")
            columns = columns or len(values)
            if len(values) != columns:
                return CloudError(
                    f"{where} has {len(values)} numbers where the lines before have {columns}; "
                    "the file is cut short or damaged, copy or export it again"
                )
    return CloudError(f"{path} is no table of numbers; export it again")
