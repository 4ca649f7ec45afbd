"""What the loop over scales and batches asks of a kind of block function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.settings import BlockSettings
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.model.scale_blocks import FittedBatch, ScaleBlocks

SettingsType = TypeVar("SettingsType", bound=BlockSettings, covariant=True)

# Called after a round with (step, active blocks, fitted blocks, loss, the batch so far); True ends
# the batch.
OnRound = Callable[[int, int, int, float, Callable[[], FittedBatch]], bool]


@dataclass(frozen=True)
class ScaleJob(Generic[SettingsType]):
    """A scale to fit, and what is known of the next coarser one.

    Parameters
    ----------
    prediction : the coarser reconstruction; None at the coarsest scale.
    coarser : the coarser scale's block functions.
    """

    scale: int
    target: Target
    settings: SettingsType
    prediction: SparseBlocks | None
    coarser: ScaleBlocks | None
    backend: str


def fitted_flags(candidates: Tensor, batches: Sequence[FittedBatch]) -> Tensor:
    """Whether each candidate is fitted, (q,) bool; those beyond the batches so far are not."""
    flags = torch.zeros(len(candidates), dtype=torch.bool, device=candidates.device)
    done = torch.cat([flags[:0], *(batch.fitted.to(flags.device) for batch in batches)])
    flags[: len(done)] = done
    return flags


class BlockFitter(Protocol):
    """Fits the blocks of one scale, batch by batch."""

    @property
    def candidates(self) -> Tensor:
        """Morton ids, ascending, of the blocks that may be fitted."""

    @property
    def bytes_per_block(self) -> int:
        """Memory that a block takes while it is fitted, about."""

    @property
    def needs_all_blocks(self) -> bool:
        """Whether blocks of the scale depend on one another, so that a batch must hold all."""

    def fit(self, ids: Tensor, history: ScaleHistory, on_round: OnRound) -> FittedBatch:
        """Fit some candidate blocks; adds to the history."""

    def assemble(self, batches: Sequence[FittedBatch]) -> ScaleBlocks:
        """The scale of the batches so far, in order; candidates beyond them are not fitted."""

    def check(self, batches: Sequence[FittedBatch]) -> None:
        """Refuse batches that are none of this fit.

        Raises
        ------
        ModelFileError
            They have more blocks, or other block functions.
        """

    def mean_energy(self) -> float:
        """Mean squared residual of the fitted blocks before the fit; 0 if there are none."""


class FitterType(Protocol):
    """A class of block fitters."""

    def __call__(self, job: ScaleJob[Any]) -> BlockFitter: ...

    def check_scale(self, blocks: ScaleBlocks, target: Target, settings: Any) -> None:
        """Refuse a finished scale that is none of this fit; see ``BlockFitter.check``."""

    def step_cost(self, scale: int, target: Target, settings: Any) -> int:
        """Arithmetic of one round of a block, in a unit that all scales share."""
