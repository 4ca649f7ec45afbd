import math

import torch

from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.model.initialize import (
    inherit_parameters,
    initialize_blocks,
)

ARCHITECTURE = MLPArchitecture(3, 16, 3, 1, 30.0)


def test_a_block_starts_alike_in_any_company() -> None:
    ids = torch.tensor([5, 17, 2**40])
    together = initialize_blocks(ARCHITECTURE, ids, gain=1.0, seed=3, scale=1)
    alone = initialize_blocks(ARCHITECTURE, ids[1:2], gain=1.0, seed=3, scale=1)
    assert torch.equal(together[1:2], alone)


def test_seed_scale_and_block_all_matter() -> None:
    ids = torch.arange(2)
    base = initialize_blocks(ARCHITECTURE, ids, gain=1.0, seed=0, scale=0)
    assert not torch.equal(base[0], base[1])
    for seed, scale in ((1, 0), (0, 1)):
        other = initialize_blocks(ARCHITECTURE, ids, gain=1.0, seed=seed, scale=scale)
        assert (other == base).float().mean() < 0.01


def test_every_layer_is_uniform_within_its_bound() -> None:
    gain = 0.5
    parameters = initialize_blocks(ARCHITECTURE, torch.arange(400), gain=gain, seed=0, scale=0)
    bounds = [gain / 3] + [math.sqrt(6 * gain / 16) / 30] * 2 + [math.sqrt(gain / 16) / 30]
    for (weights, biases), bound in zip(ARCHITECTURE.unpack(parameters), bounds, strict=True):
        for values in (weights, biases):
            assert values.abs().max() <= bound
            # Per block, not over the stack: one block's variance is that of its own layer.
            spread = values.var() / (bound**2 / 3)
            assert 0.9 < spread < 1.1
            assert abs(float(values.mean())) < 0.1 * bound


def test_children_inherit_scaled_parameters_where_there_is_a_parent() -> None:
    own = torch.zeros(3, 4)
    parents = torch.arange(8.0).reshape(2, 4)
    ids = torch.tensor([2 * 8 + 3, 5 * 8, 9 * 8 + 7])  # parents 2, 5 and 9 in 3D
    started = inherit_parameters(own, ids, parents, torch.tensor([2, 9]), ndim=3, factor=0.5)
    assert torch.equal(started, torch.stack([parents[0] / 2, own[1], parents[1] / 2]))
    nobody = inherit_parameters(own, ids, parents[:0], torch.tensor([]).long(), ndim=3, factor=0.5)
    assert torch.equal(nobody, own)
