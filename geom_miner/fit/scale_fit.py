"""One scale of the fit, batch by batch: plan, train, certify, append (MINER, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from geom_miner.fit.activity import (
    BlockTask,
    block_tolerances,
    candidate_blocks,
    constants_to_store,
    plan_blocks,
)
from geom_miner.fit.certify import certify
from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.observer import Observer
from geom_miner.fit.progress_report import ProgressReport
from geom_miner.fit.resume import Resume
from geom_miner.fit.settings import FitSettings
from geom_miner.fit.training import BlockProblem, train_blocks
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.model.block_mlps import BlockMLPs, FittedBatch
from geom_miner.model.initialize import inherit_parameters, initialize_blocks

# Fewer blocks do not keep two dozen cores busy.
_SMALLEST_BATCH = 64


@dataclass(frozen=True)
class ScaleJob:
    """A scale to fit, and what is known of the next coarser one.

    Parameters
    ----------
    prediction : the coarser reconstruction; None at the coarsest scale.
    coarser : the coarser scale's MLPs.
    """

    scale: int
    target: Target
    settings: FitSettings
    prediction: SparseBlocks | None
    coarser: BlockMLPs | None
    backend: str

    @property
    def architecture(self) -> MLPArchitecture:
        """The shape of the scale's MLPs."""
        target = self.target
        return architecture_at(self.scale, target.layout.ndim, target.channels, self.settings)


class ScaleFit:
    """The fit of one scale.

    Parameters
    ----------
    resume : has the first batches of the scale, fitted by an earlier run.
    memory : bytes that the blocks of a batch may take, about.
    """

    def __init__(
        self,
        job: ScaleJob,
        *,
        resume: Resume,
        memory: int,
        observer: Observer,
        report: ProgressReport,
    ) -> None:
        self.job, self._observer, self._report = job, observer, report
        target, scale = job.target, job.scale
        self._layout, self._unit = target.scales[scale].layout, target.units[scale]
        self._ids = candidate_blocks(target, scale, job.prediction, job.settings)
        self._constants = constants_to_store(target, scale, job.prediction, self._ids)
        self._fitted = torch.zeros(len(self._ids), dtype=torch.bool, device=self._ids.device)
        self._parameters = [
            torch.empty(0, job.architecture.num_parameters, device=self._ids.device)
        ]
        self._energies: list[Tensor] = []
        self._done = 0
        resume.check_batches(len(self._ids), job.architecture)
        for batch in resume.batches:
            self._keep(batch)
        self._batch_size = self._choose_batch_size(memory)
        shape = target.grid.at_scale(scale).shape
        blocks = self._layout.num_blocks
        self.history = ScaleHistory(scale, shape, blocks, len(self._ids), 0, 0)

    def run(self) -> BlockMLPs:
        """Fit all batches that are not finished yet."""
        for ids in self._batches():
            task = self.plan(ids)
            parameters = self.train(task, ids)
            parameters = self.certify(task, parameters)
            self.append(task, parameters)
        return self._finished_scale()

    def plan(self, ids: Tensor) -> BlockTask:
        """Which of some candidate blocks get an MLP, and what these are held to."""
        task = plan_blocks(
            self.job.target, self.job.scale, self.job.prediction, ids, self.job.settings
        )
        self._fitted[self._done : self._done + len(ids)] = task.fitted
        return task

    def train(self, task: BlockTask, ids: Tensor) -> Tensor:
        """Fit the MLPs of a task: parameters (f, parameter), in the target's units."""
        job, first = self.job, self._done

        def on_round(step: int, active: int, loss: float, parameters: Tensor) -> bool:
            self._report.round_done(job.scale, first, len(ids), step, active, len(parameters), loss)
            if not self._observer.watches_rounds:
                return False
            return self._observer.should_stop(self._scale_with([self._scaled(parameters)]))

        parameters = train_blocks(
            self._problem(task),
            self._start(ids[task.fitted]),
            job.settings,
            self.history,
            on_round=on_round,
            backend=job.backend,
        )
        if not len(parameters):
            self._report.round_done(job.scale, first, len(ids), 0, 0, 0, 0.0)
        return parameters

    def certify(self, task: BlockTask, parameters: Tensor) -> Tensor:
        """Train on until every sample is on its side of the surface, where that is asked for."""
        if task.surface is None:
            return parameters
        return certify(
            self._problem(task),
            task.surface,
            parameters,
            self.job.settings,
            self.history,
            backend=self.job.backend,
        )

    def append(self, task: BlockTask, parameters: Tensor) -> None:
        """Keep a fitted batch and hand it to the observer."""
        batch = FittedBatch(self.job.scale, task.fitted, self._scaled(parameters))
        whole_scale = self._batch_size >= len(self._ids)
        self._keep(batch)
        self._energies.append(task.energies)
        if not whole_scale:
            self._observer.on_batch(batch)

    def _keep(self, batch: FittedBatch) -> None:
        rows = slice(self._done, self._done + len(batch.fitted))
        self._fitted[rows] = batch.fitted.to(self._ids.device)
        self._parameters.append(batch.parameters.to(self._ids.device))
        self._done += len(batch.fitted)

    def _batches(self) -> Iterator[Tensor]:
        """Ids of the candidate blocks that are left, a batch at a time."""
        for first in range(self._done, len(self._ids), self._batch_size):
            yield self._ids[first : first + self._batch_size]

    def _choose_batch_size(self, memory: int) -> int:
        job = self.job
        if self._observer.watches_rounds or job.settings.coupled:
            return max(len(self._ids), 1)
        exact = job.target.is_exact(job.scale) and not job.settings.dead_zone_at(job.scale)
        bounds = (1 if exact else 2) + job.settings.certify_at(job.scale)
        per_block = _bytes_per_block(job.architecture, self._layout.block_samples, bounds)
        return max(_SMALLEST_BATCH, memory // per_block)

    def _problem(self, task: BlockTask) -> BlockProblem:
        job = self.job
        return BlockProblem(
            job.architecture,
            self._layout.block_shape,
            task.lower,
            task.upper,
            block_tolerances(task, job.settings, job.scale),
            one_sided=not job.target.is_exact(job.scale),
        )

    def _start(self, ids: Tensor) -> Tensor:
        """Parameters, (block, parameter), from which blocks are fitted, in the target's units."""
        job, architecture = self.job, self.job.architecture
        start = initialize_blocks(
            architecture,
            ids,
            gain=job.settings.gain_at(job.scale),
            seed=job.settings.seed,
            scale=job.scale,
        )
        coarser = job.coarser
        if job.settings.start == "parent" and coarser and coarser.architecture == architecture:
            parents, base = coarser.parameters, job.target.base
            if base and coarser.scale == job.settings.scales - 1:
                parents = architecture.shifted(parents, [-value for value in base])
            parents = architecture.scaled(parents, 1 / self._unit)
            start = inherit_parameters(
                start, ids, parents, coarser.fitted_ids, ndim=architecture.ndim, factor=0.5
            )
        return start

    def _scaled(self, parameters: Tensor) -> Tensor:
        """Parameters whose MLPs give the signal's own values."""
        job = self.job
        scaled = job.architecture.scaled(parameters, self._unit)
        if job.target.base and job.coarser is None:
            scaled = job.architecture.shifted(scaled, job.target.base)
        return scaled

    def _scale_with(self, more: list[Tensor]) -> BlockMLPs:
        """The scale as it stands, with the parameters of a batch under training."""
        parameters = torch.cat([*self._parameters, *more])
        return BlockMLPs(
            self.job.scale,
            self._layout,
            self.job.architecture,
            self._ids,
            self._fitted,
            parameters,
            *self._constants,
        )

    def _finished_scale(self) -> BlockMLPs:
        blocks = self._scale_with([])
        self.history.fitted_blocks = len(blocks.parameters)
        self.history.parameters = blocks.num_parameters
        if sum(map(len, self._energies)):
            self.history.energy = float(torch.cat(self._energies).mean())
        return blocks


def architecture_at(scale: int, ndim: int, channels: int, settings: FitSettings) -> MLPArchitecture:
    """The shape of the MLPs of a scale."""
    return MLPArchitecture(ndim, settings.width_at(scale), settings.depth, channels, settings.omega)


def _bytes_per_block(architecture: MLPArchitecture, samples: int, bounds: int) -> int:
    """Memory of a block while it is planned and trained, counted and checked by measurement.

    Two floats a sample (target, prediction) and two for each bound (itself, a copy when others are
    dropped), and eight a parameter (start, kept and running parameters, their moments).
    """
    per_sample = 2 + 2 * bounds
    return 4 * (per_sample * samples * architecture.channels + 8 * architecture.num_parameters)
