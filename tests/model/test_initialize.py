import math
from pathlib import Path

import numpy as np
import pytest
import torch

from geom_miner.errors import SettingsError
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.model import initialize
from geom_miner.model.initialize import (
    inherit_parameters,
    initialize_blocks,
    learned_start,
    start_file_name,
)

ARCHITECTURE = MLPArchitecture(3, 16, 3, 1, 30.0)
SHIPPED = MLPArchitecture(3, 20, 3, 1, 30.0)


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


def test_a_learned_start_is_one_finite_row_of_its_architecture() -> None:
    row = learned_start(SHIPPED)
    assert row.shape == (SHIPPED.num_parameters,)
    assert row.dtype == torch.float32
    assert bool(row.isfinite().all())


def test_unknown_architectures_are_answered_with_the_known() -> None:
    with pytest.raises(SettingsError, match=start_file_name(SHIPPED).removesuffix(".npy")):
        learned_start(MLPArchitecture(2, 20, 3, 1, 30.0))
    with pytest.raises(SettingsError, match=r"omega12\.5"):
        learned_start(MLPArchitecture(3, 20, 3, 1, 12.5))


@pytest.mark.parametrize("content", [b"no array", b""])
def test_damaged_starts_are_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initialize, "_STARTS", tmp_path)
    (tmp_path / start_file_name(SHIPPED)).write_bytes(content)
    with pytest.raises(SettingsError, match="cannot be read"):
        learned_start(SHIPPED)


def test_a_start_of_another_length_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initialize, "_STARTS", tmp_path)
    np.save(tmp_path / start_file_name(SHIPPED), np.zeros(5, dtype=np.float32))
    with pytest.raises(SettingsError, match="must hold 941"):
        learned_start(SHIPPED)
