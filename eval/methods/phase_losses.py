"""The terms of PHASE's functional, and the transform between its density and a distance.

F(u) = λ L(u) + ∫_Ω (ε |∇u|² + W(u)) + μ N(u), for a density u that is 0 on the surface and tends
to 1 outside and -1 inside (Lipman, Phase Transitions, Distance Functions, and Implicit Neural
Representations, ICML 2021). A stationary u satisfies ε Δu = u - sign u away from the data, so
w = -√ε log(1 - |u|) sign u solves the eikonal equation with vanishing viscosity,
|∇w|² - sign(w) √ε Δw = 1. √ε is the width of the transition; as it tends to 0, w tends to the
signed distance.

Everything here is a function of values and gradients alone, whether they come from a network or
from a closed form. Lengths have the unit of the coordinates, and ε has its square.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["l1", "l2"]

SMALLEST_GAP = 1e-6
"""Lower limit of 1 - |u| in a distance, which is therefore at most 13.8 √ε."""
SMALLEST_GRADIENT_GAP = 1e-3
"""Lower limit of 1 - |u| in a distance's gradient; it prevents a division by 0 for |u| >= 1."""


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
    """Energy of Ω, ε |∇u|² + W(u), from samples: 2 √ε per unit area of a flat surface.

    Parameters
    ----------
    density, gradient : u (n,) and ∇u (n, d) at the samples.
    weights : (n,) uniform density divided by the density from which each sample was drawn; None
        for uniform samples.
    volume : volume of Ω, for the integral over it; 1 gives the mean.
    """
    energy = double_well(density) + epsilon * gradient.square().sum(dim=1)
    return volume * (energy if weights is None else weights * energy).mean()


def reconstruction(ball_densities: Tensor) -> Tensor:
    """L(u): mean over the points of |mean of u over a small ball about the point|.

    The absolute value is taken of the mean. So a surface that passes through the ball, with both
    sides in balance, costs nothing, and a surface that only touches the ball does.

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
    norm : l2 is the Euclidean norm of the difference, l1 the sum of its absolute coordinates.
    """
    difference: Tensor = torch.linalg.vector_norm(normals - slope, ord=int(norm[1:]), dim=1)
    return difference.mean()


def eikonal_error(slope: Tensor) -> Tensor:
    """N(u) without normals: mean (1 - |∇w|)²; the norm is Euclidean.

    Parameters
    ----------
    slope : ∇w (n, d) at the points.
    """
    steepness: Tensor = torch.linalg.vector_norm(slope, dim=1)
    return (1 - steepness).square().mean()


def distance_gradient(density: Tensor, gradient: Tensor, *, epsilon: float) -> Tensor:
    """∇w (n, d) = √ε ∇u / (1 - |u|) from u (n,) and ∇u (n, d), with 1 - |u| at least 1e-3."""
    phase_gap = (1 - density.abs()).clamp(min=SMALLEST_GRADIENT_GAP)
    slope: Tensor = math.sqrt(epsilon) * gradient / phase_gap[:, None]
    return slope


def distance(density: Tensor, *, epsilon: float) -> Tensor:
    """w = -√ε log(1 - |u|) sign u, of any shape, with |u| at most 1 - 1e-6.

    For evaluation only: the gradient of a loss on it grows without bound near the phases.
    """
    phase_gap = (1 - density.abs()).clamp(min=SMALLEST_GAP)
    return density.sign() * phase_gap.log().mul(-math.sqrt(epsilon))


def density(distance: Tensor, *, epsilon: float) -> Tensor:
    """u = sign(w) (1 - exp(-|w| / √ε)) from w, of any shape: the inverse of ``distance``.

    It is smooth where ``distance`` is not, and |u| < 1 for every w, so losses may go through it.
    """
    side = _side(distance)
    return -side * torch.expm1(-side * distance / math.sqrt(epsilon))


def density_gradient(distance: Tensor, slope: Tensor, *, epsilon: float) -> Tensor:
    """∇u (n, d) = exp(-|w| / √ε) ∇w / √ε from w (n,) and ∇w (n, d)."""
    width = math.sqrt(epsilon)
    return (torch.exp(-_side(distance) * distance / width) / width)[:, None] * slope


def _side(distance: Tensor) -> Tensor:
    # With abs and sign, the derivative at w = 0 would not be 1 / √ε, its limit from both sides.
    return torch.copysign(torch.ones_like(distance), distance.detach())
