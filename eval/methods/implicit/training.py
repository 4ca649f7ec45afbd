"""The training loop: any network and any loss, until the budget is spent."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from eval.errors import MethodError
from eval.methods.implicit.checkpoint import Checkpoint, NetworkTraining
from eval.methods.implicit.networks import ImplicitNetwork
from eval.methods.protocol import Budget
from eval.progress import StatusProgress

# Seconds between two reports, which have to wait for the device, and between two checkpoints.
_REPORT_SECONDS, _SAVE_SECONDS = 0.5, 30.0

Batch_contra = TypeVar("Batch_contra", contravariant=True)
Batch = TypeVar("Batch")

Sampler = Callable[[torch.Generator], Batch]
"""Draws the next batch; the generator is the only source of randomness."""


@dataclass(frozen=True)
class Loss:
    """What to minimize, and its terms by name, unweighted, for a reader."""

    total: Tensor
    terms: dict[str, Tensor]


class Objective(Protocol[Batch_contra]):
    """Turns a network and a batch into a loss."""

    def __call__(self, network: ImplicitNetwork, batch: Batch_contra) -> Loss: ...


@dataclass(frozen=True)
class Schedule:
    """Adam's learning rate: halved at equal intervals, never below the floor.

    A budget stretches or compresses the schedule, so a run of any length ends at the same rate.

    Parameters
    ----------
    steps : length of the whole run.
    rate : learning rate at the start.
    halve_every : steps.
    floor : lowest learning rate.
    """

    steps: int
    rate: float
    halve_every: int
    floor: float

    def rate_at(self, share: float) -> float:
        """The learning rate when this share of the run, in [0, 1], is done."""
        return max(self.rate * 0.5 ** (int(share * self.steps) // self.halve_every), self.floor)


@dataclass(frozen=True)
class TrainingSummary:
    """Steps and wall-clock seconds of a whole run, all sessions together; the last terms."""

    steps: int
    seconds: float
    terms: dict[str, float]


def train(
    network: ImplicitNetwork,
    sampler: Sampler[Batch],
    objective: Objective[Batch],
    schedule: Schedule,
    generator: torch.Generator,
    *,
    budget: Budget | None = None,
    checkpoint: Checkpoint | None = None,
    progress: StatusProgress | None = None,
) -> TrainingSummary:
    """Minimize the objective over batches; the network is changed in place.

    A checkpoint is written every 30 s, at the end and on an interrupt, always between two steps.
    A run that finds one continues from it and takes the same steps as a run without a break.

    Parameters
    ----------
    sampler : draws the batches, with ``generator``.
    schedule : learning rates, and the length of the run if the budget sets no limit.
    budget : the run ends at the first limit reached.
    checkpoint : where the state is kept.
    progress : called about twice a second and at the end; the status has the loss's terms.

    Raises
    ------
    MethodError
        The loss is no longer finite, or the checkpoint is damaged or belongs to another run.
    KeyboardInterrupt
        The user interrupted; raised after the checkpoint is written.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=schedule.rate, fused=True)
    training = NetworkTraining(network, optimizer, generator)
    if checkpoint is not None:
        checkpoint.restore(training)
    loop = _TrainingLoop(
        training, sampler, objective, schedule, budget or Budget(), checkpoint, progress
    )
    with defer_interrupts() as is_interrupted:
        while not is_interrupted() and (share := loop.share_done()) < 1:
            loop.report_and_save_if_due()
            loop.step(share)
        terms = loop.finish()
    return TrainingSummary(training.steps, training.seconds, terms)


class _TrainingLoop(Generic[Batch]):
    """One session of a run: its steps, its clock, its reports and checkpoints."""

    def __init__(
        self,
        training: NetworkTraining,
        sampler: Sampler[Batch],
        objective: Objective[Batch],
        schedule: Schedule,
        budget: Budget,
        checkpoint: Checkpoint | None,
        progress: StatusProgress | None,
    ) -> None:
        self._training, self._sampler, self._objective = training, sampler, objective
        self._schedule, self._checkpoint, self._progress = schedule, checkpoint, progress
        self._max_seconds, self._max_steps = budget.seconds, budget.steps
        if budget.steps is None and budget.seconds is None:
            self._max_steps = schedule.steps
        self._loss: Loss | None = None
        self._earlier_seconds = training.seconds
        self._start = self._now = self._last_report = self._last_save = time.monotonic()

    def share_done(self) -> float:
        """The share of the budget that is spent."""
        training = self._training
        of_steps = training.steps / self._max_steps if self._max_steps else 0.0
        return max(of_steps, training.seconds / self._max_seconds if self._max_seconds else 0.0)

    def step(self, share: float) -> None:
        """Take one optimizer step, with the learning rate for this share of the run."""
        training = self._training
        for group in training.optimizer.param_groups:
            group["lr"] = self._schedule.rate_at(share)
        self._loss = self._objective(training.network, self._sampler(training.generator))
        training.optimizer.zero_grad()
        self._loss.total.backward()  # type: ignore[no-untyped-call]
        training.optimizer.step()
        self._now = time.monotonic()
        training.steps += 1
        training.seconds = self._earlier_seconds + self._now - self._start

    def report_and_save_if_due(self) -> None:
        if self._loss is not None and self._now - self._last_report >= _REPORT_SECONDS:
            self._report(self._loss)
            self._last_report = self._now
        if self._loss is not None and self._now - self._last_save >= _SAVE_SECONDS:
            self._save(self._loss)
            self._last_save = self._now

    def finish(self) -> dict[str, float]:
        """Report and save the last state; returns the terms of the last loss."""
        if self._loss is None:
            return {}
        terms = self._report(self._loss)
        self._save(self._loss)
        return terms

    def _report(self, loss: Loss) -> dict[str, float]:
        terms = _finite_terms(loss, self._training.steps)
        if self._progress is not None:
            values = (f"{name} {value:.2g}" for name, value in terms.items())
            status = ", ".join([f"step {self._training.steps:,}", *values])
            self._progress(min(self.share_done(), 1.0), status)
        return terms

    def _save(self, loss: Loss) -> None:
        if self._checkpoint is not None:
            _finite_terms(loss, self._training.steps)
            self._checkpoint.save(self._training)


@contextlib.contextmanager
def defer_interrupts() -> Iterator[Callable[[], bool]]:
    """Defer Ctrl-C until the block exits; yields a function that tells whether it was pressed.

    Does nothing outside the main thread, or if another handler than Python's own is installed.
    """
    pressed = threading.Event()

    def remember(_: int, __: FrameType | None) -> None:
        pressed.set()

    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield pressed.is_set
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed.is_set():
        raise KeyboardInterrupt


def _finite_terms(loss: Loss, steps: int) -> dict[str, float]:
    if not bool(torch.isfinite(loss.total)):
        raise MethodError(
            f"the optimization diverged, the loss after {steps:,} steps being "
            f"{float(loss.total.detach())}; try another seed"
        )
    return {name: float(value.detach()) for name, value in loss.terms.items()}
