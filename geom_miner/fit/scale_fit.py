"""One scale of the fit, batch by batch, whatever its block functions are."""

from __future__ import annotations

from collections.abc import Callable

from geom_miner.fit.block_fitter import FitterType, ScaleJob
from geom_miner.fit.cosine_fitter import CosineFitter
from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.mlp_fitter import MLPFitter
from geom_miner.fit.observer import Observer
from geom_miner.fit.progress_report import ProgressReport
from geom_miner.fit.resume import Resume
from geom_miner.fit.settings import BlockSettings
from geom_miner.model.scale_blocks import FittedBatch, ScaleBlocks

FITTERS: dict[str, FitterType] = {"mlp": MLPFitter, "cosine": CosineFitter}
"""What fits the blocks of a scale, by the settings' kind."""

# Fewer blocks do not keep two dozen cores busy.
_SMALLEST_BATCH = 64


class ScaleFit:
    """The fit of one scale.

    Parameters
    ----------
    resume : has the first batches of the scale, fitted by an earlier run.
    memory : bytes that the blocks of a batch may take, about.
    """

    def __init__(
        self,
        job: ScaleJob[BlockSettings],
        *,
        resume: Resume,
        memory: int,
        observer: Observer,
        report: ProgressReport,
    ) -> None:
        self._job, self._observer, self._report = job, observer, report
        self._fitter = FITTERS[job.settings.kind](job)
        self._fitter.check(resume.batches)
        self._batches = list[FittedBatch](resume.batches)
        count = len(self._fitter.candidates)
        if observer.watches_rounds or self._fitter.needs_all_blocks:
            self._batch_size = max(count, 1)
        else:
            self._batch_size = max(_SMALLEST_BATCH, memory // self._fitter.bytes_per_block)
        shape = job.target.grid.at_scale(job.scale).shape
        blocks = job.target.scales[job.scale].layout.num_blocks
        self.history = ScaleHistory(job.scale, shape, blocks, count, 0, 0)

    def run(self) -> ScaleBlocks:
        """Fit all batches that are not finished yet."""
        candidates = self._fitter.candidates
        done = sum(len(batch.fitted) for batch in self._batches)
        for first in range(done, len(candidates), self._batch_size):
            batch = self._fit(first)
            self._batches.append(batch)
            if self._batch_size < len(candidates):
                self._observer.on_batch(batch)
        blocks = self._fitter.assemble(self._batches)
        self.history.fitted_blocks = len(blocks.fitted_ids)
        self.history.parameters = blocks.num_parameters
        self.history.energy = self._fitter.mean_energy()
        return blocks

    def _fit(self, first: int) -> FittedBatch:
        ids = self._fitter.candidates[first : first + self._batch_size]

        def on_round(
            step: int, active: int, fitted: int, loss: float, so_far: Callable[[], FittedBatch]
        ) -> bool:
            self._report.round_done(self._job.scale, first, len(ids), step, active, fitted, loss)
            if not self._observer.watches_rounds:
                return False
            return self._observer.should_stop(self._fitter.assemble([*self._batches, so_far()]))

        return self._fitter.fit(ids, self.history, on_round)
