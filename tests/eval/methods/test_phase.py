"""PHASE's functional on closed forms, by hand, and after training."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import iv, kv
from torch import Tensor

from eval.errors import MethodError
from eval.methods import phase_losses as losses
from eval.methods.implicit.networks import ImplicitNetwork, NetworkSettings
from eval.methods.implicit.sampling import CloudTensors, SampleCounts
from eval.methods.implicit.training import Schedule, train
from eval.methods.phase import PhaseObjective, PhaseSettings
from eval.methods.phase_sampling import PhaseBatch
from tests.eval.methods.clouds import CENTER, round_cloud


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Plane(ImplicitNetwork):
    """w = x0, so that everything about it is known."""

    def __init__(self, ndim: int, epsilon: float | None = None) -> None:
        super().__init__(ndim, NetworkSettings(depth=1, width=8, skip=None), generator())
        self.epsilon = epsilon  # to be a density instead

    def forward(self, points: Tensor) -> Tensor:
        w = points[:, 0]
        return w if self.epsilon is None else losses.density(w, epsilon=self.epsilon)

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        slope = torch.eye(self.ndim)[0].expand(len(points), -1)
        if self.epsilon is not None:
            slope = losses.density_gradient(points[:, 0], slope, epsilon=self.epsilon)
        return self(points), slope


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("unknown", ["distance", "density"])
@pytest.mark.parametrize("oriented", [True, False])
def test_loss_of_a_plane_is_its_area(ndim, unknown, oriented) -> None:
    epsilon, box, rng = 0.01, 1.2, np.random.default_rng(0)
    points = rng.uniform(-1, 1, (500, ndim))
    points[:, 0] = 0
    normals = np.tile(np.eye(ndim)[0], (500, 1)) if oriented else None
    counts = SampleCounts(surface=100, anywhere=40_000, box=box)
    settings = PhaseSettings(epsilon=epsilon, widest=0.1, unknown=unknown, form="integral")
    objective = settings.objective(counts)
    batch = settings.sampler(CloudTensors(points, normals), counts)(generator())
    plane = Plane(ndim, epsilon if unknown == "density" else None)
    loss = objective(plane, batch)
    area = (2 * box) ** (ndim - 1)
    energy = 2 * 0.1 * (1 - math.exp(-2 * box / 0.1)) * area
    assert float(loss.terms["energy"]) == pytest.approx(energy, rel=0.02)
    assert float(loss.total) == pytest.approx(float(loss.terms["energy"]), abs=1e-5)
    assert set(loss.terms) == {"reconstruction", "energy", "normals" if oriented else "eikonal"}
    mean = replace(settings, form="mean").objective(counts)(plane, batch)
    ratio = float(loss.terms["energy"] / mean.terms["energy"])
    assert ratio == pytest.approx((2 * box) ** ndim, rel=1e-5)
    if oriented:
        flipped = replace(batch, normals=-batch.normals)
        for norm in ("l1", "l2"):
            objective = replace(settings, norm=norm).objective(counts)
            assert float(objective(plane, flipped).terms["normals"]) == pytest.approx(2, rel=1e-5)
    w = objective.distance(plane, batch.domain)
    near = batch.domain[:, 0].abs() < 0.5
    torch.testing.assert_close(w[near], batch.domain[near, 0], rtol=1e-3, atol=1e-6)
    assert w.abs().max() < 1.39


@pytest.mark.parametrize("unknown", ["distance", "density"])
@pytest.mark.parametrize("ball", [0.0, 0.5])
def test_loss_by_hand(unknown, ball) -> None:
    draw = lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)  # noqa: E731
    rng = generator()
    network = ImplicitNetwork(3, NetworkSettings(depth=2, width=16, skip=1), rng).double()
    normals = torch.nn.functional.normalize(draw(5, 3), dim=1)
    # Near enough for 1 - |u| to need no bound.
    surface = 0.5 * draw(5, 3)
    batch = PhaseBatch(surface, normals, draw(5, 4, 3), draw(7, 3), draw(7).square())
    epsilon, width = 0.04, 0.2
    settings = PhaseSettings(
        epsilon,
        widest=width,
        reconstruction=1.5,
        normals=2.0,
        eikonal=0.7,
        ball=ball,
        unknown=unknown,
    )

    def u(points: Tensor) -> Tensor:
        f = network(points)
        return f if unknown == "density" else torch.sign(f) * (1 - torch.exp(-f.abs() / width))

    def with_gradient(points: Tensor) -> tuple[np.ndarray, np.ndarray]:
        at = points.clone().requires_grad_()
        values = u(at)
        (gradient,) = torch.autograd.grad(values.sum(), at)
        return values.detach().numpy(), gradient.numpy()

    energy = 0.0
    for weight, value, slope in zip(
        batch.weights.tolist(), *with_gradient(batch.domain), strict=True
    ):
        energy += weight * (epsilon * sum(slope**2) + value**2 - 2 * abs(value) + 1) / 7
    reconstruction, facing, eikonal = 0.0, 0.0, 0.0
    rows = zip(batch.surface, batch.moves, normals.numpy(), strict=True)
    for (point, moves, normal), value, slope in zip(
        rows, *with_gradient(batch.surface), strict=True
    ):
        reconstruction += abs(u(point + ball * width * moves).mean().item()) / 5
        of_w = width * slope / max(1 - abs(value), 1e-3)
        facing += math.sqrt(sum((normal - of_w) ** 2)) / 5
        eikonal += (1 - math.sqrt(sum(of_w**2))) ** 2 / 5
    objective = PhaseObjective(settings, box=1.0)
    total = objective(network, batch).total.item()
    assert total == pytest.approx(0.3 * reconstruction + energy + 2 * facing, rel=1e-6)
    total = objective(network, replace(batch, normals=None)).total.item()
    assert total == pytest.approx(0.3 * reconstruction + energy + 0.7 * eikonal, rel=1e-6)


def test_transition_is_as_wide_as_data_are_far() -> None:
    objective = PhaseObjective(PhaseSettings(epsilon=1e-4, widest=0.3), box=1.2)
    for off, width in ((0.0, 0.01), (0.1, 0.1), (2.0, 0.3)):
        values = off * torch.linspace(-1, 1, 401)
        assert math.sqrt(objective.epsilon_for(values)) == pytest.approx(width, rel=0.02)
    # A few that are far may be noise, more are a part of the surface.
    for share, width in ((0.005, 0.01), (0.02, 0.3)):
        values = torch.where(torch.arange(1000) < share * 1000, -5.0, 0.0)
        assert math.sqrt(objective.epsilon_for(values)) == pytest.approx(width)
    constant = PhaseObjective(PhaseSettings(epsilon=1e-4, widest=0.0), box=1.2)
    assert constant.epsilon_for(torch.ones(3)) == 1e-4


def trained_on_circle(*, normals: bool) -> tuple[PhaseObjective, ImplicitNetwork]:
    settings = PhaseSettings(epsilon=2.5e-3, eikonal=1.0)
    counts = SampleCounts(surface=96, anywhere=256, box=1.2)
    cloud = round_cloud(2, normals=normals, radius=0.7)
    sampler = settings.sampler(CloudTensors(cloud.points - CENTER[:2], cloud.normals), counts)
    objective = settings.objective(counts)
    network = ImplicitNetwork(2, NetworkSettings(depth=2, width=48, skip=1), generator())
    schedule = Schedule(steps=400, rate=5e-3, halve_every=50, floor=1e-5)
    train(network, sampler, objective, schedule, generator())
    return objective, network


def test_circle_is_the_closed_form_with_normals_and_without() -> None:
    # w by its Bessel functions, as in the tests of the losses, along rays.
    epsilon, radius = 2.5e-3, 0.7
    width = math.sqrt(epsilon)
    r = np.linspace(radius - 3 * width, radius + 3 * width, 31)
    inside = 1 - iv(0, r / width) / iv(0, radius / width)
    outside = 1 - kv(0, r / width) / kv(0, radius / width)
    u = torch.from_numpy(np.where(r < radius, -inside, outside))
    w = losses.distance(u, epsilon=epsilon)
    angle = torch.arange(64) * (2 * math.pi / 64)
    rays = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    points = (torch.from_numpy(r).float()[:, None, None] * rays).reshape(-1, 2)
    distances = {}
    for normals in (True, False):
        objective, network = trained_on_circle(normals=normals)
        with torch.no_grad():
            distances[normals] = objective.distance(network, points).reshape(len(r), -1).double()
        on_circle = distances[normals][len(r) // 2]
        assert on_circle.abs().max() < 0.01
        assert float((distances[normals] - w[:, None]).abs().max()) < 0.03
        slope = network.value_and_gradient(points)[1].detach().norm(dim=1)
        assert float((slope - 1).abs().mean()) < 0.05
    assert float((distances[True] - distances[False]).abs().max()) < 0.03


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"epsilon": 0.0}, "epsilon must be positive"),
        ({"reach": math.inf}, "reach must be positive and finite"),
        ({"ball": -0.1}, "ball must be at least 0 and finite"),
        ({"near": 1.0}, "near must be at least 0 and less than 1"),
        ({"pairs": 0}, "pairs must be at least 1"),
        ({"unknown": "density"}, "widest must be at most the root of epsilon"),
    ],
)
def test_impossible_numbers_are_refused(numbers, message) -> None:
    with pytest.raises(MethodError, match=message):
        PhaseSettings(**numbers)
