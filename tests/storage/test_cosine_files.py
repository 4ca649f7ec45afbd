"""Files of cosine blocks: equal after reading, readable in parts, safe against nonsense."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from geom_miner.errors import GeomMinerError, ModelFileError
from geom_miner.fit.block_fitter import ScaleJob
from geom_miner.fit.coarse_to_fine import fit_signal
from geom_miner.fit.cosine_fitter import CosineFitter
from geom_miner.fit.cosine_settings import CosineSettings
from geom_miner.fit.file_fit import fit_to_file
from geom_miner.fit.history import ScaleHistory
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.signal_info import SignalInfo
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.model.representation import Representation
from geom_miner.records import RecordError
from geom_miner.storage import sections
from geom_miner.storage.cosine_codec import pack_batch, unpack_batch
from geom_miner.storage.packed_numbers import PackedReader, pack_floats, pack_numbers
from geom_miner.storage.reader import describe_model, load_model, scale_bytes
from geom_miner.storage.stored_levels import CHUNK_BLOCKS, StoredLevels
from geom_miner.storage.writer import part_path, save_model
from geom_miner.targets.truncated_distance import truncated_distance_target

SETTINGS = CosineSettings(scales=3, block_size=4, step=0.2, coarse_step=0.2)


def ball_target() -> Target:
    """The truncated distance to a ball, from its formula."""
    grid = SampleGrid.unit((40, 40, 36))

    def distance_at(scale: int, band: float) -> SparseBlocks:
        coarse = grid.at_scale(scale)
        axes = [(np.arange(n) + 0.5) * coarse.spacing[0] - 0.45 for n in coarse.shape]
        x, y, z = np.meshgrid(*axes, indexing="ij")
        inside = (0.31 - np.sqrt(x**2 + y**2 + z**2)) / coarse.spacing[0]
        signal = torch.from_numpy(np.clip(inside, -band, band).astype(np.float32))[..., None]
        return SparseBlocks.from_dense(signal, BlockGrid.covering(coarse.shape, (4, 4, 4)))

    return truncated_distance_target(distance_at, grid, SignalInfo(), scales=3)


def picture_target() -> Target:
    generator = torch.Generator().manual_seed(2)
    signal = torch.nn.functional.interpolate(
        torch.rand(1, 3, 9, 7, generator=generator), size=(70, 50), mode="bicubic"
    )[0].movedim(0, -1)
    blocks = SparseBlocks.from_dense(signal, BlockGrid.covering((70, 50), (4, 4)))
    return Target.pooled(blocks, 3, SampleGrid.unit((70, 50)))


TARGETS = {"ball": ball_target, "picture": picture_target}


@pytest.fixture(scope="module", params=TARGETS)
def model(request: pytest.FixtureRequest) -> Representation:
    settings = (
        SETTINGS
        if request.param == "ball"
        else CosineSettings(scales=3, block_size=4, step=0.03, coarse_step=0.03)
    )
    return fit_signal(TARGETS[request.param](), settings)


def test_a_file_decodes_to_the_same_samples(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    read = load_model(path)
    for scale in range(model.num_scales):
        expected, found = model.decode(scale), read.decode(scale)
        assert torch.equal(found.ids, expected.ids)
        assert torch.equal(found.to_dense(), expected.to_dense())
    again = tmp_path / "again.miner"
    save_model(again, read)
    assert again.read_bytes() == path.read_bytes()


def test_the_file_is_smaller_than_its_coefficients(tmp_path: Path, model: Representation) -> None:
    """Two bytes a coefficient and half a byte a listed block are generous; plain ones take 8."""
    path = tmp_path / "m.miner"
    save_model(path, model)
    listed = sum(len(blocks.varying_ids) for blocks in model.scales)
    assert path.stat().st_size < 600 + 2 * model.num_parameters + listed / 2


def test_a_region_decodes_only_the_chunks_that_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fit_signal(ball_target(), SETTINGS)
    path = tmp_path / "m.miner"
    save_model(path, model)
    read, touched = load_model(path), []
    original = StoredLevels._decode

    def counted(levels: StoredLevels, index: int) -> object:
        touched.append(index)
        return original(levels, index)

    monkeypatch.setattr(StoredLevels, "_decode", counted)
    found = read.decode_region((4, 16, 16), (8, 20, 20))
    assert torch.equal(found, model.decode(0).to_dense()[4:8, 16:20, 16:20])
    chunks = sum(-(-len(blocks.fitted_ids) // CHUNK_BLOCKS) for blocks in model.scales)
    assert 0 < len(touched) < chunks


def test_a_file_that_is_cut_after_a_scale_reads_down_to_it(
    tmp_path: Path, model: Representation
) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    ends = [section.end for section in sections.walk(path)]
    path.write_bytes(path.read_bytes()[: ends[2] + 5])
    assert torch.equal(load_model(path, finest=1).decode(1).to_dense(), model.decode(1).to_dense())
    with pytest.raises(ModelFileError, match="cut short before scale 0"):
        load_model(path)


def test_facts_and_sizes_are_told(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    facts = describe_model(path)
    assert facts["parameters"] == model.num_parameters
    assert facts["scales"][0]["mixing"] in ("none", "ycocg")
    assert sum(scale_bytes(path).values()) < facts["file_bytes"]


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_killed_fit_goes_on_after_its_last_batch(tmp_path: Path, batches: int) -> None:
    target, whole, path = ball_target(), tmp_path / "whole.miner", tmp_path / "m.miner"
    fit_to_file(target, SETTINGS, whole, memory=1)

    class Killed(Exception):
        pass

    from geom_miner.fit.observer import Observer

    class Killer(Observer):
        left = batches

        def on_batch(self, batch: object) -> None:
            if not self.left:
                raise Killed
            self.left -= 1

    with pytest.raises(Killed):
        fit_to_file(target, SETTINGS, path, memory=1, observer=Killer())
    kept = [section.tag for section in sections.walk(part_path(path))]
    assert kept.count("BATCH") >= 1
    assert fit_to_file(target, SETTINGS, path, memory=1).resumed_scales == kept.count("SCALE")
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("change", ["a place outside", "a level too large", "rows too few"])
def test_batches_of_another_fit_are_refused(tmp_path: Path, change: str) -> None:
    """Checksums hold, but the coefficients cannot be those of this fit's blocks."""
    target = ball_target()
    fitter = CosineFitter(ScaleJob(2, target, SETTINGS, None, None, "reference"))
    batch = fitter.fit(fitter.candidates, ScaleHistory(2, (), 0, 0, 0, 0), lambda *_: False)
    fitter.check([unpack_batch(pack_batch(batch))])
    levels = batch.levels
    if change == "a place outside":
        levels = replace(levels, places=levels.places.clone().index_fill_(0, torch.tensor(0), 64))
    elif change == "a level too large":
        levels = replace(levels, levels=levels.levels << 24)
    else:
        levels = levels.chosen(torch.arange(len(levels)) > 0)
    with pytest.raises(ModelFileError, match="no part of this fit"):
        fitter.check([replace(batch, levels=levels)])


def test_mutated_payloads_are_refused_or_decoded(tmp_path: Path) -> None:
    """With checksums that hold: one sentence or finite samples, and never another exception."""
    model = fit_signal(ball_target(), SETTINGS)
    path = tmp_path / "m.miner"
    sentences, finite = list[str](), list[bool]()
    save_model(path, model)
    parts = list(sections.walk(path))
    dice = random.Random(1)
    for _ in range(60):
        which = dice.randrange(len(parts))
        with path.open("wb") as file:
            sections.begin(file, 2)
            for number, part in enumerate(parts):
                payload = bytearray(part.payload)
                if number == which and payload:
                    for _ in range(dice.randint(1, 3)):
                        payload[dice.randrange(len(payload))] = dice.randrange(256)
                    if dice.random() < 0.2:
                        del payload[dice.randrange(len(payload)) :]
                sections.append(file, part.tag, bytes(payload), 2)
        try:
            decoded = load_model(path).decode(0)
        except GeomMinerError as error:
            sentences.append(str(error))
        else:
            finite.append(bool(torch.isfinite(decoded.values).all()))
    assert all(finite)
    assert not any("\n" in sentence for sentence in sentences)
    assert len(finite) > 3
    assert len(sentences) > 10


def test_packed_numbers_come_back() -> None:
    numbers = [0, 1, 127, 128, 300, 1 << 40, (1 << 62) - 1]
    reader = PackedReader(pack_numbers(numbers) + pack_floats([0.5, -2.0]) + b"rest")
    assert list(reader.numbers(len(numbers))) == numbers
    assert reader.floats(2) == (0.5, -2.0)
    assert reader.rest() == b"rest"


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "cut short"), (b"\xff" * 12, "63 bits"), (b"\x80", "cut short"), (b"\x09", "at most 5")],
)
def test_packed_numbers_that_are_none_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        PackedReader(data).number(5)
    with pytest.raises(RecordError, match="finite"):
        PackedReader(pack_floats([float("inf")])).floats(1)
