"""From the rounds of a fit to the share of its work that is done."""

from __future__ import annotations

from geom_miner.fit.forecast import ScaleWork, WorkForecast
from geom_miner.fit.history import FitStatus
from geom_miner.fit.observer import Observer
from geom_miner.fit.settings import BlockSettings
from geom_miner.grid.target import Target


class ProgressReport:
    """Turns a scale's rounds into the progress of all that this run has to do.

    Parameters
    ----------
    costs : arithmetic of one optimizer step of a block, per scale, in any unit.
    """

    def __init__(
        self, target: Target, settings: BlockSettings, costs: list[int], observer: Observer
    ) -> None:
        self._settings, self._observer = settings, observer
        self._forecast = WorkForecast(
            [
                ScaleWork(
                    blocks=len(blocks.varying_ids),
                    steps=settings.steps_at(scale),
                    cost=cost,
                    dead_zone=settings.dead_zone_at(scale) > 0,
                )
                for scale, (blocks, cost) in enumerate(zip(target.scales, costs, strict=True))
            ]
        )

    def round_done(
        self, scale: int, first: int, batch: int, step: int, active: int, fitted: int, loss: float
    ) -> None:
        """Report a round of a batch that begins at block ``first``; ``fitted`` have an MLP."""
        settings = self._settings
        done = self._forecast.advance(scale, first, batch, fitted, step, active)
        max_steps = settings.steps_at(scale)
        status = FitStatus(scale, settings.scales, step, max_steps, active, fitted, loss, done)
        self._observer.on_progress(status)
