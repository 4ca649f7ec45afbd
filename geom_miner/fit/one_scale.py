"""Training the block MLPs of one scale, converged blocks dropped on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from geom_miner.errors import SettingsError
from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.settings import FitSettings
from geom_miner.grid.sparse import CHUNK_SAMPLES
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.backends import load_backend
from geom_miner.kernels.training import TrainingState
from geom_miner.model.block_mlps import local_coordinates

# Steps between two looks at the blocks: often enough for a lively progress bar and to end soon
# after a goal is reached, rarely enough that a round's work dwarfs its bookkeeping. Where samples
# are bounded from one side a look costs a forward pass of them all.
_ROUND, _LONG_ROUND = 5, 20


def train_blocks(
    architecture: MLPArchitecture,
    parameters: Tensor,
    lower: Tensor,
    upper: Tensor,
    tolerances: Tensor,
    *,
    one_sided: bool = False,
    block_shape: tuple[int, ...],
    settings: FitSettings,
    history: ScaleHistory,
    on_round: Callable[[int, int, float, Tensor], bool] | None = None,
    backend: str = "auto",
) -> Tensor:
    """Fit each block's MLP to its intervals until its tolerance or the step limit.

    Blocks do not influence one another, unless ``settings.rate_by_activity`` or ``plateau`` ask
    for the released code's coupling.

    Parameters
    ----------
    parameters : (block, parameter), the start; not changed.
    lower, upper : (block, sample, channel), bounds of the outputs; one tensor where every sample is
        a single number.
    tolerances : (block,)
    one_sided : most samples have a bound on one side only and keep to it. Those that do are left
        out of the steps that follow, and looked at again after the round; only then does a block
        count as converged.
    history : added to as the fit goes on.
    on_round : called after every round with (step, active blocks, loss, parameters so far, which
        go on changing); the scale ends when it returns True.

    Returns
    -------
    (block, parameter) fitted parameters; a converged block's are those that were measured.
    """
    kernel = load_backend(backend, lower.device)
    coordinates = local_coordinates(block_shape, lower.device)
    done = TrainingState.start(parameters.clone())
    every = torch.arange(len(parameters), device=parameters.device)
    active = _Active(every, done.rows(every), lower, upper, tolerances)
    max_steps, step, last_loss = settings.steps_at(history.scale), 0, float("inf")
    start = time.perf_counter() - (history.curve[-1][0] if history.curve else 0.0)

    def kernel_time(began: float) -> None:
        if lower.is_cuda:
            torch.cuda.synchronize(lower.device)
        history.kernel_seconds += time.perf_counter() - began

    while len(active.index) and step < max_steps:
        bounds = active.lower, active.upper
        if one_sided:
            began = time.perf_counter()
            outputs = kernel.evaluate(architecture, active.state.parameters, coordinates)
            kernel_time(began)
            active, bounds = _what_counts(active, outputs)
            if not len(active.index):
                break
        most = _LONG_ROUND if one_sided else _ROUND
        count = 1 if settings.coupled else min(most, max_steps - step)
        rates = _learning_rates(settings, history.scale, step, count)
        if settings.rate_by_activity:
            rates *= len(active.index) / len(parameters)
        began = time.perf_counter()
        kernel.train(
            architecture,
            active.state,
            coordinates,
            *bounds,
            learning_rates=rates,
            tolerances=active.tolerances,
        )
        kernel_time(began)
        step += count
        done.put_rows(active.index, active.state)
        if not bool(torch.isfinite(active.state.losses).all()):
            raise SettingsError(
                f"the fit of scale {history.scale} diverged (its loss is no longer finite); "
                "lower learning_rate or omega"
            )
        if not one_sided:
            active = active.above_tolerance(active.state.losses)
        loss = float(done.losses.mean())
        history.curve.append((time.perf_counter() - start, step, len(active.index), loss))
        if on_round is not None and on_round(step, len(active.index), loss, done.parameters):
            break
        if settings.plateau and history.scale and abs(loss - last_loss) < settings.plateau:
            break
        last_loss = loss
    if one_sided and len(active.index):
        outputs = kernel.evaluate(architecture, active.state.parameters, coordinates)
        active, _ = _what_counts(active, outputs)
    history.block_steps += int(done.steps.sum())
    history.converged_blocks += len(parameters) - len(active.index)
    return done.parameters


@dataclass(frozen=True)
class _Active:
    """Blocks that go on, by their places among all, and what they are held to."""

    index: Tensor
    state: TrainingState
    lower: Tensor
    upper: Tensor
    tolerances: Tensor

    def above_tolerance(self, losses: Tensor) -> _Active:
        """Those whose loss is."""
        keep = losses > self.tolerances
        if bool(keep.all()):
            return self
        lower = self.lower[keep]
        upper = lower if self.upper is self.lower else self.upper[keep]
        return _Active(self.index[keep], self.state.rows(keep), lower, upper, self.tolerances[keep])


def _what_counts(active: _Active, outputs: Tensor) -> tuple[_Active, tuple[Tensor, Tensor]]:
    """The blocks above their tolerance, and their bounds without those that outputs keep to."""
    losses = torch.empty_like(active.tolerances)
    lower, upper = torch.empty_like(active.lower), torch.empty_like(active.upper)
    # A few blocks at a time stay in the cache from one look at them to the next.
    some = max(1, CHUNK_SAMPLES // outputs[0].numel())
    for first in range(0, len(outputs), some):
        rows = slice(first, first + some)
        low, high = active.lower[rows], active.upper[rows]
        errors = outputs[rows] - outputs[rows].clamp(low, high)
        free = (errors == 0) & (low.isinf() | high.isinf())
        losses[rows] = errors.square_().mean(dim=(1, 2))
        lower[rows] = low.masked_fill(free, -torch.inf)
        upper[rows] = high.masked_fill(free, torch.inf)
    kept = losses > active.tolerances
    if not bool(kept.all()):
        lower, upper = lower[kept], upper[kept]
    return active.above_tolerance(losses), (lower, upper)


def _learning_rates(settings: FitSettings, scale: int, step: int, count: int) -> Tensor:
    steps = torch.arange(step, step + count, dtype=torch.float64)
    if settings.schedule == "cosine":
        shares = 0.5 * (1 + torch.cos(torch.pi * steps / settings.steps_at(scale)))
    else:
        shares = torch.pow(settings.decay, steps)
    return settings.learning_rate_at(scale) * shares
