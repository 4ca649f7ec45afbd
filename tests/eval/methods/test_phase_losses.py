"""PHASE's functional against closed forms: a plane, circles, spheres, and quadrature by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import iv, kv
from torch import Tensor

from eval.methods import phase_losses as losses

RADIUS = 0.7


# A plane: u = sign(x) (1 - exp(-|x| / √ε)).


@dataclass(frozen=True)
class Interval:
    """Equally spaced nodes on [-1, 1], 0 among them, and the functional of values there.

    Values are taken between the nodes, where the kink of W at the surface is never met.
    """

    epsilon: float
    nodes: int = 2001

    @property
    def step(self) -> float:
        return 2 / (self.nodes - 1)

    @property
    def x(self) -> Tensor:
        return torch.linspace(-1, 1, self.nodes, dtype=torch.float64)

    def profile(self) -> Tensor:
        return losses.density(self.x, epsilon=self.epsilon)

    def energy(self, u: Tensor) -> Tensor:
        between, slope = (u[1:] + u[:-1]) / 2, u.diff()[:, None] / self.step
        return losses.transition_energy(between, slope, epsilon=self.epsilon, volume=2.0)


@pytest.mark.parametrize("epsilon", [0.01, 0.0025])
def test_energy_of_the_plane(epsilon) -> None:
    # Both parts of the energy are exp(-2 |x| / √ε), hence 2 √ε (1 - exp(-2 / √ε)) in all.
    width = math.sqrt(epsilon)
    exact = 2 * width * (1 - math.exp(-2 / width))
    line = Interval(epsilon)
    computed = float(line.energy(line.profile()))
    assert computed == pytest.approx(exact, rel=(line.step / width) ** 2)


@pytest.mark.parametrize("epsilon", [0.01, 0.0025])
def test_plane_is_stationary(epsilon) -> None:
    coarse, fine = (max_residual(Interval(epsilon, nodes)) for nodes in (2001, 4001))
    assert coarse < 0.5 * (Interval(epsilon).step ** 2 / epsilon)
    assert fine < 0.26 * coarse  # of second order in the step


def max_residual(line: Interval) -> float:
    """Largest derivative of the energy per length by a value between the ends; W's scale is 1."""
    u = line.profile().requires_grad_()
    (derivative,) = torch.autograd.grad(line.energy(u), u)
    return float(derivative[1:-1].abs().max()) / line.step


@settings(max_examples=30)
@given(
    coefficients=st.lists(st.floats(-2, 2), min_size=1, max_size=8),
    epsilon=st.sampled_from([0.01, 0.04]),
)
def test_nothing_between_the_same_ends_costs_less_than_the_plane(coefficients, epsilon) -> None:
    # For any u: ε u'² + W >= 2 √ε |u'| (1 - |u|), whose integral the ends determine.
    line = Interval(epsilon, nodes=1001)
    waves = [math.pi * (k + 1) * (line.x + 1) / 2 for k in range(len(coefficients))]
    change = sum(c * torch.sin(wave) for c, wave in zip(coefficients, waves, strict=True))
    least, other = (float(line.energy(line.profile() + c)) for c in (0.0, change))
    assert other >= least * (1 - line.step**2 / epsilon)


@settings(max_examples=30)
@given(scale=st.floats(1e-3, 0.2), waves=st.integers(1, 6))
def test_change_that_keeps_the_surface_costs_its_own_energy(scale, waves) -> None:
    # Where signs stay, the energy is quadratic, and its first variation at the plane is none.
    line = Interval(0.01)
    change = scale * line.profile() * torch.sin(math.pi * waves * line.x) ** 2
    between, slope = (change[1:] + change[:-1]) / 2, change.diff() / line.step
    own_energy = float((line.epsilon * slope**2 + between**2).mean()) * 2
    extra = float(line.energy(line.profile() + change) - line.energy(line.profile()))
    assert extra == pytest.approx(own_energy, rel=1e-3, abs=1e-6)


def test_transform_of_the_plane_is_the_distance() -> None:
    epsilon = 0.01
    x = torch.linspace(-1, 1, 401, dtype=torch.float64)[:, None]
    u = torch.sign(x[:, 0]) * (1 - torch.exp(-x[:, 0].abs() / 0.1))
    slope = torch.exp(-x.abs() / 0.1) / 0.1
    torch.testing.assert_close(losses.distance(u, epsilon=epsilon), x[:, 0], rtol=0, atol=1e-10)
    near = x[:, 0].abs() < -0.1 * math.log(losses.SMALLEST_GRADIENT_GAP)
    computed = losses.distance_gradient(u[near], slope[near], epsilon=epsilon)
    torch.testing.assert_close(computed, torch.ones_like(computed), rtol=1e-12, atol=0)
    assert not near.all()  # farther away the gradient is bounded instead
    computed = losses.distance_gradient(u[~near], slope[~near], epsilon=epsilon)
    assert ((computed >= 0) & (computed <= 1)).all()


# A circle and a sphere: ε (u'' + (d - 1) / r u') = u - sign u, and u(RADIUS) = 0.


@dataclass(frozen=True)
class Radial:
    """u and u' by r, inside and outside, from modified Bessel functions of order d/2 - 1.

    r^(1 - d/2) times them solves ε (v'' + (d - 1) / r v') = v; in three dimensions they are
    sinh(r / √ε) / r and exp(-r / √ε) / r.
    """

    ndim: int
    epsilon: float

    def at(self, r: np.ndarray) -> tuple[Tensor, Tensor]:
        order, width = self.ndim / 2 - 1, math.sqrt(self.epsilon)
        # (z^-m I_m)' = z^-m I_(m+1), and (z^-m K_m)' = -z^-m K_(m+1).
        shrink = (r / RADIUS) ** -order
        inner, inner_slope = (
            shrink * iv(order + k, r / width) / iv(order, RADIUS / width) for k in (0, 1)
        )
        outer, outer_slope = (
            shrink * kv(order + k, r / width) / kv(order, RADIUS / width) for k in (0, 1)
        )
        inside = r < RADIUS
        u = np.where(inside, inner - 1, 1 - outer)
        slope = np.where(inside, inner_slope, outer_slope) / width
        return torch.from_numpy(u), torch.from_numpy(slope)

    def distance(self, r: np.ndarray) -> tuple[Tensor, Tensor]:
        """w and its derivative by r."""
        u, slope = self.at(r)
        w = losses.distance(u, epsilon=self.epsilon)
        return w, losses.distance_gradient(u, slope[:, None], epsilon=self.epsilon)[:, 0]


radial = pytest.mark.parametrize("ndim", [2, 3])


def test_radial_solutions_of_three_dimensions_are_elementary() -> None:
    r, width = np.linspace(0.05, 1.5, 50), 0.1
    inner = RADIUS / r * np.sinh(r / width) / np.sinh(RADIUS / width) - 1
    outer = 1 - RADIUS / r * np.exp((RADIUS - r) / width)
    exact = torch.from_numpy(np.where(r < RADIUS, inner, outer))
    torch.testing.assert_close(Radial(3, 0.01).at(r)[0], exact, rtol=0, atol=1e-12)


@radial
@pytest.mark.parametrize("epsilon", [0.01, 0.0025])
def test_radial_solution_is_stationary(ndim, epsilon) -> None:
    # The energy of a shell is weighted by its area; the zero at RADIUS is held by the data.
    edges = np.linspace(0.2, 1.2, 5001)
    middle, step = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    weights = torch.from_numpy(middle ** (ndim - 1))
    u = Radial(ndim, epsilon).at(edges)[0].requires_grad_()
    between, slope = (u[1:] + u[:-1]) / 2, u.diff()[:, None] / step
    energy = losses.transition_energy(between, slope, epsilon=epsilon, weights=weights, volume=1.0)
    (derivative,) = torch.autograd.grad(energy, u)
    residual = derivative * len(middle) / torch.from_numpy(edges ** (ndim - 1))
    held = np.abs(edges - RADIUS) < step / 2
    assert held.sum() == 1
    free = ~held
    free[[0, -1]] = False
    assert float(residual[free].abs().max()) < step**2 / epsilon


@radial
@pytest.mark.parametrize("epsilon", [0.01, 0.0025])
def test_distance_of_radial_solutions_solves_the_viscous_eikonal_equation(ndim, epsilon) -> None:
    width, h = math.sqrt(epsilon), 1e-4
    offsets = np.linspace(-6 * width, 6 * width, 101)
    r = RADIUS + offsets[np.abs(offsets) > 2 * h]
    solution = Radial(ndim, epsilon)
    slope = solution.distance(r)[1]
    second = (solution.distance(r + h)[1] - solution.distance(r - h)[1]) / (2 * h)
    laplacian = second + (ndim - 1) / torch.from_numpy(r) * slope
    side = torch.from_numpy(np.sign(r - RADIUS))
    residual = slope**2 - side * width * laplacian - 1
    assert float(residual.abs().max()) < 1e-5


@radial
def test_distance_of_radial_solutions_tends_to_the_signed_distance(ndim) -> None:
    # The difference is (d - 1) / 2 √ε log(r / RADIUS), in two dimensions up to higher orders.
    for epsilon in (1e-2, 1e-3, 4e-4):
        width, solution = math.sqrt(epsilon), Radial(ndim, epsilon)
        r = np.linspace(RADIUS - 0.2, RADIUS + 0.2, 81)
        bend = (ndim - 1) / 2 * width
        off = (solution.distance(r)[0] - torch.from_numpy(r - RADIUS)).abs().max()
        largest = bend * math.log(RADIUS / r[0])
        assert 0.9 * largest < float(off) < 1.2 * largest
        near = RADIUS + np.linspace(-3 * width, 3 * width, 60)
        off = (solution.distance(near)[1] - 1).abs().max()
        largest = bend / near[0]
        assert 0.8 * largest < float(off) < 1.2 * largest


# The terms, one by one.


def test_double_well() -> None:
    u = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])
    expected = u**2 - 2 * u.abs() + 1
    torch.testing.assert_close(losses.double_well(u), expected, rtol=0, atol=0)


def test_energy_of_drawn_samples_is_the_quadrature() -> None:
    epsilon, count, rng = 0.05, 100_000, np.random.default_rng(0)

    def field(x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
        """u = (1 + x) / 2 cos 2y and its gradient, all points in a row."""
        u, slope_x, slope_y = (
            torch.from_numpy(part.ravel())
            for part in ((1 + x) / 2 * np.cos(2 * y), np.cos(2 * y) / 2, -(1 + x) * np.sin(2 * y))
        )
        return u, torch.stack([slope_x, slope_y], dim=1)

    middle = (np.arange(400) + 0.5) / 200 - 1
    u, slope = field(*np.meshgrid(middle, middle))
    energies = [
        epsilon * (a * a + b * b) + (1 - abs(c)) ** 2
        for (a, b), c in zip(slope.tolist(), u.tolist(), strict=True)
    ]
    exact = sum(energies) / len(energies)
    even = losses.transition_energy(u, slope, epsilon=epsilon)
    assert float(even) == pytest.approx(exact, rel=1e-12)
    # Drawn on [-1, 1]² with a density that grows as 2 + x.
    x, y = np.sqrt(1 + 8 * rng.random(count)) - 2, rng.uniform(-1, 1, count)
    computed = losses.transition_energy(
        *field(x, y), epsilon=epsilon, weights=torch.from_numpy(2 / (2 + x)), volume=4.0
    )
    # The weighted energies spread by less than 1; without weights their mean is far off.
    error = 1 / math.sqrt(count)
    assert float(computed) == pytest.approx(4 * exact, abs=4 * 3 * error)
    unweighted = losses.transition_energy(*field(x, y), epsilon=epsilon, volume=4.0)
    assert float(unweighted) != pytest.approx(4 * exact, abs=4 * 3 * error)


def test_reconstruction_is_of_the_mean_over_a_ball() -> None:
    balls = torch.tensor([[0.5, -0.5], [0.2, 0.4], [-1.0, 0.0]])
    assert float(losses.reconstruction(balls)) == pytest.approx((0 + 0.3 + 0.5) / 3)
    # A surface that only touches the point from outside costs, one that passes does not.
    assert float(losses.reconstruction(balls[:1].abs())) == 0.5


@settings(max_examples=30)
@given(seed=st.integers(0, 100))
def test_normal_error_by_hand(seed) -> None:
    rng = np.random.default_rng(seed)
    slope, normals = rng.normal(size=(2, 7, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    pair = torch.from_numpy(slope), torch.from_numpy(normals)
    by_hand = np.mean([math.sqrt(sum((n - s) ** 2)) for n, s in zip(normals, slope, strict=True)])
    assert float(losses.normal_error(*pair)) == pytest.approx(by_hand)
    by_hand = np.mean([sum(abs(n - s)) for n, s in zip(normals, slope, strict=True)])
    assert float(losses.normal_error(*pair, "l1")) == pytest.approx(by_hand)
    by_hand = np.mean([(1 - math.sqrt(sum(s**2))) ** 2 for s in slope])
    assert float(losses.eikonal_error(pair[0])) == pytest.approx(by_hand)


# Some public code uses √ε u instead of ∇w, which is zero on any surface.


def test_normal_term_is_of_the_gradient() -> None:
    epsilon = 0.04
    normals = torch.nn.functional.normalize(torch.tensor([[1.0, 2.0, 2.0], [0.0, 3.0, -4.0]]))
    on_surface = torch.zeros(2, requires_grad=True)
    right = (normals / math.sqrt(epsilon)).requires_grad_()
    slope = losses.distance_gradient(on_surface, right, epsilon=epsilon)
    for error in (losses.normal_error(slope, normals), losses.eikonal_error(slope)):
        assert float(error.detach()) == pytest.approx(0, abs=1e-6)
    flat = losses.distance_gradient(on_surface, 0.5 * right, epsilon=epsilon)
    for error, expected in (
        (losses.normal_error(flat, normals), 0.5),
        (losses.eikonal_error(flat), 0.25),
    ):
        assert float(error.detach()) == pytest.approx(expected)
        by_value, by_gradient = torch.autograd.grad(error, (on_surface, right), retain_graph=True)
        # No pull on the values of the data, and one along the normals.
        assert by_value.abs().max() == 0
        assert ((by_gradient * normals).sum(dim=1) < 0).all()


def test_gradient_near_the_phases_is_bounded() -> None:
    u = torch.tensor([0.0, 0.999, 1.0, -1.7], requires_grad=True)
    slope = losses.distance_gradient(u, torch.ones(4, 2), epsilon=1.0)
    torch.testing.assert_close(
        slope[:, 0].detach(), torch.tensor([1.0, 1e3, 1e3, 1e3]), rtol=1e-4, atol=0
    )
    losses.eikonal_error(slope).backward()
    assert torch.isfinite(u.grad).all()
    w = losses.distance(u.detach(), epsilon=0.01)
    assert torch.isfinite(w).all()
    assert float(w.abs().max()) == pytest.approx(-0.1 * math.log(1e-6), rel=0.02)


@settings(max_examples=30)
@given(
    w=st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=20), epsilon=st.sampled_from([0.01, 0.1])
)
def test_transforms_are_inverse(w, epsilon) -> None:
    given_w = torch.tensor(w, dtype=torch.float64)
    slope = torch.arange(2.0 * len(w), dtype=torch.float64).reshape(-1, 2)
    u = losses.density(given_w, epsilon=epsilon)
    torch.testing.assert_close(losses.distance(u, epsilon=epsilon), given_w, rtol=0, atol=1e-12)
    back = losses.distance_gradient(
        u, losses.density_gradient(given_w, slope, epsilon=epsilon), epsilon=epsilon
    )
    near = u.abs() < 1 - losses.SMALLEST_GRADIENT_GAP
    torch.testing.assert_close(back[near], slope[near], rtol=1e-10, atol=1e-12)


def test_density_has_its_derivative_on_the_surface() -> None:
    w = torch.tensor([0.0, -0.0, 0.03, -0.03], dtype=torch.float64, requires_grad=True)
    (derivative,) = torch.autograd.grad(losses.density(w, epsilon=0.01).sum(), w)
    expected = torch.exp(-w.detach().abs() / 0.1) / 0.1
    torch.testing.assert_close(derivative, expected, rtol=1e-12, atol=0)
    gradient = losses.density_gradient(w, torch.ones(4, 1, dtype=torch.float64), epsilon=0.01)
    torch.testing.assert_close(gradient[:, 0], expected, rtol=1e-12, atol=0)
