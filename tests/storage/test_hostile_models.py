"""Model files whose checksums hold and whose contents were never written by this program."""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from geom_miner.errors import ModelFileError
from geom_miner.model.representation import Representation
from geom_miner.storage import sections
from geom_miner.storage.header import Header
from geom_miner.storage.reader import describe_model, load_model, scale_bytes
from geom_miner.storage.writer import ModelWriter, part_path, save_model
from pipelines.campaigns.mutations import mutate_model
from tests.model.test_decode import random_representation

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def model() -> Representation:
    return random_representation((9, 22))


def rewritten(path: Path, which: int, change: Callable[[bytes], bytes]) -> None:
    """Change the payload of one section and write the file anew, checksums and all."""
    parts = list(sections.walk(path))
    with path.open("wb") as file:
        sections.begin(file)
        for number, part in enumerate(parts):
            payload = change(part.payload) if number == which else part.payload
            sections.append(file, part.tag, payload)


def in_json(change: Change) -> Callable[[bytes], bytes]:
    def changed(payload: bytes) -> bytes:
        line, newline, rest = payload.partition(b"\n")
        values = json.loads(line)
        change(values)
        return json.dumps(values).encode() + newline + rest

    return changed


HEADERS: dict[str, tuple[Change, str]] = {
    "a billion scales": (lambda h: h.update(num_scales=10**9), "num_scales must lie in [1, 16]"),
    "no scales": (lambda h: h.update(num_scales=0), "num_scales must lie in [1, 16]"),
    "a text": (lambda h: h.update(num_scales="3"), "Expected int"),
    "a huge shape": (lambda h: h["grid"].update(shape=[1 << 50, 22]), "shape must lie in"),
    "NaN": (lambda h: h["grid"].update(spacing=[float("nan"), 1.0]), "JSON is malformed"),
    "no spacing": (lambda h: h["grid"].update(spacing=[0.0, 1.0]), "spacing must lie in"),
    "many axes": (
        lambda h: h["grid"].update(shape=[1] * 9, spacing=[1.0] * 9, origin=[0.0] * 9),
        "at most 8 axes",
    ),
    "an unknown kind": (lambda h: h["info"].update(kind="x"), "Invalid enum value"),
    "a source of text": (lambda h: h["info"].update(source="x"), "Expected object"),
    "bits": (lambda h: h["info"].update(bits=10**9), "bits must lie in [1, 64]"),
}


@pytest.mark.parametrize(("change", "reason"), HEADERS.values(), ids=HEADERS)
def test_a_header_of_nonsense_is_one_sentence(
    tmp_path: Path, model: Representation, change: Change, reason: str
) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    rewritten(path, 0, in_json(change))
    for read in (load_model, describe_model):
        with pytest.raises(ModelFileError, match="cannot read") as caught:
            read(path)
        assert reason in str(caught.value)


HEADS: dict[str, tuple[Change, str]] = {
    "blocks beyond 63 bits": (lambda h: h.update(counts=[1 << 40, 1 << 40]), "too many"),
    "blocks that do not halve": (lambda h: h.update(counts=[5, 8]), "must halve"),
    "another scale": (lambda h: h.update(scale=1), "scale 1 stands where scale 2 belongs"),
    "a negative scale": (lambda h: h.update(scale=-1), "scale must lie in [0, 15]"),
    "a wide MLP": (lambda h: h["architecture"].update(width=10**9), "width must lie in [1, 4096]"),
    "a deep MLP": (lambda h: h["architecture"].update(depth=10**9), "depth must lie in [1, 64]"),
    "no omega": (lambda h: h["architecture"].update(omega=0), "omega must lie in (0, 1e+06]"),
    "an axis more": (lambda h: h["architecture"].update(ndim=3), "3 inputs on 2 axes"),
    "no architecture": (lambda h: h.pop("architecture"), "missing required field"),
    "an unknown codec": (lambda h: h.update(codec="x"), "codec must be one of mlp"),
}


@pytest.mark.parametrize(("change", "reason"), HEADS.values(), ids=HEADS)
def test_a_scale_of_nonsense_is_one_sentence(
    tmp_path: Path, model: Representation, change: Change, reason: str
) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    rewritten(path, 1, in_json(change))
    with pytest.raises(ModelFileError, match="cannot read") as caught:
        load_model(path)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("name", "filler", "reason"),
    [
        ("parameters", struct.pack("<f", float("nan")), "parameters must be finite"),
        ("constant_values", struct.pack("<f", float("-inf")), "constant_values must be finite"),
        ("fitted", b"\x02", "fitted must hold 0 and 1"),
        ("varying_ids", struct.pack("<q", 1 << 40), "varying_ids must"),
        ("constant_ids", struct.pack("<q", -1), "constant_ids must"),
    ],
)
def test_numbers_that_no_fit_gives_are_refused(
    tmp_path: Path, model: Representation, name: str, filler: bytes, reason: str
) -> None:
    def filled(payload: bytes) -> bytes:
        at = payload.index(b"\n") + 1
        (length,) = struct.unpack("<Q", payload[at : at + 8])
        begin = json.loads(payload[at + 8 : at + 8 + length])[name]["data_offsets"][0]
        place = at + 8 + length + begin
        return payload[:place] + filler + payload[place + len(filler) :]

    path = tmp_path / "m.miner"
    save_model(path, model)
    rewritten(path, 3, filled)
    with pytest.raises(ModelFileError, match=reason):
        load_model(path)


def test_whole_numbers_in_a_header_stay_whole(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    rewritten(path, 0, in_json(lambda h: h["grid"].update(origin=[0, 1])))
    before = path.read_bytes()
    save_model(path, load_model(path))
    read = next(sections.walk(path)).payload
    assert json.loads(read)["grid"]["origin"] == [0, 1]
    assert b"0.0" not in json.dumps(json.loads(read)["grid"]["origin"]).encode()
    assert len(path.read_bytes()) <= len(before)


def test_mutations_end_in_a_model_or_in_one_sentence(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    good, sentences = path.read_bytes(), []
    for seed in range(120):
        path.write_bytes(mutate_model(good, random.Random(seed)))
        for read in (load_model, describe_model, scale_bytes):
            try:
                read(path)
            except ModelFileError as error:
                sentences.append(str(error))
    assert len(sentences) > 100
    assert not any("\n" in sentence for sentence in sentences)


def test_mutations_of_an_interrupted_fit_never_stop_the_next(
    tmp_path: Path, model: Representation
) -> None:
    path, header = tmp_path / "m.miner", Header(model.grid, 3, model.info, model.metadata)
    writer = ModelWriter(path, header)
    writer.write_scale(model.scales[0])
    writer.close()
    good = part_path(path).read_bytes()
    for seed in range(100):
        part_path(path).write_bytes(mutate_model(good, random.Random(seed)))
        writer = ModelWriter(path, header, resume=True)
        writer.close()
        assert len(writer.finished) <= 1


def test_mutations_keep_their_checksums_and_their_seeds(
    tmp_path: Path, model: Representation
) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    good = path.read_bytes()
    for seed in range(50):
        changed = mutate_model(good, random.Random(seed))
        assert changed == mutate_model(good, random.Random(seed))
        path.write_bytes(changed)
        assert sum(1 for _ in sections.walk(path)) >= 4


def test_parameters_of_a_good_model_are_read_to_the_bit(
    tmp_path: Path, model: Representation
) -> None:
    save_model(tmp_path / "m.miner", model)
    back = load_model(tmp_path / "m.miner")
    for read, written in zip(back.scales, model.scales, strict=True):
        assert torch.equal(read.parameters, written.parameters)
        assert np.array_equal(read.varying_ids, written.varying_ids)
