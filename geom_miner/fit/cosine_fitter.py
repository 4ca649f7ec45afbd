"""Fit cosine blocks: which blocks of a scale, to which samples, with which coefficients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from geom_miner.fit.block_fitter import OnRound, ScaleJob, fitted_flags
from geom_miner.fit.cosine_settings import CosineSettings
from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.resume import foreign
from geom_miner.grid.pyramid import CUBIC, upsample_blocks
from geom_miner.grid.target import Target
from geom_miner.kernels.backends import load_cosine_backend
from geom_miner.kernels.cosines.problem import CosineProblem
from geom_miner.model.block_cosines import BlockCosines, CosineBatch, SparseLevels, mixing_matrix
from geom_miner.model.scale_blocks import FittedBatch, ScaleBlocks

# A sample's weight falls with its distance to the surface, from 1 by this much at the end of the
# truncation band, but not below the floor: only what is near the surface is seen.
_FALL, _LEAST_WEIGHT = 0.85, 0.15
# Samples are held to so many truncations on either side of the surface; ``limits_at`` says why.
_LIMIT = 2.0
# Magnitude of a level at most, as the file's coding has it.
MOST_LEVEL = 1 << 20
# Different constants at most that the coarsest scale's table may name; beyond, constant blocks are
# fitted as all others are.
MOST_CONSTANTS = 16


class CosineFitter:
    """The fit of one scale's cosine blocks; see ``BlockFitter``."""

    needs_all_blocks = False

    def __init__(self, job: ScaleJob[CosineSettings]) -> None:
        self._job = job
        target, scale = job.target, job.scale
        self._layout, self._channels = target.scales[scale].layout, target.channels
        self.candidates, self._constant_ids = _sort_blocks(target, scale, job.coarser)
        self._constants = target.scales[scale].constants_of(self._constant_ids).float()
        if not target.is_exact(scale):
            # All that matters of a truncated constant is its side.
            reach = target.truncations[scale] * torch.ones_like(self._constants)
            inside = self._constants > target.iso_level
            self._constants = target.iso_level + torch.where(inside, reach, -reach)
        self.steps = steps_at(scale, target, job.settings)
        self.mixing = job.settings.mixing_of(self._channels)
        self._matrix = mixing_matrix(self.mixing, self._channels).to(target.device)
        self._energy, self._blocks = 0.0, 0

    @property
    def bytes_per_block(self) -> int:
        """Floats of a sample: target, two bounds and their rows, weights, prediction, levels."""
        return 4 * 9 * self._layout.block_samples * self._channels

    def fit(self, ids: Tensor, history: ScaleHistory, on_round: OnRound) -> CosineBatch:
        """See ``BlockFitter.fit``."""
        job, channels = self._job, self._channels
        problem = self._problem(ids)
        levels = load_cosine_backend(job.backend, ids.device).fit(problem)
        fitted = (levels != 0).reshape(len(ids), -1).any(dim=1)
        rows = fitted.repeat_interleave(channels)
        batch = CosineBatch(job.scale, fitted, SparseLevels.from_dense(levels[rows]))
        history.block_steps += len(ids)
        history.converged_blocks += int(fitted.sum())
        self._blocks += int(fitted.sum())
        # The distance of 0 to the interval; where the sample is exact, to its value.
        residual = problem.lower[rows].clamp(min=0) + problem.upper[rows].clamp(max=0)
        self._energy += float(residual.square().sum())
        on_round(1, 0, int(fitted.sum()), 0.0, lambda: batch)
        return batch

    def _problem(self, ids: Tensor) -> CosineProblem:
        job, settings = self._job, self._job.settings
        target, scale = job.target, job.scale
        values = target.scales[scale].read_blocks(ids)
        lower, upper = target.bounds(scale, values)
        weights = None
        if not target.is_exact(scale):
            distances = (values - target.iso_level).abs_()
            weights = (1 - _FALL / target.truncations[scale] * distances).clamp_(min=_LEAST_WEIGHT)
            weights = _rows(weights)
        if job.prediction is not None:
            prediction = upsample_blocks(job.prediction, self._layout, ids, CUBIC)
            exact = upper is lower
            lower = lower - prediction
            upper = lower if exact else upper - prediction
        if self.mixing != "none":
            # The matrix is orthonormal, so its transpose takes samples to coded channels.
            lower = upper = lower @ self._matrix
        rows = _rows(lower)
        steps = torch.tensor(self.steps, device=ids.device).repeat(len(ids))
        return CosineProblem(
            self._layout.block_shape,
            rows,
            rows if upper is lower else _rows(upper),
            weights,
            steps,
            settings.sparsity,
            settings.iterations,
        )

    def assemble(self, batches: Sequence[FittedBatch]) -> BlockCosines:
        """See ``BlockFitter.assemble``."""
        device = self.candidates.device
        parts = [batch.levels.to(device) for batch in batches if isinstance(batch, CosineBatch)]
        return BlockCosines(
            self._job.scale,
            self._layout,
            self.steps,
            self.mixing,
            self.candidates,
            fitted_flags(self.candidates, batches),
            SparseLevels.stacked(parts).to(device),
            self._constant_ids,
            self._constants,
            limits_at(self._job.scale, self._job.target),
        )

    def check(self, batches: Sequence[FittedBatch]) -> None:
        """See ``BlockFitter.check``."""
        blocks = sum(len(batch.fitted) for batch in batches)
        if blocks > len(self.candidates) or not all(map(self._is_of_this_fit, batches)):
            raise foreign()

    def _is_of_this_fit(self, batch: FittedBatch) -> bool:
        if not isinstance(batch, CosineBatch):
            return False
        levels = batch.levels
        rows = int(batch.fitted.sum()) * self._channels
        places, sizes = levels.places, levels.levels.long().abs()
        inside = not len(places) or int(places.max()) < self._layout.block_samples
        return len(levels) == rows and inside and not bool((sizes > MOST_LEVEL).any())

    def mean_energy(self) -> float:
        samples = self._blocks * self._layout.block_samples * self._channels
        return self._energy / samples if samples else 0.0

    @staticmethod
    def check_scale(blocks: ScaleBlocks, target: Target, settings: CosineSettings) -> None:
        """See ``FitterType``."""
        if (
            not isinstance(blocks, BlockCosines)
            or blocks.layout != target.scales[blocks.scale].layout
            or blocks.steps != steps_at(blocks.scale, target, settings)
            or blocks.mixing != settings.mixing_of(target.channels)
        ):
            raise foreign()

    @staticmethod
    def step_cost(scale: int, target: Target, settings: CosineSettings) -> int:
        """See ``FitterType``."""
        return target.layout.block_samples


def steps_at(scale: int, target: Target, settings: CosineSettings) -> tuple[float, ...]:
    """Quantization step of each coded channel at a scale, rounded to float32."""
    step = settings.step_at(scale) * target.units[scale]
    mixed = settings.mixing_of(target.channels) != "none"
    factors = [settings.color_step if mixed and c else 1.0 for c in range(target.channels)]
    return tuple(float(torch.tensor(step * factor)) for factor in factors)


def limits_at(scale: int, target: Target) -> tuple[float, float] | None:
    """Bounds of a truncated signal's samples: twice the truncation on either side of the surface.

    Negative weights of cubic interpolation sum to 0.34 in three dimensions, so values of at most
    twice the constants' cannot change the sign of an interpolated one.
    """
    if target.is_exact(scale):
        return None
    reach = _LIMIT * target.truncations[scale]
    return target.iso_level - reach, target.iso_level + reach


def _sort_blocks(target: Target, scale: int, coarser: ScaleBlocks | None) -> tuple[Tensor, Tensor]:
    """Morton ids, ascending, of the blocks that may be fitted and of those stored as constants.

    A block whose parent is constant inherits that. Of the others those may be fitted that vary in
    the target at this scale or, in any part of them, at a finer one. The rest is constant where
    the target is truncated; an exact target predicts it as it predicts a block that varies.
    """
    layout = target.scales[scale].layout
    varying = target.scales[0].varying_ids
    for finer in range(1, scale + 1):
        above = torch.unique(varying >> layout.ndim)
        varying = torch.unique(torch.cat([above, target.scales[finer].varying_ids]))
    if coarser is None:
        listed = layout.all_ids().to(varying.device)
        constant = listed[~torch.isin(listed, varying)]
        values = target.scales[scale].constants_of(constant)
        if len(torch.unique(values, dim=0)) <= MOST_CONSTANTS:
            return varying, constant
        return listed, constant[:0]
    children = torch.arange(1 << layout.ndim, device=varying.device)
    listed = ((coarser.varying_ids[:, None] << layout.ndim) + children).flatten()
    if target.is_exact(scale):
        return listed, listed[:0]
    return varying, listed[~torch.isin(listed, varying)]


def _rows(blocks: Tensor) -> Tensor:
    """(block, sample, channel) to (block * channel, sample), contiguous."""
    return blocks.transpose(1, 2).reshape(-1, blocks.shape[1]).contiguous()
