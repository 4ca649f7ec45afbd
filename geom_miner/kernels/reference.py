"""The reference kernel: plain PyTorch, the definition that every fused kernel is held to.

Blocks are rows of batched matrix products. Inside, values are laid out (block, channel, sample).
"""

from __future__ import annotations

import torch
from torch import Tensor

from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.training import BETA1, BETA2, EPSILON, TrainingState, check_bounds

# Floats per activation tensor: on a CPU a chunk of blocks should stay in the cache through its
# training (2 MB; measured best of 0.25-16 MB on two cores), a GPU wants as many as fit well.
_CHUNK_FLOATS = {"cpu": 1 << 19, "cuda": 1 << 26}


def prepare() -> None:
    """Nothing is compiled here."""


def evaluate(architecture: MLPArchitecture, parameters: Tensor, coordinates: Tensor) -> Tensor:
    """Evaluate each block's MLP at the same local coordinates.

    Parameters
    ----------
    parameters : (block, parameter) float
    coordinates : (sample, ndim), in [-1, 1]

    Returns
    -------
    (block, sample, channel), same dtype
    """
    out = parameters.new_empty(len(parameters), len(coordinates), architecture.channels)
    for rows in _chunks(architecture, len(parameters), len(coordinates), parameters.device):
        layers = architecture.unpack(parameters[rows])
        out[rows] = _forward(architecture, layers, coordinates)[0].transpose(1, 2)
    return out


def loss_and_gradient(
    architecture: MLPArchitecture,
    parameters: Tensor,
    coordinates: Tensor,
    lower: Tensor,
    upper: Tensor,
) -> tuple[Tensor, Tensor]:
    """Each block's mean squared error over samples and channels, and its gradient.

    The error of an output is its signed distance to an interval; ``training`` says what for.

    Parameters
    ----------
    parameters : (block, parameter)
    coordinates : (sample, ndim)
    lower, upper : (block, sample, channel), lower <= upper, infinities allowed.

    Returns
    -------
    losses (block,), gradient (block, parameter)
    """
    layers = architecture.unpack(parameters)
    output, inputs, slopes = _forward(architecture, layers, coordinates)
    low, high = lower.transpose(1, 2), upper.transpose(1, 2)
    error = output.sub_(low if lower is upper else output.clamp(low, high))
    losses = error.square().mean(dim=(1, 2))
    gradient = torch.empty_like(parameters)
    into = architecture.unpack(gradient)
    back = error.mul_(2.0 / error[0].numel())
    for k in reversed(range(len(layers))):
        into[k][0].copy_(torch.bmm(inputs[k], back.transpose(1, 2)))
        into[k][1].copy_(back.sum(dim=2))
        if k:
            back = torch.bmm(layers[k][0], back).mul_(slopes[k - 1])
    return losses, gradient


def train(
    architecture: MLPArchitecture,
    state: TrainingState,
    coordinates: Tensor,
    lower: Tensor,
    upper: Tensor,
    *,
    learning_rates: Tensor,
    tolerances: Tensor,
) -> None:
    """Take Adam steps on every block by itself, until its loss is within its tolerance.

    A block whose loss, measured on the parameters as they are, is <= its tolerance stops there:
    its parameters stay bit-identical from that measurement on. One without any finite bound has
    no loss and takes no step.

    Parameters
    ----------
    state : changed in place.
    coordinates : (sample, ndim)
    lower, upper : (block, sample, channel), the intervals to come into; lower <= upper, which is
        not tested, infinities allowed. The same tensor twice for plain squared errors.
    learning_rates : (step,), one for each step to take.
    tolerances : (block,), mean squared error at which a block stops. The mean is over all samples
        and channels, also those without bounds or within them.

    Raises
    ------
    BlockShapeError
        The bounds are not those of these blocks and samples.
    """
    check_bounds(architecture, state, coordinates, lower, upper)
    rates = learning_rates.tolist()
    for rows in _chunks(architecture, len(lower), len(coordinates), lower.device):
        parameters, low = state.parameters[rows], lower[rows]
        high = low if lower is upper else upper[rows]
        first, second = state.first_moment[rows], state.second_moment[rows]
        for rate in rates:
            losses, gradient = loss_and_gradient(architecture, parameters, coordinates, low, high)
            running = losses > tolerances[rows]
            state.losses[rows] = losses
            if not bool(running.any()):
                break
            state.steps[rows] += running
            # float64, because 1 - 0.999 loses five digits in float32.
            steps = state.steps[rows].double()
            first.lerp_(gradient, 1 - BETA1)
            second.lerp_(gradient.square_(), 1 - BETA2)
            # The bias corrections of Adam folded into one factor per block.
            root = (1 - BETA2**steps).sqrt()
            size = (rate * root / (1 - BETA1**steps))[:, None].to(parameters.dtype)
            step = size * (first / (second.sqrt() + EPSILON * root[:, None]))
            # Chosen, not multiplied by zero: at rest, a block without any error has a step of 0/0.
            parameters -= step.where(running[:, None], 0.0)


def _forward(
    architecture: MLPArchitecture, layers: list[tuple[Tensor, Tensor]], coordinates: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Outputs (block, channel, sample), each layer's inputs, and slopes omega cos(.) of sines."""
    omega = architecture.omega
    h = coordinates.T.expand(len(layers[0][0]), -1, -1)
    inputs, slopes = [h], []
    for weights, biases in layers[:-1]:
        z = torch.baddbmm(biases[:, :, None] * omega, weights.transpose(1, 2), h, alpha=omega)
        h = torch.sin(z)
        inputs.append(h)
        slopes.append(z.cos_().mul_(omega))
    weights, biases = layers[-1]
    return torch.baddbmm(biases[:, :, None], weights.transpose(1, 2), h), inputs, slopes


def _chunks(
    architecture: MLPArchitecture, blocks: int, samples: int, device: torch.device
) -> list[slice]:
    per_chunk = max(1, _CHUNK_FLOATS[device.type] // (samples * architecture.width))
    return [slice(at, min(at + per_chunk, blocks)) for at in range(0, blocks, per_chunk)]
