"""Fit block MLPs: plan, train, certify (MINER, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from geom_miner.fit.activity import (
    BlockTask,
    block_tolerances,
    candidate_blocks,
    constants_to_store,
    plan_blocks,
)
from geom_miner.fit.block_fitter import OnRound, ScaleJob, fitted_flags
from geom_miner.fit.certify import certify
from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.resume import foreign
from geom_miner.fit.settings import FitSettings
from geom_miner.fit.training import BlockProblem, train_blocks
from geom_miner.grid.target import Target
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.model.block_mlps import BlockMLPs, MLPBatch
from geom_miner.model.initialize import inherit_parameters, initialize_blocks
from geom_miner.model.scale_blocks import FittedBatch, ScaleBlocks


class MLPFitter:
    """The fit of one scale's block MLPs; see ``BlockFitter``."""

    def __init__(self, job: ScaleJob[FitSettings]) -> None:
        self._job = job
        target, scale = job.target, job.scale
        self._layout, self._unit = target.scales[scale].layout, target.units[scale]
        self._architecture = architecture_at(scale, target, job.settings)
        self.candidates = candidate_blocks(target, scale, job.prediction, job.settings)
        self._constants = constants_to_store(target, scale, job.prediction, self.candidates)
        self._energies: list[Tensor] = []

    @property
    def needs_all_blocks(self) -> bool:
        """Whether the settings couple the blocks, as the released code does."""
        return self._job.settings.coupled

    @property
    def bytes_per_block(self) -> int:
        """Memory of a block while it is planned and trained, counted and checked by measurement.

        Two floats a sample (target, prediction) and two for each bound (itself, a copy when others
        are dropped), and eight a parameter (start, kept and running parameters, their moments).
        """
        job, architecture = self._job, self._architecture
        exact = job.target.is_exact(job.scale) and not job.settings.dead_zone_at(job.scale)
        bounds = (1 if exact else 2) + job.settings.certify_at(job.scale)
        samples = self._layout.block_samples * architecture.channels
        return 4 * ((2 + 2 * bounds) * samples + 8 * architecture.num_parameters)

    def fit(self, ids: Tensor, history: ScaleHistory, on_round: OnRound) -> MLPBatch:
        """See ``BlockFitter.fit``."""
        job = self._job
        task = plan_blocks(job.target, job.scale, job.prediction, ids, job.settings)
        problem = self._problem(task)

        def after_round(step: int, active: int, loss: float, parameters: Tensor) -> bool:
            return on_round(
                step, active, len(parameters), loss, lambda: self._batch(task, parameters)
            )

        parameters = train_blocks(
            problem,
            self._start(ids[task.fitted]),
            job.settings,
            history,
            on_round=after_round,
            backend=job.backend,
        )
        if not len(parameters):
            on_round(0, 0, 0, 0.0, lambda: self._batch(task, parameters))
        if task.surface is not None:
            parameters = certify(
                problem, task.surface, parameters, job.settings, history, backend=job.backend
            )
        self._energies.append(task.energies)
        return self._batch(task, parameters)

    def _batch(self, task: BlockTask, parameters: Tensor) -> MLPBatch:
        """The batch, its MLPs giving the signal's own values."""
        job = self._job
        scaled = self._architecture.scaled(parameters, self._unit)
        if job.target.base and job.coarser is None:
            scaled = self._architecture.shifted(scaled, job.target.base)
        return MLPBatch(job.scale, task.fitted, scaled)

    def _problem(self, task: BlockTask) -> BlockProblem:
        job = self._job
        return BlockProblem(
            self._architecture,
            self._layout.block_shape,
            task.lower,
            task.upper,
            block_tolerances(task, job.settings, job.scale),
            one_sided=not job.target.is_exact(job.scale),
        )

    def _start(self, ids: Tensor) -> Tensor:
        """Parameters, (block, parameter), from which blocks are fitted, in the target's units."""
        job, architecture = self._job, self._architecture
        start = initialize_blocks(
            architecture,
            ids,
            gain=job.settings.gain_at(job.scale),
            seed=job.settings.seed,
            scale=job.scale,
        )
        coarser = job.coarser
        if job.settings.start != "parent" or not isinstance(coarser, BlockMLPs):
            return start
        if coarser.architecture == architecture:
            parents, base = coarser.parameters, job.target.base
            if base and coarser.scale == job.settings.scales - 1:
                parents = architecture.shifted(parents, [-value for value in base])
            parents = architecture.scaled(parents, 1 / self._unit)
            start = inherit_parameters(
                start, ids, parents, coarser.fitted_ids, ndim=architecture.ndim, factor=0.5
            )
        return start

    def assemble(self, batches: Sequence[FittedBatch]) -> BlockMLPs:
        """See ``BlockFitter.assemble``."""
        device = self.candidates.device
        parameters = [torch.empty(0, self._architecture.num_parameters, device=device)]
        parameters += [b.parameters.to(device) for b in batches if isinstance(b, MLPBatch)]
        return BlockMLPs(
            self._job.scale,
            self._layout,
            self._architecture,
            self.candidates,
            fitted_flags(self.candidates, batches),
            torch.cat(parameters),
            *self._constants,
        )

    def check(self, batches: Sequence[FittedBatch]) -> None:
        """See ``BlockFitter.check``."""
        widths = {b.parameters.shape[1] if isinstance(b, MLPBatch) else 0 for b in batches}
        too_many = sum(len(batch.fitted) for batch in batches) > len(self.candidates)
        if too_many or widths - {self._architecture.num_parameters}:
            raise foreign()

    def mean_energy(self) -> float:
        """See ``BlockFitter.mean_energy``."""
        energies = torch.cat(self._energies) if self._energies else torch.empty(0)
        return float(energies.mean()) if len(energies) else 0.0

    @staticmethod
    def check_scale(blocks: ScaleBlocks, target: Target, settings: FitSettings) -> None:
        """See ``FitterType``."""
        architecture = architecture_at(blocks.scale, target, settings)
        if (
            not isinstance(blocks, BlockMLPs)
            or blocks.layout != target.scales[blocks.scale].layout
            or blocks.architecture != architecture
        ):
            raise foreign()

    @staticmethod
    def step_cost(scale: int, target: Target, settings: FitSettings) -> int:
        """See ``FitterType``."""
        return target.layout.block_samples * architecture_at(scale, target, settings).num_parameters


def architecture_at(scale: int, target: Target, settings: FitSettings) -> MLPArchitecture:
    """The shape of the MLPs of a scale."""
    ndim, channels = target.layout.ndim, target.channels
    return MLPArchitecture(ndim, settings.width_at(scale), settings.depth, channels, settings.omega)
