"""How much of a fit's work is behind: what is done, beside what is still to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Figures of two cores, measured on Lucy at 128^3 and 256^3.
# Planning a block and decoding it afterwards, in optimizer steps of it.
_OVERHEAD_STEPS = 20
# What is done for all blocks at once takes as long as so many blocks more would.
_OVERHEAD_BLOCKS = 10
# With a dead zone blocks stop after a third of the steps on average, if they do so at a constant
# rate, of 2.9 per limit. So much is taken to be known until as many blocks have stopped as this
# share of the scale.
_DEAD_ZONE_RATE = 2.9
_DEAD_ZONE_TRUST = 0.2


@dataclass(frozen=True)
class ScaleWork:
    """What a scale may take at most."""

    blocks: int
    """Blocks that may need fitting."""
    steps: int
    """Optimizer steps per block at most."""
    cost: float
    """Arithmetic of a step of a block, in any unit that all scales share."""
    dead_zone: bool = False


class WorkForecast:
    """Share of this run's work that is behind, in block-steps weighted by their arithmetic.

    Blocks that stop before the limit are counted with the steps they took, and those to come are
    expected to stop at the rate seen so far: as if by chance, at any step alike. What an earlier
    run finished, of which nothing is told, is no work of this one.

    Parameters
    ----------
    scales : finest first.
    """

    def __init__(self, scales: Sequence[ScaleWork]) -> None:
        self._scales = scales
        self._behind = 0.0
        self._share = 0.0
        self._batch: tuple[int, int] | None = None
        self._step = self._active = 0
        # Blocks that stopped, and how long blocks were active in units of the limit; one entry for
        # scales without a dead zone, one for those with it.
        self._stopped = [0.0, 0.0]
        self._exposed = [0.0, 0.0]
        for scale in scales:
            if scale.dead_zone:
                self._stopped[1] += _DEAD_ZONE_TRUST * scale.blocks
                self._exposed[1] += _DEAD_ZONE_TRUST * scale.blocks / _DEAD_ZONE_RATE

    def advance(
        self, scale: int, first: int, blocks: int, fitted: int, step: int, active: int
    ) -> float:
        """Take note of a round, and tell the share that is behind: it never falls.

        Parameters
        ----------
        first, blocks : the batch at work, by its first block in the scale and its size.
        fitted : blocks of the batch that are fitted at all.
        step, active : steps done, and blocks that go on.
        """
        work = self._scales[scale]
        if (scale, first) != self._batch:
            if self._batch is not None:
                # What the last round left active was stopped by other rules, or at the limit.
                before = self._scales[self._batch[0]]
                early = self._step < before.steps
                self._stopped[before.dead_zone] += self._active * early
            self._batch, self._step, self._active = (scale, first), 0, fitted
            self._behind += work.cost * _OVERHEAD_STEPS * (blocks + _OVERHEAD_BLOCKS)
        taken, stopped = step - self._step, self._active - active
        self._behind += work.cost * (self._active + _OVERHEAD_BLOCKS) * taken
        self._exposed[work.dead_zone] += self._active * taken / work.steps
        self._stopped[work.dead_zone] += stopped
        self._step, self._active = step, active

        left = self._steps_left(work, active, work.steps - step)
        left += self._fresh(work, max(work.blocks - first - blocks, 0))
        left += sum(self._fresh(finer, finer.blocks) for finer in self._scales[:scale])
        total = self._behind + left
        self._share = max(self._share, self._behind / total if total else 1.0)
        return self._share

    def _fresh(self, work: ScaleWork, blocks: int) -> float:
        """Expected work of blocks that were not begun, as one batch."""
        if not blocks:
            return 0.0
        overhead = work.cost * _OVERHEAD_STEPS * (blocks + _OVERHEAD_BLOCKS)
        return overhead + self._steps_left(work, blocks, work.steps)

    def _steps_left(self, work: ScaleWork, active: int, most: int) -> float:
        """Expected work of a batch whose active blocks may go on for ``most`` steps."""
        if not active:
            return 0.0
        exposed = self._exposed[work.dead_zone]
        rate = self._stopped[work.dead_zone] / exposed if exposed else 0.0
        chance = rate * most / work.steps
        mean = most * float(-np.expm1(-chance) / chance) if chance > 0 else float(most)
        # The last block of many goes on to the end.
        return work.cost * (active * mean + _OVERHEAD_BLOCKS * most)
