"""How a caller watches a fit, keeps its parts, and ends it early."""

from __future__ import annotations

from geom_miner.fit.history import FitStatus, ScaleHistory
from geom_miner.model.scale_blocks import FittedBatch, ScaleBlocks


class Observer:
    """Is called while a fit goes on; every method here does nothing.

    Subclass it and override what is of interest.
    """

    watches_rounds: bool = False
    """Whether ``should_stop`` is to be called. It needs all blocks of a scale at once, so a scale
    is then fitted in one batch, whatever its memory."""

    def on_progress(self, status: FitStatus) -> None:
        """Called after every round of optimizer steps."""

    def on_batch(self, batch: FittedBatch) -> None:
        """Called with each newly fitted batch of a scale that has more than one."""

    def on_scale(self, blocks: ScaleBlocks, history: ScaleHistory) -> None:
        """Called with each newly fitted scale, coarsest first."""

    def should_stop(self, blocks: ScaleBlocks) -> bool:
        """Called after every round with the scale as it stands; True ends the scale.

        Its time counts as fitting time.
        """
        return False


class Observers(Observer):
    """Several observers as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers
        self.watches_rounds = any(observer.watches_rounds for observer in observers)

    def on_progress(self, status: FitStatus) -> None:
        for observer in self._observers:
            observer.on_progress(status)

    def on_batch(self, batch: FittedBatch) -> None:
        for observer in self._observers:
            observer.on_batch(batch)

    def on_scale(self, blocks: ScaleBlocks, history: ScaleHistory) -> None:
        for observer in self._observers:
            observer.on_scale(blocks, history)

    def should_stop(self, blocks: ScaleBlocks) -> bool:
        watching = [observer for observer in self._observers if observer.watches_rounds]
        # Every observer sees every round, also where an earlier one ends the scale.
        answers = [observer.should_stop(blocks) for observer in watching]
        return any(answers)


SILENT = Observer()
