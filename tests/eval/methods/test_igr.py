"""IGR's loss by hand, and the spread of its samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eval.methods.igr import IGRBatch, IGRLoss
from eval.methods.implicit.networks import ImplicitNetwork, NetworkSettings
from eval.methods.implicit.sampling import CloudTensors, SampleCounts, neighbor_distances


def test_loss_by_hand() -> None:
    generator = torch.Generator().manual_seed(0)
    network = ImplicitNetwork(3, NetworkSettings(depth=2, width=16, skip=1), generator).double()
    draw = lambda n: torch.randn(n, 3, generator=generator, dtype=torch.float64)  # noqa: E731
    batch = IGRBatch(draw(5), torch.nn.functional.normalize(draw(5), dim=1), draw(5), draw(3))
    points = torch.cat([batch.surface, batch.near, batch.anywhere]).requires_grad_()
    values = network(points)
    (gradients,) = torch.autograd.grad(values.sum(), points)
    surface = sum(abs(value) for value in values[:5].tolist()) / 5
    eikonal = sum((np.linalg.norm(g) - 1) ** 2 for g in gradients[5:].numpy()) / 8
    turned_from_normals = (gradients[:5] - batch.normals).numpy()
    normals = sum(np.linalg.norm(g) for g in turned_from_normals) / 5
    loss = IGRLoss(eikonal=0.3, normals=2.0)(network, batch)
    assert loss.total.item() == pytest.approx(surface + 0.3 * eikonal + 2 * normals, rel=1e-6)
    bare = IGRBatch(batch.surface, None, batch.near, batch.anywhere)
    loss = IGRLoss(eikonal=0.3)(network, bare)
    assert loss.total.item() == pytest.approx(surface + 0.3 * eikonal, rel=1e-6)
    assert set(loss.terms) == {"surface", "eikonal"}


def test_batches_come_from_the_cloud() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3))
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    counts = SampleCounts(surface=4000, anywhere=3000, box=1.5)
    draw = IGRLoss().sampler(CloudTensors(points, normals), counts)
    batch = draw(torch.Generator().manual_seed(0))
    rows = {tuple(row): index for index, row in enumerate(points.astype(np.float32).tolist())}
    chosen = [rows[tuple(row)] for row in batch.surface.tolist()]
    assert len(set(chosen)) > 490
    torch.testing.assert_close(batch.normals, torch.from_numpy(normals[chosen]).float())
    # Moves over their deviations are standard normal, in each of 12,000 numbers.
    moves = (batch.near - batch.surface).numpy() / neighbor_distances(points)[chosen, None]
    assert abs(moves.mean()) < 4 / np.sqrt(moves.size)
    assert abs(moves.std() - 1) < 4 / np.sqrt(2 * moves.size)
    assert batch.anywhere.shape == (3000, 3)
    assert float(batch.anywhere.abs().max()) <= 1.5
    # Uniform in [-1.5, 1.5]: deviation 1.5 / sqrt 3.
    assert float(batch.anywhere.std()) == pytest.approx(1.5 / np.sqrt(3), rel=0.03)


def test_batches_repeat_with_the_seed() -> None:
    points = np.random.default_rng(0).normal(size=(60, 2))
    counts = SampleCounts(surface=8, anywhere=4, box=1.0)
    draw = IGRLoss().sampler(CloudTensors(points, None), counts)
    one, two, other = (draw(torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert one.normals is None
    for name in ("surface", "near", "anywhere"):
        assert torch.equal(getattr(one, name), getattr(two, name))
        assert not torch.equal(getattr(one, name), getattr(other, name))
