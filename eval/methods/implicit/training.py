"""The one training loop: any network, any loss, until the budget is spent."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from eval.errors import MethodError
from eval.methods.implicit.checkpoint import Checkpoint, TrainingState
from eval.methods.implicit.networks import ImplicitNetwork
from eval.methods.protocol import Budget

# Seconds between two looks at the loss, which wait for the device, and between two checkpoints.
_REPORT_SECONDS, _SAVE_SECONDS = 0.5, 30.0

B_contra = TypeVar("B_contra", contravariant=True)
B = TypeVar("B")


@dataclass(frozen=True)
class Loss:
    """What to minimize, and its terms by name as a reader should see them, unweighted."""

    total: Tensor
    parts: dict[str, Tensor]


class Objective(Protocol[B_contra]):
    """Turns a network and a batch into a loss."""

    def __call__(self, network: ImplicitNetwork, batch: B_contra) -> Loss: ...


@dataclass(frozen=True)
class Schedule:
    """Adam's rate: halved every so many steps, never below the floor.

    A budget stretches or squeezes it, so that a run of any length ends as slowly as this one.

    Parameters
    ----------
    steps : of the whole run.
    rate : at first.
    halve_every : steps.
    floor : lowest rate.
    """

    steps: int
    rate: float
    halve_every: int
    floor: float

    def rate_at(self, share: float) -> float:
        """The rate when this share of the run, in [0, 1], is done."""
        return max(self.rate * 0.5 ** (int(share * self.steps) // self.halve_every), self.floor)


@dataclass(frozen=True)
class Trained:
    """How a run ended: steps and wall-clock seconds in all, resumed ones included; last terms."""

    steps: int
    seconds: float
    parts: dict[str, float]


def train(
    network: ImplicitNetwork,
    draw: Callable[[torch.Generator], B],
    objective: Objective[B],
    schedule: Schedule,
    generator: torch.Generator,
    *,
    budget: Budget | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Trained:
    """Minimize the objective over batches; the network is changed in place.

    A checkpoint is written now and then, at the end and on an interrupt, always between two
    steps; a run that finds one goes on from it and takes the same steps as one without a break.

    Parameters
    ----------
    draw : the next batch from the generator, which is the only source of chance.
    schedule : rates, and the end where the budget has none.
    budget : the end; the first limit reached ends the run.
    checkpoint : where the state is kept.
    progress : called about twice a second and at the end with the share done and the loss's parts.

    Raises
    ------
    MethodError
        The loss is no longer finite, or the checkpoint is damaged or another run's.
    KeyboardInterrupt
        Once the checkpoint is written.
    """
    budget = budget or Budget()
    limit = schedule.steps if budget.steps is None and budget.seconds is None else budget.steps
    optimizer = torch.optim.Adam(network.parameters(), lr=schedule.rate, fused=True)
    state = TrainingState(network, optimizer, generator)
    if checkpoint is not None:
        checkpoint.restore(state)
    before, start = state.seconds, time.monotonic()
    now = reported = saved = start
    loss: Loss | None = None

    def share_done() -> float:
        of_steps = state.steps / limit if limit else 0.0
        return max(of_steps, state.seconds / budget.seconds if budget.seconds else 0.0)

    def tell(loss: Loss) -> dict[str, float]:
        parts = _finite(loss, state.steps)
        if progress is not None:
            progress(min(share_done(), 1.0), _words(state.steps, parts))
        return parts

    with interrupts_held() as interrupted:
        while not interrupted() and (share := share_done()) < 1:
            if loss is not None and now - reported >= _REPORT_SECONDS:
                tell(loss)
                reported = now
            if loss is not None and checkpoint is not None and now - saved >= _SAVE_SECONDS:
                _finite(loss, state.steps)
                checkpoint.save(state)
                saved = now
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate_at(share)
            loss = objective(network, draw(generator))
            optimizer.zero_grad()
            loss.total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            now = time.monotonic()
            state.steps, state.seconds = state.steps + 1, before + now - start
        parts = {} if loss is None else tell(loss)
        if loss is not None and checkpoint is not None:
            checkpoint.save(state)
    return Trained(state.steps, state.seconds, parts)


@contextlib.contextmanager
def interrupts_held() -> Iterator[Callable[[], bool]]:
    """A question whether the user has interrupted, which ends the block only when it is over.

    Held is what Python itself would do, in the main thread; there is nothing to hold elsewhere,
    nor where interrupts are ignored or another's business.
    """
    asked = threading.Event()

    def note(_: int, __: FrameType | None) -> None:
        asked.set()

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield asked.is_set
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked.is_set():
        raise KeyboardInterrupt


def _finite(loss: Loss, steps: int) -> dict[str, float]:
    if not bool(torch.isfinite(loss.total)):
        raise MethodError(
            f"the optimization diverged, the loss after {steps:,} steps being "
            f"{float(loss.total.detach())}; try another seed"
        )
    return {name: float(value.detach()) for name, value in loss.parts.items()}


def _words(steps: int, parts: dict[str, float]) -> str:
    return ", ".join([f"step {steps:,}", *(f"{name} {value:.2g}" for name, value in parts.items())])
