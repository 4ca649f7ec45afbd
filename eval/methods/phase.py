"""PHASE: a density with two phases whose transition is the surface (Lipman, ICML 2021).

``phase_losses`` has the terms of the functional and ``phase_sampling`` the points at which they
are evaluated; here are the functional, its settings and the method. The preset ``paper`` follows
the paper. The preset ``compact`` differs in four settings: what the network represents, how ε
decreases, where Ω is sampled, and that the balls around the data have radius 0. ``PhaseSettings``
explains each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from eval.errors import MethodError
from eval.methods import phase_losses as losses
from eval.methods.implicit.method import ImplicitMethod
from eval.methods.implicit.networks import ImplicitNetwork
from eval.methods.implicit.presets import (
    COMPACT_NETWORK,
    COMPACT_SCHEDULE,
    PAPER_NETWORK,
    PAPER_SCHEDULE,
    ImplicitPreset,
)
from eval.methods.implicit.sampling import CloudTensors, SampleCounts
from eval.methods.implicit.training import Loss, Sampler
from eval.methods.phase_sampling import DomainSampler, PhaseBatch, draw_in_ball

# k of the Fourier features.
_FREQUENCIES = 6
# Share of the data that the transition reaches; the remaining points may be noise.
_REACHED_SHARE = 0.99


@dataclass(frozen=True)
class PhaseSettings:
    """Weights and numbers of F(u); lengths are in units of the normalized cloud's radius.

    Parameters
    ----------
    epsilon : final ε; its root is the width of the transition.
    widest : upper limit of √ε. While the data are far from the surface, √ε is the 99 % quantile
        of |w| on the data, up to this limit: the density's derivative decays as exp(-|w| / √ε), so
        only a wide transition moves toward distant data. A limit of √epsilon or less keeps ε
        constant.
    reconstruction : λ / √ε, which stays the same while ε decreases. In the mean form it must be
        more than 2 |S| / |Ω|, about 2, so that a surface of area |S| costs less than no surface.
    normals : μ for clouds with normals.
    eikonal : μ for clouds without normals.
    norm : norm of n - ∇w.
    form : whether the energy of Ω is its mean or its integral, which changes the balance of terms.
    unknown : what the network represents: the density u, or the distance w, from which u follows.
        The functional is the same, but with w, |u| < 1 holds and ∇w is defined everywhere without
        special care, and a network that is no steeper than a distance needs fewer steps.
    ball : radius of the balls of the reconstruction term, in √ε. Balls of radius 0 are their
        centers, where the network is evaluated in any case. Then a surface that only touches the
        data from both sides costs as little in L as a surface that passes through it, but not in
        N: where it touches, w has an extremum and ∇w is 0.
    pairs : opposite samples in a ball; one pair gives the ball's mean if the surface is flat.
    near : share of the samples of Ω that are drawn near the data; weights correct for it.
    reach : distance over which the density of the samples near the data decreases by a factor e.

    Raises
    ------
    MethodError
        A number is out of range, or ε would depend on a distance although the network represents
        the density.
    """

    epsilon: float = 1e-3
    widest: float = 0.3
    reconstruction: float = 15.0
    normals: float = 5.0
    eikonal: float = 1.0
    norm: losses.Norm = "l2"
    form: Literal["mean", "integral"] = "mean"
    unknown: Literal["distance", "density"] = "distance"
    ball: float = 0.0
    pairs: int = 1
    near: float = 0.8
    reach: float = 0.05

    def __post_init__(self) -> None:
        for name in ("epsilon", "reach"):
            if not 0 < (value := getattr(self, name)) < math.inf:
                raise MethodError(f"{name} must be positive and finite, got {value}")
        if not 0 <= self.ball < math.inf:
            raise MethodError(f"ball must be at least 0 and finite, got {self.ball}")
        if not 0 <= self.near < 1:
            raise MethodError(f"near must be at least 0 and less than 1, got {self.near}")
        if self.pairs < 1:
            raise MethodError(f"pairs must be at least 1, got {self.pairs}")
        if self.unknown == "density" and self.widest > self.width:
            raise MethodError(
                "widest must be at most the root of epsilon if the network represents the "
                f"density, got {self.widest}"
            )

    @property
    def width(self) -> float:
        """Final √ε."""
        return math.sqrt(self.epsilon)

    def objective(self, counts: SampleCounts) -> PhaseObjective:
        """The functional over Ω, whose size the counts give."""
        return PhaseObjective(self, counts.box)

    def sampler(self, cloud: CloudTensors, counts: SampleCounts) -> Sampler[PhaseBatch]:
        """Draws points of the cloud, offsets in balls around them, and samples of Ω."""
        domain = DomainSampler(cloud.points, box=counts.box, near=self.near, reach=self.reach)

        def draw(generator: torch.Generator) -> PhaseBatch:
            indices = cloud.choose(generator, counts.surface)
            samples, weights = domain.draw(generator, counts.anywhere)
            return PhaseBatch(
                cloud.points[indices],
                cloud.normals_of(indices),
                moves=draw_in_ball(generator, counts.surface, self.pairs, cloud.ndim),
                domain=samples,
                weights=weights,
            )

        return draw


class PhaseObjective:
    """F(u) of a network over batches of one cloud.

    Parameters
    ----------
    settings : weights and numbers.
    box : half the side of Ω.
    """

    def __init__(self, settings: PhaseSettings, box: float) -> None:
        self.settings, self.box = settings, box

    def __call__(self, network: ImplicitNetwork, batch: PhaseBatch) -> Loss:
        """The loss of a batch."""
        settings, count = self.settings, len(batch.surface)
        values, gradients = network.value_and_gradient(torch.cat([batch.surface, batch.domain]))
        epsilon = self.epsilon_for(values[:count])
        density, gradient, slope = self.fields(values, gradients, epsilon)
        in_balls = values[:count, None]
        if settings.ball > 0:
            around = batch.surface[:, None] + settings.ball * math.sqrt(epsilon) * batch.moves
            in_balls = network(around.flatten(0, 1)).reshape(around.shape[:2])
        terms = {
            "reconstruction": losses.reconstruction(self.density(in_balls, epsilon)),
            "energy": losses.transition_energy(
                density[count:],
                gradient[count:],
                epsilon=epsilon,
                weights=batch.weights,
                volume=1.0 if settings.form == "mean" else (2 * self.box) ** network.ndim,
            ),
        }
        weight = settings.reconstruction * math.sqrt(epsilon)
        total = weight * terms["reconstruction"] + terms["energy"]
        if batch.normals is None:
            terms["eikonal"] = losses.eikonal_error(slope[:count])
            total = total + settings.eikonal * terms["eikonal"]
        else:
            terms["normals"] = losses.normal_error(slope[:count], batch.normals, settings.norm)
            total = total + settings.normals * terms["normals"]
        return Loss(total, terms)

    def epsilon_for(self, data_values: Tensor) -> float:
        """ε for the network's values (n,) on the data; see ``PhaseSettings.widest``."""
        settings = self.settings
        if settings.widest <= settings.width:
            return settings.epsilon
        distance = float(data_values.detach().abs().quantile(_REACHED_SHARE))
        return max(min(distance, settings.widest), settings.width) ** 2

    def fields(
        self, values: Tensor, gradients: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """u (n,), ∇u (n, ndim) and ∇w (n, ndim) from the network's values and gradients."""
        density = self.density(values, epsilon)
        if self.settings.unknown == "density":
            return density, gradients, losses.distance_gradient(values, gradients, epsilon=epsilon)
        return density, losses.density_gradient(values, gradients, epsilon=epsilon), gradients

    def density(self, values: Tensor, epsilon: float) -> Tensor:
        """u from the network's values, of the same shape."""
        if self.settings.unknown == "density":
            return values
        return losses.density(values, epsilon=epsilon)

    def distance(self, network: ImplicitNetwork, points: Tensor) -> Tensor:
        """w (n,) at normalized points (n, ndim): a signed distance of at most 13.8 √ε."""
        epsilon = self.settings.epsilon
        return losses.distance(self.density(network(points), epsilon), epsilon=epsilon)


_PAPER_SETTINGS = PhaseSettings(
    epsilon=0.01,
    widest=0.1,
    normals=1.0,
    eikonal=0.1,
    unknown="density",
    ball=0.1,
    pairs=4,
    near=0.0,
)

_PRESETS = {
    "compact": ImplicitPreset(
        "a small network, good after some minutes on two cores",
        COMPACT_NETWORK,
        COMPACT_SCHEDULE,
        SampleCounts(surface=512, anywhere=128, box=1.2),
        PhaseSettings(),
    ),
    "paper": ImplicitPreset(
        "the paper's network, numbers and 100,000 uniform samples of the box, for a GPU",
        PAPER_NETWORK,
        PAPER_SCHEDULE,
        SampleCounts(surface=7000, anywhere=100_000, box=1.2),
        _PAPER_SETTINGS,
    ),
}


def _with_fourier_features(preset: ImplicitPreset, rate: float) -> ImplicitPreset:
    return replace(
        preset,
        network=replace(preset.network, frequencies=_FREQUENCIES),
        schedule=replace(preset.schedule, rate=rate),
    )


PHASE = ImplicitMethod("phase", "PHASE (Lipman 2021)", _PRESETS)
PHASE_FF = ImplicitMethod(
    "phase-ff",
    "PHASE with Fourier features (Lipman 2021)",
    {
        # At the rate of "phase", clouds without normals leave ten times as many loose components.
        "compact": _with_fourier_features(_PRESETS["compact"], rate=2e-3),
        "paper": _with_fourier_features(_PRESETS["paper"], rate=5e-3),
    },
)
