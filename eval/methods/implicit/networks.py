"""The function whose zero set is the surface: a softplus MLP that starts as a sphere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from eval.errors import MethodError
from eval.methods.implicit.gradients import JOIN, value_and_gradient

BETA = 100.0
"""Sharpness of Softplus: close to a rectifier on the scale of a unit shape, and yet smooth."""


@dataclass(frozen=True)
class NetworkSettings:
    """The architecture of the MLP.

    Parameters
    ----------
    depth, width : hidden layers, and units in each.
    skip : hidden layer, counted from 0, whose input is [hidden values, input] / sqrt 2; the layer
        before it is narrower by the width of the input. None for no such layer.
    frequencies : k; the input x becomes [x, sin(2**i pi x), cos(2**i pi x)], i < k.
    radius : radius of the sphere that is the initial zero set.
    """

    depth: int = 4
    width: int = 256
    skip: int | None = 2
    frequencies: int = 0
    radius: float = 1.0

    def inputs(self, ndim: int) -> int:
        """Width of the encoded input for points with ``ndim`` coordinates."""
        return ndim * (1 + 2 * self.frequencies)

    def shapes(self, ndim: int) -> list[tuple[int, int]]:
        """(out, in) of each layer, the last one's out being 1.

        Raises
        ------
        MethodError
            The settings describe no network.
        """
        narrow = self.width - self.inputs(ndim)
        if self.skip is not None and not (0 < self.skip < self.depth and narrow > 0):
            raise MethodError(
                f"skip must be a hidden layer from 1 to {self.depth - 1} and width more than the "
                f"{self.inputs(ndim)} inputs, got skip {self.skip} and width {self.width}"
            )
        outs = [self.width] * self.depth
        if self.skip is not None:
            outs[self.skip - 1] = narrow
        ins = [self.inputs(ndim)] + [self.width] * self.depth
        return list(zip([*outs, 1], ins, strict=True))


class ImplicitNetwork(torch.nn.Module):
    """f: R^ndim -> R, initially about |x| - radius (Gropp et al. 2020; Atzmon and Lipman 2020).

    Parameters
    ----------
    ndim : coordinates of a point.
    settings : the architecture.
    generator : source of the initial weights; the same state gives the same network.

    Raises
    ------
    MethodError
        The settings describe no network.
    """

    def __init__(self, ndim: int, settings: NetworkSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.ndim, self.settings = ndim, settings
        self.weights, self.biases = torch.nn.ParameterList(), torch.nn.ParameterList()
        for out, into in settings.shapes(ndim):
            self.weights.append(torch.randn(out, into, generator=generator))
            self.biases.append(torch.zeros(out))
        self._start_as_sphere()

    def _start_as_sphere(self) -> None:
        plain, settings = self.ndim, self.settings
        waves = settings.inputs(plain) - plain
        with torch.no_grad():
            for layer, weight in enumerate(self.weights[:-1]):
                # Half of the units are 0 at any point; this factor keeps the length of the values.
                weight *= math.sqrt(2 / len(weight))
                if waves and layer in (0, settings.skip):
                    weight[:, -waves:] = 0
            # The mean of the rectified units is the length of the values times a constant.
            last = self.weights[-1]
            last *= 1e-5
            last += math.sqrt(math.pi / last.shape[1])
            self.biases[-1] -= settings.radius

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, points: Tensor) -> Tensor:
        """Values (n,) at points (n, ndim)."""
        encoded, _ = self._encode(points)
        value = encoded
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                value = torch.nn.functional.softplus(value, beta=BETA)
            if layer == self.settings.skip:
                value = torch.cat([value, encoded], dim=1) * JOIN
            value = torch.nn.functional.linear(value, weight, bias)
        return value[:, 0]

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Values (n,) and spatial gradients (n, ndim) at points (n, ndim).

        Both are differentiable in the parameters but not in the points, which must not require
        gradients.
        """
        assert not points.requires_grad
        encoded, slopes = self._encode(points)
        pairs = zip(self.weights, self.biases, strict=True)
        parameters = [parameter for pair in pairs for parameter in pair]
        return value_and_gradient(
            encoded, slopes, parameters, ndim=self.ndim, beta=BETA, skip=self.settings.skip
        )

    def _encode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded inputs (n, m), and the derivative of each by its coordinate, (n, m)."""
        waves, slopes = [points], [torch.ones_like(points)]
        for octave in range(self.settings.frequencies):
            frequency = 2**octave * math.pi
            sine, cosine = torch.sin(frequency * points), torch.cos(frequency * points)
            waves += [sine, cosine]
            slopes += [frequency * cosine, -frequency * sine]
        return torch.cat(waves, dim=1), torch.cat(slopes, dim=1)
