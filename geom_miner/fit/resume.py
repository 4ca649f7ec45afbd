"""What an interrupted run of the same fit has left."""

from __future__ import annotations

from dataclasses import dataclass

from geom_miner.errors import ModelFileError
from geom_miner.model.scale_blocks import FittedBatch, ScaleBlocks


@dataclass(frozen=True)
class Resume:
    """Fitted parts to go on from; they are kept as they are.

    Parameters
    ----------
    scales : finished scales, coarsest first.
    batches : the first batches of the scale after those, in order. What they cost is not in the
        history.
    """

    scales: tuple[ScaleBlocks, ...] = ()
    batches: tuple[FittedBatch, ...] = ()


def foreign() -> ModelFileError:
    """The refusal of parts that are none of this fit."""
    return ModelFileError(
        "what an earlier run has left is no part of this fit although its header says so; start "
        "anew with --fresh"
    )


NOTHING = Resume()
