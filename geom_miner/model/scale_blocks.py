"""What every kind of block function offers: the rest of the program uses scales through this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.pyramid import Interpolation


class ScaleBlocks(Protocol):
    """The block functions of one scale and the blocks that need none.

    A block is in one of three states. *Fitted*: upsampled prediction plus block function. *Varying
    but not fitted*: the prediction alone. *Constant*: one number. A constant block that is not
    listed inherits its parent's constant.
    """

    kind: ClassVar[str]
    """Name of the kind of block function, which the file records."""
    interpolation: ClassVar[Interpolation]
    """How the next coarser scale is upsampled, and how the finest one goes on between samples."""

    @property
    def scale(self) -> int:
        """0 is the finest."""

    @property
    def layout(self) -> BlockGrid:
        """Blocks of this scale."""

    @property
    def channels(self) -> int:
        """Values per sample."""

    @property
    def device(self) -> torch.device: ...

    @property
    def varying_ids(self) -> Tensor:
        """Morton ids (m,) int64, ascending."""

    @property
    def fitted(self) -> Tensor:
        """(m,) bool, which of the varying blocks have a function."""

    @property
    def fitted_ids(self) -> Tensor:
        """Morton ids (f,) of the fitted blocks."""

    @property
    def constant_ids(self) -> Tensor:
        """Morton ids (k,) int64, ascending."""

    @property
    def constant_values(self) -> Tensor:
        """(k, channel) float32."""

    @property
    def limits(self) -> tuple[float, float] | None:
        """Least and largest value that a reconstructed sample may have; None for any."""

    @property
    def num_parameters(self) -> int:
        """Fitted numbers at this scale."""

    def evaluate(self, chosen: Tensor | None = None, *, backend: str = "auto") -> Tensor:
        """Samples of the fitted blocks' functions: (q, sample, channel) float32.

        Parameters
        ----------
        chosen : (f,) bool, which of the fitted blocks; all by default.
        backend : the kernel that evaluates.
        """

    def facts(self) -> Mapping[str, Any]:
        """What ``geom-miner info`` says about the functions; JSON-able."""

    def to(self, device: torch.device | str) -> Self:
        """The same scale on another device."""


class FittedBatch(Protocol):
    """A fitted batch: a contiguous run of one scale's candidate blocks."""

    kind: ClassVar[str]

    @property
    def scale(self) -> int: ...

    @property
    def fitted(self) -> Tensor:
        """(q,) bool, whether a block is fitted."""
