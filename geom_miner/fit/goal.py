"""What a fit of cosine blocks may aim at: an error, a size, or a PSNR."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from geom_miner.errors import SettingsError
from geom_miner.memory import format_bytes


@dataclass(frozen=True)
class Goal:
    """A figure that the finest scale, or the file, should have.

    Parameters
    ----------
    kind : "error", mean error of the distance at samples nearer than half a voxel to the surface,
        in voxels; "bytes", size of the model file; "psnr", in decibels over all samples.
    value : > 0.
    """

    kind: Literal["error", "bytes", "psnr"]
    value: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
            raise SettingsError(f"{self.kind} must be > 0 and finite, got {self.value:g}")

    def describe(self, value: float | None = None) -> str:
        """The goal, or a value of its kind, in words."""
        number = self.value if value is None else value
        if self.kind == "error":
            return f"an error of {number:.3g} voxel"
        if self.kind == "bytes":
            return f"a file of {format_bytes(int(number))}"
        return f"{number:.2f} dB"


def goal_of(error: float | None, size: str | None, psnr: float | None) -> Goal | None:
    """The one goal that options name; None if they name none.

    Raises
    ------
    SettingsError
        There are several, or one is no number > 0.
    """
    # Loaded on first use: the module loads PyTorch, and the command line's help must not.
    from geom_miner.fit.memory import parse_memory

    goals = []
    if error is not None:
        goals.append(Goal("error", error))
    if size is not None:
        try:
            goals.append(Goal("bytes", parse_memory(size)))
        except SettingsError as error:
            raise SettingsError(
                f"bytes must be an amount such as 50KB or 2MB, got {size!r}"
            ) from error
    if psnr is not None:
        goals.append(Goal("psnr", psnr))
    if len(goals) > 1:
        raise SettingsError("only one of --error, --bytes and --psnr can be aimed at; give one")
    return goals[0] if goals else None
