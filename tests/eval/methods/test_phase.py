"""PHASE as a method: its samples, its loss on closed forms, and small shapes from points alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import iv, kv
from torch import Tensor

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods import find_method, kind_of
from eval.methods import phase_losses as losses
from eval.methods.implicit.networks import ImplicitNetwork, NetworkSettings
from eval.methods.implicit.sampling import CloudSampler, SampleCounts
from eval.methods.implicit.training import Schedule, train
from eval.methods.phase import (
    PHASE,
    PHASE_FF,
    DomainSampler,
    PhaseBatch,
    PhaseObjective,
    PhasePreset,
    PhaseSettings,
    draw_in_ball,
)
from eval.methods.protocol import Budget, Options
from geom_miner import GeomMinerError, diagnose
from tests import shapes

CENTER = np.array([10.0, -20.0, 30.0])
TINY = PhasePreset(
    "for tests",
    NetworkSettings(depth=2, width=48, skip=1),
    Schedule(steps=160, rate=5e-3, halve_every=25, floor=1e-5),
    SampleCounts(surface=96, anywhere=256, box=1.2),
    PhaseSettings(),
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def round_cloud(ndim: int, *, normals: bool, radius: float = 4.0) -> PointCloud:
    """Points of a circle or a sphere, far from the origin."""
    directions = np.random.default_rng(0).normal(size=(600, ndim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = directions * radius + CENTER[:ndim]
    return PointCloud(points, directions if normals else None)


@pytest.fixture(autouse=True)
def tiny_presets(monkeypatch) -> None:
    waves = replace(TINY, network=replace(TINY.network, frequencies=1))
    # The paper's functional, with fewer samples.
    paper = replace(PHASE._presets["paper"].phase, ball=0.5, pairs=1, near=0.8)
    density = replace(TINY, phase=paper)
    for method, preset in ((PHASE, TINY), (PHASE_FF, waves)):
        monkeypatch.setitem(method._presets, "tiny", preset)
        monkeypatch.setitem(method._presets, "density", density)


def tiny(**options) -> Options:
    return Options(**{"preset": "tiny", "resolution": 40, **options})


# Samples.


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("near", [0.0, 0.8])
def test_weighted_samples_integrate(ndim, near) -> None:
    points = torch.nn.functional.normalize(torch.randn(200, ndim, generator=generator()), dim=1)
    sampler = DomainSampler(0.8 * points, box=1.5, near=near, reach=0.05)
    samples, weights = sampler.draw(generator(1), 50_000)
    assert samples.shape == (50_000, ndim)
    assert samples.abs().max() <= 1.5
    # An odd, an even and a steep function, by their means over the box.
    for values, mean in (
        (torch.ones(len(samples)), 1.0),
        (samples[:, 0] + samples[:, -1] ** 2, 0.75),
        (
            torch.exp(-(samples**2).sum(dim=1) * 4),
            (math.sqrt(math.pi) / 2 * math.erf(3) / 3) ** ndim,
        ),
    ):
        error = float((weights * values).std()) / math.sqrt(len(samples))
        assert float((weights * values).mean()) == pytest.approx(mean, abs=4 * error + 1e-6)
    on_shell = ((samples.norm(dim=1) - 0.8).abs() < 0.1).float().mean()
    shell = math.pi * (0.9**2 - 0.7**2) if ndim == 2 else 4 / 3 * math.pi * (0.9**3 - 0.7**3)
    uniform = shell / 3**ndim
    if near:
        assert on_shell > 0.6
    else:
        assert float(on_shell) == pytest.approx(uniform, rel=0.03)
        torch.testing.assert_close(weights, torch.ones(len(weights)), rtol=1e-5, atol=0)


@pytest.mark.parametrize("ndim", [2, 3])
def test_balls_are_filled_and_balanced(ndim) -> None:
    moves = draw_in_ball(generator(), 20_000, 2, ndim)
    assert moves.shape == (20_000, 4, ndim)
    assert moves.sum(dim=1).abs().max() < 1e-6
    # The share of the ball within a radius is its ndim-th power, wherever it is uniform.
    shares = moves.norm(dim=2) ** ndim
    assert shares.max() <= 1 + 1e-5
    counts = torch.histc(shares[:, :2], bins=10, min=0, max=1)
    assert (counts - 4000).abs().max() < 5 * math.sqrt(4000)


# The loss, on a plane and by hand.


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
    objective = PhaseObjective(settings, counts)
    batch = objective.draw(CloudSampler(points, normals, counts), generator())
    plane = Plane(ndim, epsilon if unknown == "density" else None)
    loss = objective(plane, batch)
    area = (2 * box) ** (ndim - 1)
    energy = 2 * 0.1 * (1 - math.exp(-2 * box / 0.1)) * area
    assert float(loss.parts["energy"]) == pytest.approx(energy, rel=0.02)
    assert float(loss.total) == pytest.approx(float(loss.parts["energy"]), abs=1e-5)
    assert set(loss.parts) == {"reconstruction", "energy", "normals" if oriented else "eikonal"}
    mean = PhaseObjective(replace(settings, form="mean"), counts)(plane, batch)
    ratio = float(loss.parts["energy"] / mean.parts["energy"])
    assert ratio == pytest.approx((2 * box) ** ndim, rel=1e-5)
    if oriented:
        turned = replace(batch, normals=-batch.normals)
        for norm in ("l1", "l2"):
            objective = PhaseObjective(replace(settings, norm=norm), counts)
            assert float(objective(plane, turned).parts["normals"]) == pytest.approx(2, rel=1e-5)
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
    objective = PhaseObjective(settings, SampleCounts(5, 7, 1.0))
    total = objective(network, batch).total.item()
    assert total == pytest.approx(0.3 * reconstruction + energy + 2 * facing, rel=1e-6)
    total = objective(network, replace(batch, normals=None)).total.item()
    assert total == pytest.approx(0.3 * reconstruction + energy + 0.7 * eikonal, rel=1e-6)


def test_transition_is_as_wide_as_data_are_far() -> None:
    objective = PhaseObjective(PhaseSettings(epsilon=1e-4, widest=0.3), TINY.counts)
    for off, width in ((0.0, 0.01), (0.1, 0.1), (2.0, 0.3)):
        values = off * torch.linspace(-1, 1, 401)
        assert math.sqrt(objective.epsilon_for(values)) == pytest.approx(width, rel=0.02)
    # A few that are far may be noise, more are a part of the surface.
    for share, width in ((0.005, 0.01), (0.02, 0.3)):
        values = torch.where(torch.arange(1000) < share * 1000, -5.0, 0.0)
        assert math.sqrt(objective.epsilon_for(values)) == pytest.approx(width)
    constant = PhaseObjective(PhaseSettings(epsilon=1e-4, widest=0.0), TINY.counts)
    assert constant.epsilon_for(torch.ones(3)) == 1e-4


# The method.


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("method", [PHASE, PHASE_FF], ids=["phase", "phase-ff"])
def test_every_preset_starts_as_a_sphere(ndim, method) -> None:
    for name in method.presets:
        settings = method._presets[name].network
        assert settings.frequencies == (6 if method is PHASE_FF else 0)
        network = ImplicitNetwork(ndim, settings, generator())
        rays = torch.nn.functional.normalize(torch.randn(200, ndim, generator=generator(1)), dim=1)
        along = torch.linspace(0.1, 2.0, 20)
        with torch.no_grad():
            values = network((along[:, None, None] * rays).flatten(0, 1)).reshape(20, -1)
        # The widths are finite, so that it is about a sphere, and about a distance.
        assert (values.diff(dim=0) > 0).all()
        assert (values[along < 0.6] < 0).all()
        assert (values[along > 1.95] > 0).all()
        steepness = (values[-1] - values[0]) / 1.9
        assert float(steepness.mean()) == pytest.approx(1, abs=0.5)
        first = network.weights[0].detach()
        assert (first[:, :ndim] != 0).all()
        assert (first[:, ndim:] == 0).all()


def trained_on_circle(*, normals: bool) -> tuple[PhaseObjective, ImplicitNetwork]:
    settings = replace(TINY.phase, epsilon=2.5e-3, eikonal=1.0)
    cloud = round_cloud(2, normals=normals, radius=0.7)
    objective = PhaseObjective(settings, TINY.counts)
    sampler = CloudSampler(cloud.points - CENTER[:2], cloud.normals, TINY.counts)
    network = ImplicitNetwork(2, TINY.network, generator())
    schedule = replace(TINY.schedule, steps=400, halve_every=50)
    train(network, lambda g: objective.draw(sampler, g), objective, schedule, generator())
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
    found = {}
    for normals in (True, False):
        objective, network = trained_on_circle(normals=normals)
        with torch.no_grad():
            found[normals] = objective.distance(network, points).reshape(len(r), -1).double()
        on_circle = found[normals][len(r) // 2]
        assert on_circle.abs().max() < 0.01
        assert float((found[normals] - w[:, None]).abs().max()) < 0.03
        slope = network.value_and_gradient(points)[1].detach().norm(dim=1)
        assert float((slope - 1).abs().mean()) < 0.05
    assert float((found[True] - found[False]).abs().max()) < 0.03


@pytest.mark.parametrize("normals", [True, False])
def test_sphere_from_points(normals) -> None:
    cloud = round_cloud(3, normals=normals)
    found = PHASE.reconstruct(cloud, tiny())
    radii = np.linalg.norm(found.surface.vertices - CENTER, axis=1)
    assert 3.7 < radii.min() < radii.max() < 4.3
    state = diagnose(found.surface)
    assert state.watertight
    assert state.components == 1
    assert state.volume == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.05)
    assert found.notes == ()
    assert found.steps == 160
    # 3 inputs; hidden layers of 45 (3 fewer: the input joins) and 48; 1 output.
    assert found.parameters == 45 * 4 + 48 * 49 + 49


@pytest.mark.parametrize(
    ("method", "preset"), [(PHASE, "tiny"), (PHASE_FF, "tiny"), (PHASE, "density")]
)
def test_circle_from_points(method, preset) -> None:
    found = method.reconstruct(round_cloud(2, normals=True), tiny(preset=preset))
    (line,) = found.surface.lines
    np.testing.assert_array_equal(line[0], line[-1])
    radii = np.linalg.norm(line - CENTER[:2], axis=1)
    assert 3.7 < radii.min() < radii.max() < 4.3


def test_torus_has_its_hole() -> None:
    mesh = shapes.torus(major=1.0, minor=0.45, major_segments=40, minor_segments=20)
    inner = np.array([1.0, 1.0, 0.0]) * mesh.vertices
    inner /= np.linalg.norm(inner, axis=1, keepdims=True)
    found = PHASE.reconstruct(PointCloud(mesh.vertices, mesh.vertices - inner), tiny()).surface
    assert diagnose(found).watertight
    assert len(found.vertices) - len(found.faces) // 2 == 0


def test_same_seed_same_surface_and_resumed_ones_too(tmp_path) -> None:
    cloud, path = round_cloud(2, normals=True), tmp_path / "run.npz"
    options = {"budget": Budget(steps=20)}
    one, two, other = (
        PHASE.reconstruct(cloud, tiny(seed=seed, **options)).surface.lines[0] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one[:1], other[:1])

    def stop(share: float, words: str) -> None:
        raise KeyboardInterrupt

    PHASE.reconstruct(cloud, tiny(seed=3, checkpoint=path, **options))
    again = PHASE.reconstruct(cloud, tiny(seed=3, checkpoint=path, **options))
    np.testing.assert_array_equal(again.surface.lines[0], one)
    with pytest.raises(MethodError, match="preset"):
        PHASE.reconstruct(cloud, tiny(seed=3, preset="density", checkpoint=path, **options))


def test_are_found_by_their_names() -> None:
    assert find_method("phase") is PHASE
    assert find_method("phase-ff") is PHASE_FF
    for method in (PHASE, PHASE_FF):
        assert next(iter(method.presets)) == Options().preset
        assert method.dimensions == (2, 3)
        cloud = round_cloud(2, normals=True)
        assert kind_of(cloud) in method.takes
        assert kind_of(PointCloud(cloud.points)) in method.takes


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


def test_impossible_requests_are_refused() -> None:
    cloud = round_cloud(2, normals=True)
    with pytest.raises(GeomMinerError, match=r"preset of PHASE .* must be one of compact, paper"):
        PHASE.reconstruct(cloud, tiny(preset="huge"))
    with pytest.raises(MethodError, match=r"PHASE .* needs points"):
        PHASE.reconstruct(shapes.box(), tiny())


@pytest.mark.gpu
def test_sphere_on_a_gpu(tmp_path) -> None:
    options = tiny(device="cuda", checkpoint=tmp_path / "run.npz")
    found = PHASE.reconstruct(round_cloud(3, normals=True), options)
    radii = np.linalg.norm(found.surface.vertices - CENTER, axis=1)
    assert 3.7 < radii.min() < radii.max() < 4.3
