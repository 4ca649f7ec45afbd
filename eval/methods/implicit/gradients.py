"""Value and spatial gradient of a softplus MLP together, differentiable in its parameters.

The gradient comes from one sweep back through the layers, and what a loss on it means for the
parameters from one sweep forward and one back: six products of matrices a layer, the fewest there
are. Automatic differentiation twice over takes the same products and more steps around them;
pushing a tangent for every axis forward takes twice the products in three dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Of both halves where the input joins the hidden values again, so that lengths are kept.
JOIN = math.sqrt(0.5)


class ValueAndGradient(torch.autograd.Function):
    """The values (n,) and gradients (n, ndim) of an MLP whose parameters get derivatives.

    ``apply(encoded, slopes, ndim, beta, skip, *parameters)``: the encoded inputs (n, m) and their
    derivatives (n, m) by the coordinate each comes from, column k from coordinate k % ndim;
    Softplus's beta; the layer that the input joins, or None; weight (out, in) and bias (out,) of
    each layer in turn.
    """

    @staticmethod
    def forward(
        ctx: Any,
        encoded: Tensor,
        slopes: Tensor,
        ndim: int,
        beta: float,
        skip: int | None,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        weights, biases = parameters[0::2], parameters[1::2]
        hidden = len(weights) - 1
        inputs, derivatives = [], []
        value = encoded
        for layer in range(hidden):
            if layer == skip:
                value = torch.cat([value, encoded], dim=1).mul_(JOIN)
            inputs.append(value)
            before = torch.addmm(biases[layer], value, weights[layer].t())
            value = torch.nn.functional.softplus(before, beta=beta)
            derivatives.append(before.mul_(beta).sigmoid_())
        inputs.append(value)
        values = torch.addmv(biases[-1], value, weights[-1][0])

        adjoints = []
        of_value: Tensor = weights[-1]
        of_skip: Tensor | None = None
        for layer in reversed(range(hidden)):
            adjoints.append(derivatives[layer] * of_value)
            of_value = adjoints[-1] @ weights[layer]
            if layer == skip:
                kept = of_value.shape[1] - encoded.shape[1]
                of_skip = of_value[:, kept:] * JOIN
                of_value = of_value[:, :kept] * JOIN
        of_encoded = of_value if of_skip is None else of_value + of_skip
        gradients = (of_encoded * slopes).reshape(len(encoded), -1, ndim).sum(dim=1)

        ctx.beta, ctx.skip, ctx.hidden = beta, skip, hidden
        ctx.save_for_backward(slopes, *weights, *inputs, *derivatives, *reversed(adjoints))
        return values, gradients

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_values: Tensor, of_gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, beta, skip = ctx.hidden, ctx.beta, ctx.skip
        slopes, *saved = ctx.saved_tensors
        weights, inputs = saved[: hidden + 1], saved[hidden + 1 : 2 * hidden + 2]
        derivatives, adjoints = saved[2 * hidden + 2 : 3 * hidden + 2], saved[3 * hidden + 2 :]

        # Forward: the values' change if each point moved along its own of_gradients.
        to_weights: list[Tensor] = []
        curvature: list[Tensor] = []
        encoded = of_gradients.repeat(1, slopes.shape[1] // of_gradients.shape[1]) * slopes
        tangent = encoded
        for layer in range(hidden):
            if layer == skip:
                tangent = torch.cat([tangent, encoded], dim=1).mul_(JOIN)
            to_weights.append(adjoints[layer].t() @ tangent)
            before = tangent @ weights[layer].t()
            # Softplus's second derivative is beta s (1 - s); one s is in the adjoints.
            bent = (adjoints[layer] * before).mul_(beta)
            curvature.append(bent.addcmul_(bent, derivatives[layer], value=-1))
            tangent = before.mul_(derivatives[layer])
        to_weights.append(torch.addmv(tangent.sum(0), inputs[-1].t(), of_values)[None])

        # Back: as ever, with what the bend of each softplus adds.
        to_biases = [of_values.sum(dim=0, keepdim=True)]
        of_value = of_values[:, None] * weights[-1]
        for layer in reversed(range(hidden)):
            of_before = curvature[layer].addcmul_(derivatives[layer], of_value)
            to_weights[layer].addmm_(of_before.t(), inputs[layer])
            to_biases.append(of_before.sum(dim=0))
            if layer:
                of_value = of_before @ weights[layer]
            if layer == skip:
                of_value = of_value[:, : of_value.shape[1] - encoded.shape[1]] * JOIN
        of_parameters = zip(to_weights, reversed(to_biases), strict=True)
        return (None,) * 5 + tuple(tensor for pair in of_parameters for tensor in pair)


def value_and_gradient(
    encoded: Tensor,
    slopes: Tensor,
    parameters: Sequence[Tensor],
    *,
    ndim: int,
    beta: float,
    skip: int | None,
) -> tuple[Tensor, Tensor]:
    """Values (n,) and gradients (n, ndim); see ``ValueAndGradient``."""
    result: tuple[Tensor, Tensor] = ValueAndGradient.apply(  # type: ignore[no-untyped-call]
        encoded, slopes, ndim, beta, skip, *parameters
    )
    return result
