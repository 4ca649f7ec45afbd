"""PHASE's samples: their weights integrate, and balls are filled evenly."""

from __future__ import annotations

import math

import pytest
import torch

from eval.methods.phase_sampling import DomainSampler, draw_in_ball


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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
