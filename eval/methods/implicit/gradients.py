"""Value and spatial gradient of a softplus MLP together, differentiable in its parameters.

One backward pass through the layers gives the gradient. The derivatives of a loss on it by the
parameters take one more forward and one more backward pass: six matrix products per layer, the
fewest possible. Applying automatic differentiation twice takes the same products and more
operations around them; propagating one tangent per axis forward takes twice the products in 3D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Factor of [hidden values, input] where the input joins them; it keeps their lengths.
JOIN = math.sqrt(0.5)


class ValueAndGradient(torch.autograd.Function):
    """The values (n,) and gradients (n, ndim) of an MLP, differentiable in its parameters.

    ``apply(encoded, slopes, ndim, beta, skip, *parameters)`` takes the encoded inputs (n, m);
    their derivatives (n, m), column k by coordinate k % ndim; Softplus's beta; the layer that the
    input joins, or None; and weight (out, in) and bias (out,) of each layer in turn.
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
        to_value: Tensor = weights[-1]
        to_skipped: Tensor | None = None
        for layer in reversed(range(hidden)):
            adjoints.append(derivatives[layer] * to_value)
            to_value = adjoints[-1] @ weights[layer]
            if layer == skip:
                hidden_width = to_value.shape[1] - encoded.shape[1]
                to_skipped = to_value[:, hidden_width:] * JOIN
                to_value = to_value[:, :hidden_width] * JOIN
        to_encoded = to_value if to_skipped is None else to_value + to_skipped
        gradients = (to_encoded * slopes).reshape(len(encoded), -1, ndim).sum(dim=1)

        ctx.beta, ctx.skip, ctx.hidden = beta, skip, hidden
        ctx.save_for_backward(slopes, *weights, *inputs, *derivatives, *reversed(adjoints))
        return values, gradients

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_values: Tensor, to_gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, beta, skip = ctx.hidden, ctx.beta, ctx.skip
        slopes, *saved = ctx.saved_tensors
        weights, inputs = saved[: hidden + 1], saved[hidden + 1 : 2 * hidden + 2]
        derivatives, adjoints = saved[2 * hidden + 2 : 3 * hidden + 2], saved[3 * hidden + 2 :]

        # Forward: how the values change if each point moves along its row of to_gradients.
        to_weights: list[Tensor] = []
        curvature: list[Tensor] = []
        encoded = to_gradients.repeat(1, slopes.shape[1] // to_gradients.shape[1]) * slopes
        tangent = encoded
        for layer in range(hidden):
            if layer == skip:
                tangent = torch.cat([tangent, encoded], dim=1).mul_(JOIN)
            to_weights.append(adjoints[layer].t() @ tangent)
            before = tangent @ weights[layer].t()
            # Softplus's second derivative is beta s (1 - s); the adjoints contain one s.
            bend = (adjoints[layer] * before).mul_(beta)
            curvature.append(bend.addcmul_(bend, derivatives[layer], value=-1))
            tangent = before.mul_(derivatives[layer])
        to_weights.append(torch.addmv(tangent.sum(0), inputs[-1].t(), to_values)[None])

        # Backward: as usual, plus the terms from the curvature of each softplus.
        to_biases = [to_values.sum(dim=0, keepdim=True)]
        to_value = to_values[:, None] * weights[-1]
        for layer in reversed(range(hidden)):
            to_before = curvature[layer].addcmul_(derivatives[layer], to_value)
            to_weights[layer].addmm_(to_before.t(), inputs[layer])
            to_biases.append(to_before.sum(dim=0))
            if layer:
                to_value = to_before @ weights[layer]
            if layer == skip:
                to_value = to_value[:, : to_value.shape[1] - encoded.shape[1]] * JOIN
        to_parameters = zip(to_weights, reversed(to_biases), strict=True)
        return (None,) * 5 + tuple(tensor for pair in to_parameters for tensor in pair)


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
