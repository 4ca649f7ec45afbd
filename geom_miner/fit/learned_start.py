"""Learning one start for every block of a scale (Reptile: Nichol, Achiam and Schulman 2018)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError, SettingsError
from geom_miner.fit.activity import BlockTask, block_tolerances, blocks_in_question, plan_blocks
from geom_miner.fit.coarse_to_fine import architecture_at, fit_signal
from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.one_scale import train_blocks
from geom_miner.fit.settings import FitSettings
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.backends import load_backend
from geom_miner.kernels.training import TrainingState, interval_around
from geom_miner.model.block_mlps import local_coordinates
from geom_miner.model.initialize import initialize_blocks, start_file_name


@dataclass(frozen=True)
class ReptileSettings:
    """How a start is learned: an outer loop around short fits of a few blocks at a time."""

    outer_steps: int = 200
    """Batches of blocks."""
    batch: int = 32
    """Blocks whose fits are averaged."""
    inner_steps: int = 10
    """Optimizer steps of every one of those fits."""
    outer_rate: float = 0.2
    """Share of the way towards the fitted parameters, falling linearly to 0."""

    def __post_init__(self) -> None:
        for name in ("outer_steps", "batch", "inner_steps"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be >= 1, got {getattr(self, name)!r}")
        if not 0 < self.outer_rate <= 1:
            raise SettingsError(f"outer_rate must lie in (0, 1], got {self.outer_rate!r}")


@dataclass(frozen=True)
class LearnedStart:
    """A learned row of parameters, (parameter,) float32, and the name of the file for it."""

    file_name: str
    row: Tensor


@dataclass(frozen=True)
class StartTrial:
    """What a fit from some start cost, and how it ended."""

    blocks: int
    block_steps: int
    converged: int
    """Blocks that met their tolerance."""
    wrong_samples: int
    """Samples with an error beyond 1/2: of a 0-1 signal, those on the wrong side."""
    loss: float
    """Mean squared error."""


def finest_residuals(signal: SparseBlocks, grid: SampleGrid, settings: FitSettings) -> Tensor:
    """What the blocks of the finest scale have to fit, the coarser scales being fitted.

    Returns
    -------
    (f, sample, channel) float32
    """
    coarse = fit_signal(signal, grid, replace(settings, steps=1, start="siren"))
    prediction = coarse.decode(1) if settings.scales > 1 else None
    target = Target.pooled(signal.extended(coarse.levels[-1].layout), 1)
    ids = blocks_in_question(target, 0, prediction, settings)
    # Without a dead zone both bounds are what there is to fit.
    return plan_blocks(target, 0, prediction, ids, replace(settings, dead_zone=0.0)).lower


def learn_start(
    residuals: Tensor,
    settings: FitSettings,
    reptile: ReptileSettings,
    *,
    ndim: int,
    on_step: Callable[[int, float], None] | None = None,
    backend: str = "auto",
) -> LearnedStart:
    """Learn the row of parameters from which a few steps fit a block best.

    Each outer step fits a random batch of blocks from the present start, as a fit with these
    settings would at its finest scale, and moves the start towards the mean of what came out.
    The first start is a SIREN draw. Long inner fits or many outer steps are no help: parameters
    fitted long to different blocks have little in common, and their mean fits none.

    Parameters
    ----------
    residuals : (block, sample, channel), of several shapes.
    on_step : called after every outer step with its number and the batch's mean loss.

    Raises
    ------
    BlockShapeError
        There is no residual.
    """
    if not len(residuals):
        raise BlockShapeError("residuals must hold at least one block, got none")
    architecture = _finest_architecture(residuals, settings, ndim)
    device = residuals.device
    kernel = load_backend(backend, device)
    coordinates = local_coordinates((settings.block_size,) * ndim, device)
    generator = torch.Generator().manual_seed(settings.seed)
    none_stops = torch.zeros(reptile.batch, device=device)
    row = _draw(architecture, torch.zeros(1, dtype=torch.int64, device=device), settings)
    rates = torch.full((reptile.inner_steps,), settings.learning_rate_at(0), dtype=torch.float64)
    for step in range(reptile.outer_steps):
        chosen = torch.randint(len(residuals), (reptile.batch,), generator=generator)
        state = TrainingState.start(row.repeat(reptile.batch, 1))
        goals = residuals[chosen.to(device)]
        kernel.train(
            architecture,
            state,
            coordinates,
            *interval_around(goals, settings.dead_zone_at(0)),
            learning_rates=rates,
            tolerances=none_stops,
        )
        share = reptile.outer_rate * (1 - step / reptile.outer_steps)
        row = row + share * (state.parameters.mean(dim=0, keepdim=True) - row)
        if on_step is not None:
            on_step(step + 1, float(state.losses.mean()))
    return LearnedStart(start_file_name(architecture), row[0].cpu())


def try_start(
    residuals: Tensor,
    settings: FitSettings,
    start: Tensor | None,
    *,
    ndim: int,
    backend: str = "auto",
) -> StartTrial:
    """Fit residuals from one start, or from SIREN draws where it is None, and count the cost.

    Parameters
    ----------
    residuals : (block, sample, channel)
    start : (parameter,)
    """
    architecture = _finest_architecture(residuals, settings, ndim)
    ids = torch.arange(len(residuals), device=residuals.device)
    if start is None:
        first = _draw(architecture, ids, settings)
    else:
        first = start.to(ids.device).repeat(len(ids), 1)
    energies = residuals.square().mean(dim=(1, 2))
    lower, upper = interval_around(residuals, settings.dead_zone_at(0))
    fitted = torch.ones_like(ids, dtype=torch.bool)
    task = BlockTask(fitted, lower, upper, energies, torch.ones_like(energies))
    block_shape = (settings.block_size,) * ndim
    history = ScaleHistory(0, block_shape, len(ids), len(ids), len(ids), first.numel())
    parameters = train_blocks(
        architecture,
        first,
        lower,
        upper,
        block_tolerances(task, settings, 0),
        block_shape=block_shape,
        settings=settings,
        history=history,
        backend=backend,
    )
    errors = load_backend(backend, residuals.device).evaluate(
        architecture, parameters, local_coordinates(block_shape, residuals.device)
    )
    errors -= residuals
    return StartTrial(
        len(ids),
        history.block_steps,
        history.converged_blocks,
        int((errors.abs() > 0.5).sum()),
        float(errors.square().mean()),
    )


def _finest_architecture(residuals: Tensor, settings: FitSettings, ndim: int) -> MLPArchitecture:
    return architecture_at(0, ndim, residuals.shape[-1], settings)


def _draw(architecture: MLPArchitecture, ids: Tensor, settings: FitSettings) -> Tensor:
    return initialize_blocks(
        architecture, ids, gain=settings.gain_at(0), seed=settings.seed, scale=0
    )
