"""The shape of a block's MLP, and where its parameters lie in one flat row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
from torch import Tensor

from geom_miner.constraints import Range, check_fields

# Far beyond any block MLP of use: the paper's have 20 to 80 outputs a layer and 3 layers.
MAX_WIDTH, MAX_DEPTH, MAX_CHANNELS, MAX_OMEGA = 4096, 64, 4096, 1e6


@dataclass(frozen=True)
class MLPArchitecture:
    """A tiny sine MLP: ``depth`` layers sin(omega (W x + b)), then a linear one.

    Parameters of one block are one flat row: for each layer the weights (in, out) in row-major
    order, then the biases (out).

    Parameters
    ----------
    ndim : input coordinates.
    width : outputs of every sine layer.
    depth : sine layers, >= 1 (the paper's first layer plus its n hidden ones).
    channels : outputs.
    omega : frequency of the sines (omega_0 in SIREN).
    """

    ndim: Annotated[int, Range(1, 8)]
    width: Annotated[int, Range(1, MAX_WIDTH)]
    depth: Annotated[int, Range(1, MAX_DEPTH)]
    channels: Annotated[int, Range(1, MAX_CHANNELS)]
    omega: Annotated[float, Range(above=0, at_most=MAX_OMEGA)]

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers of values between the layers, from inputs to outputs."""
        return (self.ndim, *[self.width] * self.depth, self.channels)

    @property
    def num_parameters(self) -> int:
        """Parameters of one block: (d+1) F + (depth-1)(F+1) F + (F+1) C."""
        return sum((a + 1) * b for a, b in pairwise(self.widths))

    def scaled(self, parameters: Tensor, factor: float) -> Tensor:
        """Rows (block, parameter) of MLPs whose outputs are ``factor`` times those of these.

        A copy; exact for powers of two.
        """
        last = (self.width + 1) * self.channels
        scaled = parameters.clone()
        scaled[:, -last:] *= factor
        return scaled

    def shifted(self, parameters: Tensor, by: Sequence[float]) -> Tensor:
        """Rows (block, parameter) of MLPs whose outputs are greater by ``by``, one per channel.

        A copy.
        """
        shifted = parameters.clone()
        shifted[:, -self.channels :] += torch.tensor(by, device=parameters.device)
        return shifted

    def unpack(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Views of flat rows (block, parameter): weights (block, in, out), biases (block, out)."""
        layers, at = [], 0
        for fan_in, fan_out in pairwise(self.widths):
            weights = parameters[:, at : at + fan_in * fan_out]
            at += fan_in * fan_out
            layers.append((weights.view(-1, fan_in, fan_out), parameters[:, at : at + fan_out]))
            at += fan_out
        return layers
