"""Share of a fit's work that is done: what is finished beside what is still expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Measured on two cores, on Lucy at 128^3 and 256^3.
# Cost of planning a block and of decoding it afterwards, in optimizer steps of it.
_OVERHEAD_STEPS = 20
# Cost of what is done once for all blocks of a batch, in blocks.
_OVERHEAD_BLOCKS = 10
# Prior for dead zones: blocks stop at a constant rate of 2.9 per step limit, that is after a third
# of the steps on average. The prior weighs as much as observing this share of a scale's blocks.
_DEAD_ZONE_RATE = 2.9
_DEAD_ZONE_TRUST = 0.2


@dataclass(frozen=True)
class ScaleWork:
    """Upper bound of a scale's work."""

    blocks: int
    """Blocks that may need fitting."""
    steps: int
    """Optimizer steps per block at most."""
    cost: float
    """Arithmetic of a step of a block, in any unit that all scales share."""
    dead_zone: bool = False


class WorkForecast:
    """Estimates the share of this run's work that is done, in block-steps weighted by arithmetic.

    Blocks that stopped before the limit count with the steps they took; blocks to come are expected
    to stop at the rate observed so far, which is taken to be the same at every step. What an
    earlier run finished is not counted.

    Parameters
    ----------
    scales : finest first.
    """

    def __init__(self, scales: Sequence[ScaleWork]) -> None:
        self._scales = scales
        self._finished = 0.0
        self._share = 0.0
        self._batch: tuple[int, int] | None = None
        self._step = self._active = 0
        # Blocks that stopped, and how long blocks were active in units of the step limit: first
        # over scales without a dead zone, then over those with one.
        self._stopped = [0.0, 0.0]
        self._exposed = [0.0, 0.0]
        for scale in scales:
            if scale.dead_zone:
                self._stopped[1] += _DEAD_ZONE_TRUST * scale.blocks
                self._exposed[1] += _DEAD_ZONE_TRUST * scale.blocks / _DEAD_ZONE_RATE

    def advance(
        self, scale: int, first: int, blocks: int, fitted: int, step: int, active: int
    ) -> float:
        """Count a round; returns the share of the work that is done, which never falls.

        Parameters
        ----------
        first, blocks : first block of the current batch in the scale, and the batch's size.
        fitted : blocks of the batch that carry an MLP.
        step, active : steps done, and blocks that are still trained.
        """
        work = self._scales[scale]
        if (scale, first) != self._batch:
            if self._batch is not None:
                # Blocks that the last round left active were stopped by other rules or the limit.
                before = self._scales[self._batch[0]]
                early = self._step < before.steps
                self._stopped[before.dead_zone] += self._active * early
            self._batch, self._step, self._active = (scale, first), 0, fitted
            self._finished += work.cost * _OVERHEAD_STEPS * (blocks + _OVERHEAD_BLOCKS)
        taken, stopped = step - self._step, self._active - active
        self._finished += work.cost * (self._active + _OVERHEAD_BLOCKS) * taken
        self._exposed[work.dead_zone] += self._active * taken / work.steps
        self._stopped[work.dead_zone] += stopped
        self._step, self._active = step, active

        left = self._steps_left(work, active, work.steps - step)
        left += self._fresh(work, max(work.blocks - first - blocks, 0))
        left += sum(self._fresh(finer, finer.blocks) for finer in self._scales[:scale])
        total = self._finished + left
        self._share = max(self._share, self._finished / total if total else 1.0)
        return self._share

    def _fresh(self, work: ScaleWork, blocks: int) -> float:
        """Expected work of blocks that have not begun, as one batch."""
        if not blocks:
            return 0.0
        overhead = work.cost * _OVERHEAD_STEPS * (blocks + _OVERHEAD_BLOCKS)
        return overhead + self._steps_left(work, blocks, work.steps)

    def _steps_left(self, work: ScaleWork, active: int, most: int) -> float:
        """Expected work of a batch whose active blocks may take ``most`` more steps."""
        if not active:
            return 0.0
        exposed = self._exposed[work.dead_zone]
        rate = self._stopped[work.dead_zone] / exposed if exposed else 0.0
        chance = rate * most / work.steps
        mean = most * float(-np.expm1(-chance) / chance) if chance > 0 else float(most)
        # In a large batch some block goes on to the end.
        return work.cost * (active * mean + _OVERHEAD_BLOCKS * most)
