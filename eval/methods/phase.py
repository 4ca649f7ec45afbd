"""PHASE: a density in two phases whose transition is the surface (Lipman, ICML 2021).

The functional is in ``phase_losses``; here are its samples, its numbers and the method. Four
things are not the paper's, and only in the preset ``compact``: what the network is, how ε comes
down, where Ω is sampled, and that the balls about the data have shrunk to their centers. See
``PhaseSettings``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from eval.errors import MethodError
from eval.methods import phase_losses as losses
from eval.methods.implicit.networks import ImplicitNetwork, NetworkSettings
from eval.methods.implicit.reconstruction import Preset, check_trial, reconstruct_implicit
from eval.methods.implicit.sampling import CloudSampler, SampleCounts
from eval.methods.implicit.training import Loss, Schedule
from eval.methods.protocol import Kind, Options, Reconstruction, Source

FREQUENCIES = 6
"""k of the Fourier features."""
# Cells that Ω is divided into, about: 64 along an axis of three.
_CELLS = 2**18
# Share of the data that a transition reaches; the others may be noise.
_FELT = 0.99


@dataclass(frozen=True)
class PhaseSettings:
    """Weights and numbers of F(u); lengths are in units of the normalized cloud's radius.

    Parameters
    ----------
    epsilon : ε at the end; its root is the width of the transition.
    widest : while data are far from the surface, √ε is as large as |w| on all but 1 % of them,
        up to this: the density's derivative falls off as exp(-|w| / √ε), so that only a wide
        transition feels them. No more than √epsilon keeps ε constant.
    reconstruction : λ / √ε, which is kept as ε comes down. With the mean form it must be more
        than 2 |S| / |Ω|, about 2, for a surface of area |S| to be cheaper than none.
    normals : μ for clouds with normals.
    eikonal : μ for clouds without.
    norm : of n - ∇w.
    form : of the energy of Ω, its mean or its integral, which is a balance of weights.
    unknown : what the network is: the density u; or the distance w, from which u follows. That
        is the same functional, but |u| < 1 and ∇w need no care, and a network that has to be no
        steeper than a distance is fitted in less steps.
    ball : radius of the balls of the reconstruction term, in √ε; balls of no radius are their
        centers, where the network is evaluated in any case. Then a surface that only touches
        the data on both sides costs L as little as one that passes, but not N: w has an extremum
        where it touches, and ∇w no length.
    pairs : opposite samples in a ball; where the surface is flat one pair gives the ball's mean.
    near : share of the samples of Ω that are drawn near the data, with the weights this asks for.
    reach : the draw near the data falls off by e over this distance.

    Raises
    ------
    MethodError
        A number is out of its range, or ε is to follow a distance that the network is not.
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
                "widest must be at most the root of epsilon where the network is the density, "
                f"got {self.widest}"
            )

    @property
    def width(self) -> float:
        """√ε at the end."""
        return math.sqrt(self.epsilon)


@dataclass(frozen=True)
class PhaseBatch:
    """Points of one step, normalized, float32.

    Parameters
    ----------
    surface : (n, ndim) points of the cloud.
    normals : (n, ndim) theirs, or None where the cloud has none.
    moves : (n, b, ndim) within the unit ball: where to look about each of them.
    domain : (m, ndim) samples of Ω.
    weights : (m,) of uniform density to that from which they are drawn.
    """

    surface: Tensor
    normals: Tensor | None
    moves: Tensor
    domain: Tensor
    weights: Tensor


class DomainSampler:
    """Draws samples of Ω = [-box, box]^ndim, more of them near points, and says how many more.

    Ω is divided into equal cells. A cell is drawn by its distance to the nearest with a point, or
    with the share 1 - near any cell; the sample is uniform in it. So the density is known exactly.

    Parameters
    ----------
    points : (n, ndim), on the device where the samples shall be.
    box : half the side of Ω.
    near, reach : see ``PhaseSettings``.
    """

    def __init__(self, points: Tensor, *, box: float, near: float, reach: float) -> None:
        self.ndim, device = points.shape[1], points.device
        self.per_axis = round(_CELLS ** (1 / self.ndim))
        self.side, self.box = 2 * box / self.per_axis, box
        cells = np.floor((points.cpu().numpy() + box) / self.side).astype(np.int64)
        empty = np.ones((self.per_axis,) * self.ndim, dtype=bool)
        empty[tuple(cells.clip(0, self.per_axis - 1).T)] = False
        # Between centers; a sample may be nearer by half of its cell's diagonal.
        distances = distance_transform_edt(empty).ravel() * self.side
        least = np.maximum(distances - self.side * math.sqrt(self.ndim) / 2, 0)
        falloff = np.exp(-least / reach)
        shares = (1 - near) / len(least) + near * falloff / falloff.sum()
        self._weights = torch.from_numpy(1 / (len(least) * shares)).float().to(device)
        cumulative = np.cumsum(shares)
        self._cumulative = torch.from_numpy(cumulative / cumulative[-1]).to(device)

    def draw(self, generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Samples (count, ndim) and weights (count,), whose mean tends to 1."""
        device = self._weights.device
        # Evenly spaced with one common shift: a sum over samples has less chance in it.
        shift = torch.rand(1, generator=generator, device=device, dtype=torch.float64)
        quantiles = (torch.arange(count, device=device) + shift) / count
        # Rounding may put the last one at 1.
        cell = torch.searchsorted(self._cumulative, quantiles).clamp_(max=len(self._weights) - 1)
        strides = self.per_axis ** torch.arange(self.ndim - 1, -1, -1, device=device)
        corner = (cell[:, None] // strides) % self.per_axis
        inner = torch.rand(count, self.ndim, generator=generator, device=device)
        return (corner + inner) * self.side - self.box, self._weights[cell]


def draw_in_ball(generator: torch.Generator, count: int, pairs: int, ndim: int) -> Tensor:
    """Positions (count, 2 pairs, ndim) uniform in the unit ball, each with its opposite."""
    device = generator.device
    directions = torch.randn(count, pairs, ndim, generator=generator, device=device)
    shares = torch.rand(count, pairs, 1, generator=generator, device=device)
    moves = torch.nn.functional.normalize(directions, dim=2) * shares ** (1 / ndim)
    return torch.cat([moves, -moves], dim=1)


class PhaseObjective:
    """F(u) of a network over batches of one cloud.

    Parameters
    ----------
    settings : weights and numbers.
    counts : points of a batch; ``anywhere`` are those of Ω.
    """

    def __init__(self, settings: PhaseSettings, counts: SampleCounts) -> None:
        self.settings, self.counts = settings, counts
        self._domain: DomainSampler | None = None

    def draw(self, sampler: CloudSampler, generator: torch.Generator) -> PhaseBatch:
        """The next batch of the sampler's cloud, which must be the same in every call."""
        settings, counts, points = self.settings, self.counts, sampler.points
        if self._domain is None:
            self._domain = DomainSampler(
                points, box=counts.box, near=settings.near, reach=settings.reach
            )
        chosen = torch.randint(
            len(points), (counts.surface,), generator=generator, device=points.device
        )
        domain, weights = self._domain.draw(generator, counts.anywhere)
        return PhaseBatch(
            points[chosen],
            None if sampler.normals is None else sampler.normals[chosen],
            draw_in_ball(generator, counts.surface, settings.pairs, points.shape[1]),
            domain,
            weights,
        )

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
        parts = {
            "reconstruction": losses.reconstruction(self.density(in_balls, epsilon)),
            "energy": losses.transition_energy(
                density[count:],
                gradient[count:],
                epsilon=epsilon,
                weights=batch.weights,
                volume=1.0 if settings.form == "mean" else (2 * self.counts.box) ** network.ndim,
            ),
        }
        weight = settings.reconstruction * math.sqrt(epsilon)
        total = weight * parts["reconstruction"] + parts["energy"]
        if batch.normals is None:
            parts["eikonal"] = losses.eikonal_error(slope[:count])
            total = total + settings.eikonal * parts["eikonal"]
        else:
            parts["normals"] = losses.normal_error(slope[:count], batch.normals, settings.norm)
            total = total + settings.normals * parts["normals"]
        return Loss(total, parts)

    def epsilon_for(self, on_data: Tensor) -> float:
        """ε for the network's values (n,) on data; see ``PhaseSettings.widest``."""
        settings = self.settings
        if settings.widest <= settings.width:
            return settings.epsilon
        off = float(on_data.detach().abs().quantile(_FELT))
        return max(min(off, settings.widest), settings.width) ** 2

    def fields(
        self, values: Tensor, gradients: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """u (n,), ∇u (n, ndim) and ∇w (n, ndim) from the network's values and gradients."""
        density = self.density(values, epsilon)
        if self.settings.unknown == "density":
            return density, gradients, losses.distance_gradient(values, gradients, epsilon=epsilon)
        return density, losses.density_gradient(values, gradients, epsilon=epsilon), gradients

    def density(self, values: Tensor, epsilon: float) -> Tensor:
        """u of the network's values, of the same shape."""
        if self.settings.unknown == "density":
            return values
        return losses.density(values, epsilon=epsilon)

    def distance(self, network: ImplicitNetwork, points: Tensor) -> Tensor:
        """w (n,) at points (n, ndim), normalized: a signed distance up to 13.8 √ε."""
        epsilon = self.settings.epsilon
        return losses.distance(self.density(network(points), epsilon), epsilon=epsilon)


@dataclass(frozen=True)
class PhasePreset(Preset):
    """A preset with the numbers of its functional."""

    phase: PhaseSettings


_PRESETS = {
    "compact": PhasePreset(
        "a small network, good after some minutes on two cores",
        NetworkSettings(depth=4, width=128, skip=2),
        Schedule(steps=12_000, rate=5e-3, halve_every=1500, floor=1e-5),
        SampleCounts(surface=512, anywhere=128, box=1.2),
        PhaseSettings(),
    ),
    "paper": PhasePreset(
        "the paper's network, numbers and 100,000 uniform samples of the box, for a GPU",
        NetworkSettings(depth=8, width=512, skip=4),
        Schedule(steps=100_000, rate=5e-3, halve_every=2000, floor=5e-6),
        SampleCounts(surface=7000, anywhere=100_000, box=1.2),
        PhaseSettings(
            epsilon=0.01,
            widest=0.1,
            normals=1.0,
            eikonal=0.1,
            unknown="density",
            ball=0.1,
            pairs=4,
            near=0.0,
        ),
    ),
}


def _with_waves(preset: PhasePreset, rate: float) -> PhasePreset:
    return replace(
        preset,
        network=replace(preset.network, frequencies=FREQUENCIES),
        schedule=replace(preset.schedule, rate=rate),
    )


# At compact's own rate, points without normals leave ten times as many loose parts.
_PRESETS_WITH_WAVES = {
    "compact": _with_waves(_PRESETS["compact"], rate=2e-3),
    "paper": _with_waves(_PRESETS["paper"], rate=5e-3),
}


class PhaseTransitions:
    """PHASE as a method.

    Parameters
    ----------
    name, title : of the method.
    presets : the ways to run it.
    """

    def __init__(self, name: str, title: str, presets: dict[str, PhasePreset]) -> None:
        self.name, self.title = name, title
        self.takes: frozenset[Kind] = frozenset({"oriented points", "points"})
        self.presets = {name: preset.sentence for name, preset in presets.items()}
        self.dimensions: tuple[int, ...] = (2, 3)
        self._presets = presets

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        """Turn a cloud into a surface; see ``Method``."""
        trial = check_trial(self.title, self._presets, source, options)
        objective = PhaseObjective(self._presets[options.preset].phase, trial.preset.counts)
        return reconstruct_implicit(trial, objective, objective.draw, {})


PHASE = PhaseTransitions("phase", "PHASE (Lipman 2021)", _PRESETS)
PHASE_FF = PhaseTransitions(
    "phase-ff", "PHASE with Fourier features (Lipman 2021)", _PRESETS_WITH_WAVES
)
