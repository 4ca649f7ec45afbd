"""Training blocks in rounds of optimizer steps; converged blocks are dropped on the way."""

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
from geom_miner.kernels.backends import Backend, load_backend
from geom_miner.kernels.training import TrainingState
from geom_miner.model.block_mlps import local_coordinates

# Optimizer steps between two evaluations of the blocks: few enough for a lively progress bar and
# for blocks to stop soon after they converge, enough that a round's work dwarfs its bookkeeping.
# Where samples have one-sided bounds an evaluation costs a forward pass over all of them.
_ROUND, _LONG_ROUND = 5, 20

# Called after a round with (step, active blocks, loss, parameters so far, which go on changing);
# True ends the training.
OnRound = Callable[[int, int, float, Tensor], bool]


def go_on(step: int, active: int, loss: float, parameters: Tensor) -> bool:
    """An OnRound that never ends the training."""
    return False


@dataclass(frozen=True)
class BlockProblem:
    """What some blocks are trained on.

    Parameters
    ----------
    block_shape : samples per axis of a block.
    lower, upper : (block, sample, channel), bounds of the outputs; one tensor where every sample
        is held to its value.
    tolerances : (block,), mean squared error at which a block is converged.
    one_sided : most samples have a bound on one side only and keep to it. Those that do are left
        out of the steps that follow and evaluated again after the round; only then does a block
        count as converged.
    """

    architecture: MLPArchitecture
    block_shape: tuple[int, ...]
    lower: Tensor
    upper: Tensor
    tolerances: Tensor
    one_sided: bool = False


def train_blocks(
    problem: BlockProblem,
    parameters: Tensor,
    settings: FitSettings,
    history: ScaleHistory,
    *,
    on_round: OnRound = go_on,
    backend: str = "auto",
) -> Tensor:
    """Fit each block's MLP to its bounds until its tolerance or the step limit.

    Blocks do not influence one another, unless ``rate_by_activity`` or ``plateau`` of the settings
    ask for the released code's coupling.

    Parameters
    ----------
    parameters : (block, parameter), the start; not changed.
    history : added to as the training goes on.

    Returns
    -------
    (block, parameter) fitted parameters; a converged block's are those that were evaluated.
    """
    training = _Training(problem, parameters, settings, history, backend)
    last_loss = float("inf")
    while training.go_on():
        bounds = training.bounds_of_round()
        if not len(training.active.index):
            break
        loss = training.run_round(bounds)
        done = training.done.parameters
        if on_round(training.step, len(training.active.index), loss, done):
            break
        plateau = settings.released.plateau
        if plateau and history.scale and abs(loss - last_loss) < plateau:
            break
        last_loss = loss
    training.finish()
    return training.done.parameters


class _Training:
    """Blocks under training, and those that have converged."""

    def __init__(
        self,
        problem: BlockProblem,
        parameters: Tensor,
        settings: FitSettings,
        history: ScaleHistory,
        backend: str,
    ) -> None:
        device = problem.lower.device
        self._problem, self._settings, self._history = problem, settings, history
        self._kernel: Backend = load_backend(backend, device)
        self._coordinates = local_coordinates(problem.block_shape, device)
        self._max_steps = settings.steps_at(history.scale)
        self._began = time.perf_counter() - (history.curve[-1][0] if history.curve else 0.0)
        self.step = 0
        self.done = TrainingState.start(parameters.clone())
        every = torch.arange(len(parameters), device=parameters.device)
        self.active = _Active(
            every, self.done.rows(every), problem.lower, problem.upper, problem.tolerances
        )

    def go_on(self) -> bool:
        """Whether blocks are above their tolerance and steps are left."""
        return bool(len(self.active.index)) and self.step < self._max_steps

    def bounds_of_round(self) -> tuple[Tensor, Tensor]:
        """Bounds for the next steps; with one-sided ones, converged blocks are dropped first."""
        if not self._problem.one_sided:
            return self.active.lower, self.active.upper
        self.active, bounds = self._violated_bounds()
        return bounds

    def run_round(self, bounds: tuple[Tensor, Tensor]) -> float:
        """Take the steps of a round on the active blocks; gives the loss over all blocks."""
        settings, history = self._settings, self._history
        longest = _LONG_ROUND if self._problem.one_sided else _ROUND
        count = 1 if settings.coupled else min(longest, self._max_steps - self.step)
        rates = _learning_rates(settings, history.scale, self.step, count)
        if settings.released.rate_by_activity:
            rates *= len(self.active.index) / len(self.done.parameters)
        began = time.perf_counter()
        self._kernel.train(
            self._problem.architecture,
            self.active.state,
            self._coordinates,
            *bounds,
            learning_rates=rates,
            tolerances=self.active.tolerances,
        )
        self._add_kernel_time(began)
        self.step += count
        self.done.put_rows(self.active.index, self.active.state)
        check_finite(self.active.state.losses, history.scale)
        if not self._problem.one_sided:
            self.active = self.active.above_tolerance(self.active.state.losses)
        loss = float(self.done.losses.mean())
        seconds = time.perf_counter() - self._began
        history.curve.append((seconds, self.step, len(self.active.index), loss))
        return loss

    def finish(self) -> None:
        """Count steps and converged blocks."""
        if self._problem.one_sided and len(self.active.index):
            self.active, _ = self._violated_bounds()
        check_finite(self.done.parameters, self._history.scale)
        self._history.block_steps += int(self.done.steps.sum())
        self._history.converged_blocks += len(self.done.parameters) - len(self.active.index)

    def _violated_bounds(self) -> tuple[_Active, tuple[Tensor, Tensor]]:
        """See ``_violated_bounds``."""
        losses, bounds = _violated_bounds(self.active, self._evaluate())
        # No comparison holds for NaN: such a block would count as converged.
        check_finite(losses, self._history.scale)
        return self.active.above_tolerance(losses), bounds

    def _evaluate(self) -> Tensor:
        began = time.perf_counter()
        parameters = self.active.state.parameters
        outputs = self._kernel.evaluate(self._problem.architecture, parameters, self._coordinates)
        self._add_kernel_time(began)
        return outputs

    def _add_kernel_time(self, began: float) -> None:
        if self._problem.lower.is_cuda:
            torch.cuda.synchronize(self._problem.lower.device)
        self._history.kernel_seconds += time.perf_counter() - began


def check_finite(numbers: Tensor, scale: int) -> None:
    """Raise a SettingsError if a loss or parameter of a fit is NaN or infinite."""
    # The ends of the range are NaN where any number is.
    if numbers.numel() and not bool(torch.isfinite(torch.stack(torch.aminmax(numbers))).all()):
        raise SettingsError(
            f"the fit of scale {scale} diverged (its loss is no longer finite); "
            "lower learning_rate, omega or init_gain"
        )


@dataclass(frozen=True)
class _Active:
    """Blocks that are still trained, by their positions among all, and their bounds."""

    index: Tensor
    state: TrainingState
    lower: Tensor
    upper: Tensor
    tolerances: Tensor

    def above_tolerance(self, losses: Tensor) -> _Active:
        """The blocks whose loss exceeds their tolerance."""
        keep = losses > self.tolerances
        if bool(keep.all()):
            return self
        lower = self.lower[keep]
        upper = lower if self.upper is self.lower else self.upper[keep]
        return _Active(self.index[keep], self.state.rows(keep), lower, upper, self.tolerances[keep])


def _violated_bounds(active: _Active, outputs: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Losses of all blocks, and the bounds of those above their tolerance that are not kept."""
    losses = torch.empty_like(active.tolerances)
    lower, upper = torch.empty_like(active.lower), torch.empty_like(active.upper)
    # A few blocks at a time stay in the cache from one operation to the next.
    per_chunk = max(1, CHUNK_SAMPLES // outputs[0].numel())
    for first in range(0, len(outputs), per_chunk):
        rows = slice(first, first + per_chunk)
        low, high = active.lower[rows], active.upper[rows]
        errors = outputs[rows] - outputs[rows].clamp(low, high)
        kept = (errors == 0) & (low.isinf() | high.isinf())
        losses[rows] = errors.square_().mean(dim=(1, 2))
        lower[rows] = low.masked_fill(kept, -torch.inf)
        upper[rows] = high.masked_fill(kept, torch.inf)
    above = losses > active.tolerances
    if not bool(above.all()):
        lower, upper = lower[above], upper[above]
    return losses, (lower, upper)


def _learning_rates(settings: FitSettings, scale: int, step: int, count: int) -> Tensor:
    steps = torch.arange(step, step + count, dtype=torch.float64)
    if settings.schedule == "cosine":
        shares = 0.5 * (1 + torch.cos(torch.pi * steps / settings.steps_at(scale)))
    else:
        shares = torch.pow(settings.decay, steps)
    return settings.learning_rate_at(scale) * shares
