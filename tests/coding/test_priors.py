"""Priors: small, safe to start from, and better where they were trained."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

import geom_miner.coding
from geom_miner.coding import ChunkSample, TableSample, train_priors
from geom_miner.coding.arithmetic import COST, MEASURE, WEIGHT_LIMIT, Model, start_coder
from geom_miner.coding.coefficients import code_rows
from geom_miner.coding.priors import priors, unpacked, untrained
from geom_miner.coding.scan import scan_of
from geom_miner.errors import GeomMinerError
from pipelines.studies.train_priors import main
from tests.coding.test_block_tables import ball
from tests.coding.test_chunks import sparse


def bits(model: Model, sample: ChunkSample) -> float:
    empty = np.zeros(0, np.uint8)
    coder, levels = start_coder(MEASURE, empty), sample.levels
    arrays = levels.offsets, levels.places, levels.levels
    code_rows(coder, empty, model, scan_of(sample.block_shape), sample.channels, *arrays)
    return float(coder[COST]) / 65536


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_shipped_priors_are_small_and_within_the_ranges_of_models(ndim: int) -> None:
    for model in priors(ndim):
        assert model.counters.min() >= 0
        assert model.counters.max() < 1 << 22
        assert model.seen.max() <= 250
        assert np.abs(model.weights).max() <= WEIGHT_LIMIT
    files = Path(geom_miner.coding.__file__).parent.glob("priors_*.bin")
    assert sum(file.stat().st_size for file in files) < 30_000


def test_trained_priors_shorten_chunks_of_the_same_kind() -> None:
    samples = [ChunkSample(sparse((8, 8), 16, 0.5, seed), (8, 8), 1) for seed in range(9)]
    trained = unpacked(train_priors(samples[1:], [])).chunk
    assert bits(trained, samples[0]) < 0.95 * bits(untrained().chunk, samples[0])


def test_other_channels_start_from_what_the_first_one_learned() -> None:
    samples = [ChunkSample(sparse((8, 8), 16, 0.5, seed), (8, 8), 1) for seed in range(9)]
    color = ChunkSample(sparse((8, 8), 16, 0.5, 9), (8, 8), 4)
    trained = unpacked(train_priors(samples, [])).chunk
    assert bits(trained, color) < 0.95 * bits(untrained().chunk, color)


def test_training_is_repeatable() -> None:
    chunks = [ChunkSample(sparse((4, 4, 4), 8, 1.0, seed), (4, 4, 4), 1) for seed in range(4)]
    tables = [TableSample(ball(16, 3), None)]
    assert train_priors(chunks, tables) == train_priors(chunks, tables)


def test_priors_of_another_model_are_refused() -> None:
    with pytest.raises(GeomMinerError, match="priors must hold the counters of this version"):
        unpacked(zlib.compress(bytes(100)))


def test_the_training_script_reads_a_folder_of_signals(tmp_path: Path) -> None:
    levels = sparse((2, 4, 8), 6 * 2, 1.0)
    np.savez(
        tmp_path / "signal.npz",
        block_shape=(2, 4, 8),
        channels=2,
        codes_0=np.full((1, 2, 3), 2, np.int8),
        offsets_0=levels.offsets,
        places_0=levels.places,
        levels_0=levels.levels,
    )
    main(tmp_path, tmp_path / "priors.bin")
    trained = unpacked((tmp_path / "priors.bin").read_bytes())
    assert trained.chunk.seen.any()
    assert trained.table.seen.any()
