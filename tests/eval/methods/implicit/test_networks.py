"""Networks: spheres at first, and gradients that equal those of automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eval.errors import MethodError
from eval.methods.implicit.gradients import JOIN
from eval.methods.implicit.networks import BETA, ImplicitNetwork, NetworkSettings

FORMS = [
    pytest.param(3, NetworkSettings(depth=3, width=24, skip=1), id="3D"),
    pytest.param(2, NetworkSettings(depth=4, width=20, skip=2), id="2D"),
    pytest.param(2, NetworkSettings(depth=2, width=16, skip=None), id="no skip"),
    pytest.param(3, NetworkSettings(depth=3, width=48, skip=2, frequencies=3), id="waves"),
]


def network(ndim: int, settings: NetworkSettings, seed: int = 0) -> ImplicitNetwork:
    """A float64 network some way from its start, so that nothing vanishes by symmetry."""
    generator = torch.Generator().manual_seed(seed)
    made = ImplicitNetwork(ndim, settings, generator).double()
    with torch.no_grad():
        for parameter in made.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter += 0.1 * noise
    return made


def points(count: int, ndim: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, ndim, generator=generator, dtype=torch.float64)


def differentiated_twice(made: ImplicitNetwork, at: Tensor) -> tuple[Tensor, Tensor]:
    at = at.clone().requires_grad_()
    values = made(at)
    (gradients,) = torch.autograd.grad(values.sum(), at, create_graph=True)
    return values, gradients


def tangents_pushed(made: ImplicitNetwork, at: Tensor) -> tuple[Tensor, Tensor]:
    """The values and one tangent for each axis, layer after layer."""
    encoded, slopes = made._encode(at)
    repeats = encoded.shape[1] // made.ndim
    axes = torch.eye(made.ndim, dtype=at.dtype).repeat(1, repeats)
    pushed = axes[:, None] * slopes
    value, tangents = encoded, pushed
    layers = list(zip(made.weights, made.biases, strict=True))
    for layer, (weight, bias) in enumerate(layers):
        if layer == made.settings.skip:
            value = torch.cat([value, encoded], dim=-1) * JOIN
            tangents = torch.cat([tangents, pushed], dim=-1) * JOIN
        value, tangents = value @ weight.t() + bias, tangents @ weight.t()
        if layer < len(layers) - 1:
            tangents = tangents * torch.sigmoid(BETA * value)
            value = torch.nn.functional.softplus(value, beta=BETA)
    return value[:, 0], tangents[..., 0].t()


def loss(values: Tensor, gradients: Tensor) -> Tensor:
    """One that treats each value and each component of the gradients otherwise."""
    length = gradients.norm(dim=1)
    return values.abs().mean() + (length - 1).square().mean() + (values * gradients[:, 0]).mean()


# Torch's softplus is linear from exp(-20) = 2e-9 on, where ours goes on being smooth.
TOLERANCE = {"rtol": 1e-6, "atol": 1e-7}


@pytest.mark.parametrize("oracle", [differentiated_twice, tangents_pushed])
@pytest.mark.parametrize(("ndim", "settings"), FORMS)
def test_value_and_gradient_and_their_derivatives(oracle, ndim, settings) -> None:
    made, at = network(ndim, settings), points(40, ndim)
    values, gradients = made.value_and_gradient(at)
    expected_values, expected_gradients = oracle(made, at)
    torch.testing.assert_close(values, expected_values, **TOLERANCE)
    torch.testing.assert_close(gradients, expected_gradients, **TOLERANCE)
    torch.testing.assert_close(values, made(at), rtol=1e-12, atol=1e-12)
    parameters = list(made.parameters())
    ours = torch.autograd.grad(loss(values, gradients), parameters)
    theirs = torch.autograd.grad(loss(expected_values, expected_gradients), parameters)
    for one, other in zip(ours, theirs, strict=True):
        assert float(one.abs().max()) > 0
        torch.testing.assert_close(one, other, **TOLERANCE)


@pytest.mark.parametrize(("ndim", "settings"), FORMS)
def test_gradient_is_the_slope(ndim, settings) -> None:
    made, at, step = network(ndim, settings), points(20, ndim), 1e-6
    _, gradients = made.value_and_gradient(at)
    for axis in range(ndim):
        move = torch.zeros(ndim, dtype=at.dtype)
        move[axis] = step
        slope = (made(at + move) - made(at - move)) / (2 * step)
        torch.testing.assert_close(gradients[:, axis], slope, rtol=1e-4, atol=1e-4)


def test_loss_on_values_alone_or_gradients_alone() -> None:
    made, at = network(3, NetworkSettings(depth=2, width=12, skip=1)), points(10, 3)
    parameters = list(made.parameters())
    for pick in (0, 1):
        ours = torch.autograd.grad(made.value_and_gradient(at)[pick].square().sum(), parameters)
        oracle = differentiated_twice(made, at)[pick].square().sum()
        theirs = torch.autograd.grad(oracle, parameters, allow_unused=True)
        for one, other in zip(ours, theirs, strict=True):
            expected = torch.zeros_like(one) if other is None else other
            torch.testing.assert_close(one, expected, **TOLERANCE)


def test_no_overflow_far_from_the_origin() -> None:
    """Softplus of 100 times a large number: exp of it alone would be infinite."""
    made = ImplicitNetwork(3, NetworkSettings(width=32), torch.Generator().manual_seed(0))
    at = 1e4 * points(50, 3).float()
    values, gradients = made.value_and_gradient(at)
    loss(values, gradients).backward()
    for parameter in made.parameters():
        assert torch.isfinite(parameter.grad).all()
    assert torch.isfinite(values).all()
    assert torch.isfinite(gradients).all()


@pytest.mark.parametrize("frequencies", [0, 6])
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("depth", [2, 4, 8])
def test_starts_as_a_sphere(ndim, depth, frequencies) -> None:
    """Random weights scatter values by about 1 / sqrt(width) a layer, and softplus lifts them.

    Along every ray the function grows, and passes zero once, not far from the radius.
    """
    settings = NetworkSettings(
        depth=depth, width=512, skip=depth // 2, frequencies=frequencies, radius=0.8
    )
    made = ImplicitNetwork(ndim, settings, torch.Generator().manual_seed(0))
    directions = torch.nn.functional.normalize(points(300, ndim).float(), dim=1)
    for radius in (0.6, 0.8, 1.0, 1.2):
        with torch.no_grad():
            values, gradients = made.value_and_gradient(radius * directions)
        assert float((gradients * directions).sum(dim=1).min()) > 0.3
        assert float((values - (radius - 0.8)).mean().abs()) < 0.2
        assert float(values.std()) < 0.15 * radius
    with torch.no_grad():
        assert float(made(0.4 * directions).max()) < 0 < float(made(1.3 * directions).min())


def test_same_seed_same_network() -> None:
    one, two, other = (
        ImplicitNetwork(3, NetworkSettings(), torch.Generator().manual_seed(seed))
        for seed in (5, 5, 6)
    )
    assert all(map(torch.equal, one.parameters(), two.parameters()))
    assert not torch.equal(one.weights[0], other.weights[0])


def test_counts_of_the_papers_network() -> None:
    made = ImplicitNetwork(3, NetworkSettings(depth=8, width=512, skip=4), torch.Generator())
    shapes = [tuple(weight.shape) for weight in made.weights]
    expected = [(512, 3), *[(512, 512)] * 2, (509, 512), *[(512, 512)] * 4, (1, 512)]
    assert shapes == expected
    assert made.num_parameters == sum(out * into + out for out, into in expected)


@pytest.mark.parametrize(
    "settings",
    [NetworkSettings(skip=0), NetworkSettings(depth=3, skip=3), NetworkSettings(width=3)],
)
def test_impossible_networks_are_refused(settings) -> None:
    with pytest.raises(MethodError, match="skip must be"):
        ImplicitNetwork(3, settings, torch.Generator())
