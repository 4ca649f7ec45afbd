"""The functional of PHASE, term by term, and the transform between its density and a distance.

F(u) = λ L(u) + ∫_Ω (ε |∇u|² + W(u)) + μ N(u), for a density u that is 0 on the surface and tends
to 1 outside and -1 inside (Lipman, Phase Transitions, Distance Functions, and Implicit Neural
Representations, ICML 2021). What is stationary satisfies ε Δu = u - sign u off the data, so that
w = -√ε log(1 - |u|) sign u solves the eikonal equation with vanishing viscosity,
|∇w|² - sign(w) √ε Δw = 1: √ε is the width of the transition, and w tends to the signed distance
as it does to 0.

Everything here is a function of values and gradients alone; where they come from, a network or a
closed form, it doesn't know. Units are those of the coordinates; ε has their square.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["l1", "l2"]

NEAREST_TO_PURE = 1e-6
"""1 - |u| is not taken to be less for a distance, which is thereby at most 13.8 √ε."""
STEEPEST = 1e-3
"""1 - |u| is not taken to be less for a distance's gradient, lest a value beyond 1 divide by 0."""


def double_well(density: Tensor) -> Tensor:
    """W(u) = (1 - |u|)²: 0 at both phases, and 1 with a kink between them."""
    return (1 - density.abs()).square()


def transition_energy(
    density: Tensor,
    gradient: Tensor,
    *,
    epsilon: float,
    weights: Tensor | None = None,
    volume: float = 1.0,
) -> Tensor:
    """Energy of Ω, ε |∇u|² + W(u), from samples of it: 2 √ε for each unit of a flat surface.

    Parameters
    ----------
    density, gradient : u (n,) and ∇u (n, d) at the samples.
    weights : (n,), of uniform density to that from which each sample was drawn; None where the
        samples are uniform.
    volume : of Ω, for the integral over it; 1 gives the mean.
    """
    energy = double_well(density) + epsilon * gradient.square().sum(dim=1)
    return volume * (energy if weights is None else weights * energy).mean()


def reconstruction(ball_densities: Tensor) -> Tensor:
    """L(u): mean over the points of |mean of u over a small ball about the point|.

    The absolute value is that of the mean: a surface costs nothing that passes through the ball
    so that both sides balance, and one that only touches it does.

    Parameters
    ----------
    ball_densities : u (n, b) at b samples in each of n balls.
    """
    return ball_densities.mean(dim=1).abs().mean()


def normal_error(slope: Tensor, normals: Tensor, norm: Norm = "l2") -> Tensor:
    """N(u) with normals: mean |n - ∇w|, not squared.

    Parameters
    ----------
    slope : ∇w (n, d) at the points.
    normals : (n, d), unit length, outward.
    norm : of the difference, Euclidean or the sum of absolute coordinates.
    """
    off: Tensor = torch.linalg.vector_norm(normals - slope, ord=int(norm[1:]), dim=1)
    return off.mean()


def eikonal_error(slope: Tensor) -> Tensor:
    """N(u) without normals: mean (1 - |∇w|)²; the norm is Euclidean.

    Parameters
    ----------
    slope : ∇w (n, d) at the points.
    """
    steepness: Tensor = torch.linalg.vector_norm(slope, dim=1)
    return (1 - steepness).square().mean()


def distance_gradient(density: Tensor, gradient: Tensor, *, epsilon: float) -> Tensor:
    """∇w (n, d) = √ε ∇u / (1 - |u|) from u (n,) and ∇u (n, d), 1 - |u| being at least 1e-3."""
    to_pure = (1 - density.abs()).clamp(min=STEEPEST)
    slope: Tensor = math.sqrt(epsilon) * gradient / to_pure[:, None]
    return slope


def distance(density: Tensor, *, epsilon: float) -> Tensor:
    """w = -√ε log(1 - |u|) sign u, of any shape, |u| being at most 1 - 1e-6.

    To be looked at: a loss on it has a gradient that grows without bound near the phases.
    """
    to_pure = (1 - density.abs()).clamp(min=NEAREST_TO_PURE)
    return density.sign() * to_pure.log().mul(-math.sqrt(epsilon))


def density(distance: Tensor, *, epsilon: float) -> Tensor:
    """u = sign(w) (1 - exp(-|w| / √ε)) from w, of any shape: the transform turned round.

    It is smooth where the other way is not, and |u| < 1 whatever w: losses may go through it.
    """
    side = _side(distance)
    return -side * torch.expm1(-side * distance / math.sqrt(epsilon))


def density_gradient(distance: Tensor, slope: Tensor, *, epsilon: float) -> Tensor:
    """∇u (n, d) = exp(-|w| / √ε) ∇w / √ε from w (n,) and ∇w (n, d)."""
    width = math.sqrt(epsilon)
    return (torch.exp(-_side(distance) * distance / width) / width)[:, None] * slope


def _side(distance: Tensor) -> Tensor:
    # Not abs and sign, so that w = 0 has the derivative 1 / √ε of both its sides.
    return torch.copysign(torch.ones_like(distance), distance.detach())
