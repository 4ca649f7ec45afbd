"""What two processes exchange: arrays, JSON values, progress; and the folder it passes through.

Arrays pass through NPZ files, text through JSON files beside them. So nothing is unpickled, and
nothing that the worker process prints can be taken for a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.progress import StatusProgress

Arrays = Mapping[str, npt.NDArray[np.generic]]
JsonValues = Mapping[str, Any]
WorkOutput = tuple[Arrays, JsonValues]
Work = Callable[[Arrays, JsonValues, StatusProgress], WorkOutput]
"""A module-level function that takes and returns arrays and JSON values."""

LONGEST_MESSAGE = 300
"""Characters of an error message that are passed on."""


@dataclass(frozen=True)
class ExchangeFolder:
    """The folder in which each of the two processes leaves what the other one reads."""

    path: Path

    @property
    def job(self) -> Path:
        """Which function to call, its JSON values and the memory limit."""
        return self.path / "job.json"

    @property
    def input_arrays(self) -> Path:
        return self.path / "input.npz"

    @property
    def progress(self) -> Path:
        """One JSON line [share, status] for each report."""
        return self.path / "progress.jsonl"

    @property
    def error_stream(self) -> Path:
        return self.path / "stderr.txt"

    @property
    def output_arrays(self) -> Path:
        return self.path / "output.npz"

    @property
    def answer(self) -> Path:
        """The returned JSON values or the error message; written last, in one step."""
        return self.path / "answer.json"

    def last_line(self) -> str:
        """The last line on the worker's error stream, to end a sentence with; "" if none."""
        lines = self.error_stream.read_text(errors="replace").split("\n")
        filled = [line.strip() for line in lines if line.strip()]
        return f"; its last words: {filled[-1][:LONGEST_MESSAGE]}" if filled else ""
