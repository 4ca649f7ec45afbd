"""Training the block MLPs of one scale, converged blocks dropped on the way."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from geom_miner.errors import SettingsError
from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.settings import FitSettings
from geom_miner.kernels import backend
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.training import TrainingState
from geom_miner.model.block_mlps import local_coordinates

# Steps between two looks at the blocks: often enough for a lively progress bar and to end soon
# after a goal is reached, rarely enough that a round's work dwarfs its bookkeeping.
_ROUND = 5


def train_blocks(
    architecture: MLPArchitecture,
    parameters: Tensor,
    residuals: Tensor,
    tolerances: Tensor,
    *,
    block_shape: tuple[int, ...],
    settings: FitSettings,
    history: ScaleHistory,
    on_round: Callable[[int, int, float, Tensor], bool] | None = None,
    backend_name: str = "auto",
) -> Tensor:
    """Fit each block's MLP to its residual until its tolerance or the step limit.

    Blocks do not influence one another, unless ``settings.rate_by_activity`` or ``plateau`` ask
    for the released code's coupling.

    Parameters
    ----------
    parameters : (block, parameter), the start; not changed.
    residuals : (block, sample, channel)
    tolerances : (block,)
    history : added to as the fit goes on.
    on_round : called after every round with (step, active blocks, loss, parameters so far, which
        go on changing); the scale ends when it returns True.

    Returns
    -------
    (block, parameter) fitted parameters; a converged block's are those that were measured.
    """
    kernel = backend(backend_name, residuals.device)
    coordinates = local_coordinates(block_shape, residuals.device)
    done = TrainingState.start(parameters.clone())
    active = torch.arange(len(parameters), device=parameters.device)
    running, goals, limits = done.rows(active), residuals, tolerances
    max_steps, step, last_loss = settings.steps_at(history.scale), 0, float("inf")
    start = time.perf_counter() - (history.curve[-1][0] if history.curve else 0.0)
    while len(active) and step < max_steps:
        count = 1 if settings.coupled else min(_ROUND, max_steps - step)
        rates = _learning_rates(settings, history.scale, step, count)
        if settings.rate_by_activity:
            rates *= len(active) / len(parameters)
        began = time.perf_counter()
        kernel.train(
            architecture,
            running,
            coordinates,
            goals,
            learning_rates=rates,
            tolerances=limits,
            dead_zone=settings.dead_zone_at(history.scale),
        )
        if residuals.is_cuda:
            torch.cuda.synchronize(residuals.device)
        history.kernel_seconds += time.perf_counter() - began
        step += count
        done.put_rows(active, running)
        if not bool(torch.isfinite(running.losses).all()):
            raise SettingsError(
                f"the fit of scale {history.scale} diverged (its loss is no longer finite); "
                "lower learning_rate or omega"
            )
        keep = running.losses > limits
        if not bool(keep.all()):
            active, running = active[keep], running.rows(keep)
            goals, limits = goals[keep], limits[keep]
        loss = float(done.losses.mean())
        history.curve.append((time.perf_counter() - start, step, len(active), loss))
        if on_round is not None and on_round(step, len(active), loss, done.parameters):
            break
        if settings.plateau and history.scale and abs(loss - last_loss) < settings.plateau:
            break
        last_loss = loss
    history.block_steps += int(done.steps.sum())
    history.converged_blocks += len(parameters) - len(active)
    return done.parameters


def _learning_rates(settings: FitSettings, scale: int, step: int, count: int) -> Tensor:
    exponents = torch.arange(step, step + count, dtype=torch.float64)
    return settings.learning_rate_at(scale) * torch.pow(settings.decay, exponents)
