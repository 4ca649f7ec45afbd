"""What an interrupted run of the same fit has left."""

from __future__ import annotations

from dataclasses import dataclass

from geom_miner.model.block_mlps import BlockMLPs, FittedBatch


@dataclass(frozen=True)
class Resume:
    """Fitted parts to go on from; they are kept as they are.

    Parameters
    ----------
    scales : finished scales, coarsest first.
    batches : the first batches of the scale after those, in order. What they cost is not in the
        history.
    """

    scales: tuple[BlockMLPs, ...] = ()
    batches: tuple[FittedBatch, ...] = ()


NOTHING = Resume()
