"""One scale of a representation: blocks with an MLP, blocks without, constant blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.pyramid import LINEAR, Interpolation
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.backends import load_backend


@dataclass(frozen=True)
class BlockMLPs:
    """The block MLPs of one scale and the blocks that need none; see ``ScaleBlocks``.

    Parameters
    ----------
    scale : 0 is the finest.
    layout : blocks of this scale.
    varying_ids : (m,) int64, Morton ids, ascending.
    fitted : (m,) bool, which of them carry an MLP.
    parameters : (f, parameter) float32, rows in the order of ``fitted_ids``.
    constant_ids, constant_values : (k,) int64 ascending and (k, channel) float32.
    """

    kind: ClassVar[str] = "mlp"
    interpolation: ClassVar[Interpolation] = LINEAR
    limits: ClassVar[None] = None

    scale: int
    layout: BlockGrid
    architecture: MLPArchitecture
    varying_ids: Tensor
    fitted: Tensor
    parameters: Tensor
    constant_ids: Tensor
    constant_values: Tensor

    @property
    def channels(self) -> int:
        return self.architecture.channels

    @property
    def device(self) -> torch.device:
        return self.parameters.device

    @property
    def fitted_ids(self) -> Tensor:
        """Morton ids of the blocks with an MLP, (f,)."""
        return self.varying_ids[self.fitted]

    @property
    def num_parameters(self) -> int:
        """Trained numbers at this scale."""
        return self.parameters.numel()

    def evaluate(self, chosen: Tensor | None = None, *, backend: str = "auto") -> Tensor:
        """See ``ScaleBlocks.evaluate``."""
        parameters = self.parameters if chosen is None else self.parameters[chosen]
        coordinates = local_coordinates(self.layout.block_shape, self.device)
        kernel = load_backend(backend, self.device)
        return kernel.evaluate(self.architecture, parameters, coordinates)

    def facts(self) -> Mapping[str, Any]:
        return {"width": self.architecture.width, "sine_layers": self.architecture.depth}

    def to(self, device: torch.device | str) -> BlockMLPs:
        """The same scale on another device."""
        moved = {
            name: getattr(self, name).to(device)
            for name in ("varying_ids", "fitted", "parameters", "constant_ids", "constant_values")
        }
        return BlockMLPs(self.scale, self.layout, self.architecture, **moved)


@dataclass(frozen=True)
class MLPBatch:
    """A fitted batch of block MLPs; see ``FittedBatch``.

    Parameters
    ----------
    fitted : (q,) bool, whether a block carries an MLP.
    parameters : (f, parameter) float32, of the f blocks that do.
    """

    kind: ClassVar[str] = "mlp"

    scale: int
    fitted: Tensor
    parameters: Tensor


def local_coordinates(block_shape: tuple[int, ...], device: torch.device | str) -> Tensor:
    """Sample centers inside a block, row-major: -1 + (2 i + 1) / b on each axis, (sample, ndim).

    The released code places samples on the block's faces instead, which leaves a gap of one cell
    between neighboring blocks; here the domains of neighbors touch.
    """
    axes = [(2.0 * torch.arange(b, device=device) + 1.0) / b - 1.0 for b in block_shape]
    return torch.cartesian_prod(*axes).reshape(-1, len(block_shape))
