"""The course of a fit, scale by scale: counts, times and losses for progress, reports, plots."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from geom_miner.records import decode_record


@dataclass(frozen=True)
class FitStatus:
    """Where a fit stands after a round of optimizer steps."""

    scale: int
    num_scales: int
    step: int
    max_steps: int
    active_blocks: int
    fitted_blocks: int
    loss: float
    """Mean squared error over the blocks that carry an MLP at this scale."""
    done: float
    """Estimated share of this run's work that is done, in [0, 1], never falling. Work is counted
    in arithmetic operations; what an earlier run finished is not counted."""


@dataclass
class ScaleHistory:
    """One scale's fit: counts, time, and the loss curve."""

    scale: int
    shape: tuple[int, ...]
    blocks: int
    varying_blocks: int
    fitted_blocks: int
    parameters: int
    seconds: float = 0.0
    kernel_seconds: float = 0.0
    """Of the seconds, those spent inside the training kernel."""
    block_steps: int = 0
    """Optimizer steps summed over blocks."""
    converged_blocks: int = 0
    wrong_blocks: int = 0
    """Of a certified fit, blocks left with a sample on the wrong side of the surface."""
    energy: float = 0.0
    """Mean squared residual of the fitted blocks before the fit."""
    loss: float = 0.0
    """The same after the fit, measured on the parameters that are kept."""
    curve: list[tuple[float, int, int, float]] = field(default_factory=list)
    """(seconds since the scale began, step, active blocks, loss) after each round."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def read_history(payload: bytes) -> list[ScaleHistory]:
    """Read a JSON list of what ``as_dict`` gives.

    Raises
    ------
    RecordError
        It is something else.
    """
    return decode_record(payload, list[ScaleHistory])
