"""The MINER loop: predict from the coarser scale, fit the residual block by block, go finer."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError, SettingsError
from geom_miner.fit.activity import (
    block_tolerances,
    blocks_in_question,
    constants_to_store,
    plan_blocks,
)
from geom_miner.fit.certify import certify
from geom_miner.fit.forecast import ScaleWork, WorkForecast
from geom_miner.fit.history import OnProgress, Progress, ScaleHistory
from geom_miner.fit.one_scale import train_blocks
from geom_miner.fit.settings import FitSettings
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.backends import load_backend
from geom_miner.model.block_mlps import BlockMLPs, FittedBatch
from geom_miner.model.decode import decode_scale
from geom_miner.model.initialize import inherit_parameters, initialize_blocks, learned_start
from geom_miner.model.representation import Representation

# Of memory for blocks under training: some twenty seconds of two cores' work, which is what a
# killed fit loses, and little beside the signal.
DEFAULT_MEMORY = 1 << 27

# Fewer blocks do not keep two dozen cores busy.
_SMALLEST_BATCH = 64

OnScale = Callable[[BlockMLPs, ScaleHistory], None]
OnBatch = Callable[[FittedBatch], None]
# Looks at a scale that is being fitted; True ends that scale.
Monitor = Callable[[BlockMLPs], bool]


def fit_signal(
    signal: SparseBlocks | Target,
    grid: SampleGrid,
    settings: FitSettings,
    *,
    finished: Sequence[BlockMLPs] = (),
    finished_batches: Sequence[FittedBatch] = (),
    on_scale: OnScale | None = None,
    on_batch: OnBatch | None = None,
    on_progress: OnProgress | None = None,
    monitor: Monitor | None = None,
    info: Mapping[str, Any] | None = None,
    backend: str = "auto",
    memory: int = DEFAULT_MEMORY,
) -> Representation:
    """Fit a representation, coarse to fine (MINER, section 3).

    Parameters
    ----------
    signal : blocks of ``settings.block_size`` samples along every axis, to be mean-pooled, or a
        target that says what is wanted at every scale; computed on the device where it lies.
    grid : the signal's samples; its shape is the true one, without padding.
    finished : scales fitted by an earlier run of the same fit, coarsest first; they are kept.
    finished_batches : the first batches of the scale after those, in order; they are kept, and
        what they cost is not in the history.
    on_scale : called with each newly finished scale, e.g. to save it.
    on_batch : called with each newly finished batch of a scale that has more than one.
    on_progress : called after every round of steps.
    monitor : called after every round with the scale as it stands; the scale ends when it returns
        True, e.g. because a target quality is reached. Its time counts as fitting time.
    info : facts to carry in the result.
    memory : bytes that blocks under training may take, about: a scale is fitted in batches of
        blocks that fit in. The result is the same for any number, even for one too small for a
        batch of 64 blocks, the smallest one made. Settings that couple the blocks of a scale, and
        a monitor, need all of them at once.

    Raises
    ------
    BlockShapeError
        The signal's blocks do not match the settings or the grid.
    SettingsError
        The learned start is asked for and there is none for this architecture, a dead zone for a
        target that does not mean every sample, or a certified fit of one that does.
    """
    ndim = signal.layout.ndim
    if signal.layout.block_shape != (settings.block_size,) * ndim or grid.ndim != ndim:
        raise BlockShapeError(
            f"signal must have blocks of {settings.block_size} samples along each of the grid's "
            f"{grid.ndim} axes, got blocks of {signal.layout.block_shape}"
        )
    if isinstance(signal, Target):
        _check_target(signal, settings)
    elif settings.certify:
        raise SettingsError("certify is for a distance; for an occupancy take a dead zone")
    if settings.start == "learned":
        # Said before the coarser scales are fitted, not after.
        learned_start(architecture_at(0, ndim, signal.channels, settings))
    layout = BlockGrid.covering(grid.shape, signal.layout.block_shape, halvings=settings.scales - 1)
    signal = signal.extended(layout)
    target = signal if isinstance(signal, Target) else Target.pooled(signal, settings.scales)

    load_backend(backend, signal.device).prepare()
    report = _ProgressReport(target, settings, on_progress)

    reconstruction: SparseBlocks | None = None
    levels: list[BlockMLPs] = []
    for scale in reversed(range(settings.scales)):
        start = time.perf_counter()
        if len(levels) < len(finished):
            blocks = finished[len(levels)].to(signal.device)
        else:
            coarser = levels[-1] if levels else None
            job = _ScaleJob(scale, target, reconstruction, coarser, settings, grid)
            batches = _Batches(memory, finished_batches, on_batch)
            finished_batches = ()
            blocks, history = _fit_scale(job, batches, report, monitor, backend)
        reconstruction = decode_scale(reconstruction, blocks, backend=backend)
        if len(levels) >= len(finished):
            history.loss = _loss_of(reconstruction, target, blocks)
            history.seconds = time.perf_counter() - start
            if on_scale is not None:
                on_scale(blocks, history)
        levels.append(blocks)
    return Representation(grid, settings.scales, tuple(levels), dict(info or {}))


@dataclass(frozen=True)
class _ScaleJob:
    """A scale to fit, and what is known of the next coarser one."""

    scale: int
    target: Target
    prediction: SparseBlocks | None
    coarser: BlockMLPs | None
    settings: FitSettings
    grid: SampleGrid


@dataclass(frozen=True)
class _Batches:
    """How large batches are, which ones there are already, and who wants to have new ones."""

    memory: int
    finished: Sequence[FittedBatch]
    listener: OnBatch | None


def _fit_scale(
    job: _ScaleJob,
    batches: _Batches,
    report: _ProgressReport,
    monitor: Monitor | None,
    backend: str,
) -> tuple[BlockMLPs, ScaleHistory]:
    target, settings, scale = job.target, job.settings, job.scale
    layout, unit = target.scales[scale].layout, target.units[scale]
    architecture = architecture_at(scale, layout.ndim, target.channels, settings)
    ids = blocks_in_question(target, scale, job.prediction, settings)
    constant_ids, constant_values = constants_to_store(target, scale, job.prediction, ids)
    fitted = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    done = torch.empty(0, architecture.num_parameters, device=ids.device)
    behind = 0
    for known in batches.finished:
        fitted[behind : behind + len(known.fitted)] = known.fitted.to(ids.device)
        done = torch.cat([done, known.parameters.to(ids.device)])
        behind += len(known.fitted)
    history = ScaleHistory(scale, job.grid.at_scale(scale).shape, layout.num_blocks, len(ids), 0, 0)

    def blocks_with(parameters: Tensor) -> BlockMLPs:
        """The scale as it stands, its parameters in the signal's own values."""
        return BlockMLPs(
            scale, layout, architecture, ids, fitted, parameters, constant_ids, constant_values
        )

    energies: list[Tensor] = []
    batch = max(len(ids), 1)
    if monitor is None and not settings.coupled:
        bounds = 1 if target.means_all(scale) and not settings.dead_zone_at(scale) else 2
        bounds += settings.certify_at(scale)
        per_block = _bytes_per_block(architecture, layout.block_samples, bounds)
        batch = max(_SMALLEST_BATCH, batches.memory // per_block)
    for first in range(behind, len(ids), batch):
        some = ids[first : first + batch]
        task = plan_blocks(target, scale, job.prediction, some, settings)
        fitted[first : first + batch] = task.fitted
        report_batch = functools.partial(report.round_done, scale, first, len(some))

        def on_round(
            step: int, active: int, loss: float, parameters: Tensor,
            report_round: Callable[..., None] = report_batch,
        ) -> bool:  # fmt: skip
            report_round(step, active, len(parameters), loss)
            return monitor is not None and monitor(
                blocks_with(architecture.scaled(parameters, unit))
            )

        parameters = train_blocks(
            architecture,
            _start_of(architecture, some[task.fitted], job.coarser, settings, scale, unit),
            task.lower,
            task.upper,
            block_tolerances(task, settings, scale),
            one_sided=not target.means_all(scale),
            block_shape=layout.block_shape,
            settings=settings,
            history=history,
            on_round=on_round,
            backend=backend,
        )
        if not len(parameters):
            report_batch(0, 0, 0, 0.0)
        if task.surface is not None:
            parameters = certify(
                architecture,
                parameters,
                task.lower,
                task.upper,
                task.surface,
                block_shape=layout.block_shape,
                settings=settings,
                history=history,
                backend=backend,
            )
        parameters = architecture.scaled(parameters, unit)
        done = torch.cat([done, parameters])
        energies.append(task.energies)
        if batches.listener is not None and batch < len(ids):
            batches.listener(FittedBatch(scale, task.fitted, parameters))
    history.fitted_blocks, history.parameters = len(done), done.numel()
    if sum(map(len, energies)):
        history.energy = float(torch.cat(energies).mean())
    return blocks_with(done), history


def _check_target(target: Target, settings: FitSettings) -> None:
    if len(target.scales) != settings.scales:
        raise SettingsError(
            f"scales is {settings.scales}, but the target was made for {len(target.scales)}; "
            "make it again"
        )
    if settings.dead_zone and not target.means_all(0):
        raise SettingsError(
            f"dead_zone is {settings.dead_zone:g}, but only occupancy has one; take 0, or another "
            "preset, for a distance"
        )


def _bytes_per_block(architecture: MLPArchitecture, samples: int, bounds: int) -> int:
    """What a block takes while it is planned and trained, counted and checked by measurement.

    Two floats a sample (target, prediction) and two for each bound (itself, a copy when others are
    dropped), and eight a parameter (start, kept and running parameters, their moments).
    """
    per_sample = 2 + 2 * bounds
    return 4 * (per_sample * samples * architecture.channels + 8 * architecture.num_parameters)


def architecture_at(scale: int, ndim: int, channels: int, settings: FitSettings) -> MLPArchitecture:
    """The shape of the MLPs of a scale."""
    return MLPArchitecture(ndim, settings.width_at(scale), settings.depth, channels, settings.omega)


def _start_of(
    architecture: MLPArchitecture,
    ids: Tensor,
    coarser: BlockMLPs | None,
    settings: FitSettings,
    scale: int,
    unit: float,
) -> Tensor:
    """Parameters, (block, parameter), from which a scale's blocks are fitted, in its units."""
    if settings.start == "learned" and scale == 0:
        return learned_start(architecture).to(ids.device).repeat(len(ids), 1)
    start = initialize_blocks(
        architecture, ids, gain=settings.gain_at(scale), seed=settings.seed, scale=scale
    )
    if settings.start == "parent" and coarser and coarser.architecture == architecture:
        parents = architecture.scaled(coarser.parameters, 1 / unit)
        start = inherit_parameters(
            start, ids, parents, coarser.fitted_ids,
            ndim=architecture.ndim, factor=0.5,
        )  # fmt: skip
    return start


class _ProgressReport:
    """Turns a scale's rounds into the progress of all that this run has to do."""

    def __init__(self, target: Target, settings: FitSettings, listener: OnProgress | None) -> None:
        self._settings, self._listener = settings, listener
        self._forecast = WorkForecast(
            [_work_of(blocks, scale, settings) for scale, blocks in enumerate(target.scales)]
        )

    def round_done(
        self, scale: int, first: int, batch: int, step: int, active: int, fitted: int, loss: float
    ) -> None:
        """After a round of a batch of blocks, ``fitted`` of them, from block ``first`` on."""
        if self._listener is None:
            return
        settings = self._settings
        done = self._forecast.advance(scale, first, batch, fitted, step, active)
        self._listener(
            Progress(
                scale, settings.scales, step, settings.steps_at(scale), active, fitted, loss, done
            )
        )


def _work_of(target: SparseBlocks, scale: int, settings: FitSettings) -> ScaleWork:
    layout = target.layout
    architecture = architecture_at(scale, layout.ndim, target.channels, settings)
    return ScaleWork(
        blocks=len(target.ids),
        steps=settings.steps_at(scale),
        cost=layout.block_samples * architecture.num_parameters,
        dead_zone=settings.dead_zone_at(scale) > 0,
    )


def _loss_of(reconstruction: SparseBlocks, target: Target, blocks: BlockMLPs) -> float:
    """Mean squared error of the fitted blocks as they will decode, over what is meant of them."""
    ids = blocks.fitted_ids
    if not len(ids):
        return 0.0
    lower, upper = target.bounds(blocks.scale, target.scales[blocks.scale].read_blocks(ids))
    values = reconstruction.read_blocks(ids)
    meant = 1.0 if upper is lower else max(float((upper == lower).float().mean()), 1e-9)
    return float((values - values.clamp(lower, upper)).square().mean()) / meant
