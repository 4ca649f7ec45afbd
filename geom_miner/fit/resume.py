"""What an interrupted run of the same fit has left."""

from __future__ import annotations

from dataclasses import dataclass

from geom_miner.errors import ModelFileError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.kernels.architecture import MLPArchitecture
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

    def check_scale(self, blocks: BlockMLPs, layout: BlockGrid, shape: MLPArchitecture) -> None:
        """Refuse a finished scale that is none of this fit; see ``check_batches``."""
        if blocks.layout != layout or blocks.architecture != shape:
            raise _foreign()

    def check_batches(self, candidates: int, shape: MLPArchitecture) -> None:
        """Refuse batches that are none of this fit.

        Parameters
        ----------
        candidates : blocks of the scale that may get an MLP.
        shape : of these MLPs.

        Raises
        ------
        ModelFileError
            The batches have more blocks, or other MLPs.
        """
        too_many = sum(len(batch.fitted) for batch in self.batches) > candidates
        widths = {batch.parameters.shape[1] for batch in self.batches}
        if too_many or widths - {shape.num_parameters}:
            raise _foreign()


def _foreign() -> ModelFileError:
    return ModelFileError(
        "what an earlier run has left is no part of this fit although its header says so; start "
        "anew with --fresh"
    )


NOTHING = Resume()
