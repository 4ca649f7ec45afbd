import hashlib
import json
import struct
from pathlib import Path

import pytest
import torch

from geom_miner.errors import ModelFileError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.signal_info import SignalInfo
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.model.block_mlps import BlockMLPs
from geom_miner.model.representation import Representation
from geom_miner.storage import sections
from geom_miner.storage.header import Header
from geom_miner.storage.reader import describe_model, load_model, scale_bytes
from geom_miner.storage.writer import ModelWriter, part_path, save_model
from tests.model.test_decode import random_representation


@pytest.fixture
def model() -> Representation:
    return random_representation((9, 22))


def section_ends(path: Path) -> list[int]:
    return [section.end for section in sections.walk(path)]


def test_loading_gives_the_same_decode_to_the_bit(tmp_path: Path, model: Representation) -> None:
    save_model(tmp_path / "m.miner", model)
    back = load_model(tmp_path / "m.miner")
    assert back.grid == model.grid
    for scale in range(3):
        assert torch.equal(back.decode(scale).to_dense(), model.decode(scale).to_dense())


def test_bytes_of_a_known_model_do_not_change(tmp_path: Path) -> None:
    """What earlier versions wrote stays readable only as long as this holds."""
    layout = BlockGrid((2, 1), (4, 4))
    architecture = MLPArchitecture(2, 3, 1, 1, 30.0)
    parameters = torch.arange(architecture.num_parameters, dtype=torch.float32)[None] / 8
    ids, fitted = torch.tensor([0, 2]), torch.tensor([True, False])
    nothing = torch.empty(0, dtype=torch.int64), torch.empty(0, 1)
    blocks = BlockMLPs(0, layout, architecture, ids, fitted, parameters, *nothing)
    grid = SampleGrid((8, 4), (0.5, 0.5), (0.0, 1.0))
    save_model(tmp_path / "m.miner", Representation(grid, 1, (blocks,), SignalInfo("image")))
    digest = hashlib.sha256((tmp_path / "m.miner").read_bytes()).hexdigest()
    assert digest == "ba3b090cd2092b3bb62fff7845d717971ca7ef658074b2acb1bf1f4c916f6e2d"


def test_a_section_of_an_unknown_codec_is_refused(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    with path.open("wb") as file:
        sections.begin(file)
        header = Header(model.grid, 1, model.info, {})
        sections.append(file, "HEADER", header.to_json())
        sections.append(file, "SCALE", b'{"codec": "tomorrow", "scale": 0}\n')
    with pytest.raises(ModelFileError, match="contents that this program cannot read"):
        load_model(path)


def test_equal_models_give_equal_bytes(tmp_path: Path, model: Representation) -> None:
    for name in "ab":
        save_model(tmp_path / name, model)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    save_model(tmp_path / "c", load_model(tmp_path / "a"))
    assert (tmp_path / "c").read_bytes() == (tmp_path / "a").read_bytes()


def test_a_coarse_level_needs_only_the_start_of_the_file(
    tmp_path: Path, model: Representation
) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    _, _, after_scale_1, *_ = section_ends(path)
    cut = tmp_path / "cut.miner"
    cut.write_bytes(path.read_bytes()[: after_scale_1 + 100])
    coarse = load_model(cut, finest=1)
    assert coarse.finest_scale == 1
    assert torch.equal(coarse.decode(1).to_dense(), model.decode(1).to_dense())
    with pytest.raises(ModelFileError, match="cut short before scale 0"):
        load_model(cut)
    assert not describe_model(cut)["complete"]


def test_every_cut_is_noticed(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    whole = path.read_bytes()
    after_last_scale = section_ends(path)[-2]
    for length in range(0, after_last_scale, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError) as caught:
            load_model(path)
        assert "\n" not in str(caught.value)


def test_every_flipped_byte_is_noticed(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    whole = path.read_bytes()
    for at in range(0, section_ends(path)[-2], 61):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        with pytest.raises(ModelFileError):
            load_model(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"ply\nformat ascii 1.0\n", "not a geom_miner model"),
        (sections.SIGNATURE + struct.pack("<I", 3), "format version 3"),
        (sections.SIGNATURE, "cut short"),
        (sections.SIGNATURE + struct.pack("<I", 1), "before its header"),
    ],
)
def test_foreign_files_are_named_for_what_they_are(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "m.miner"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=message):
        load_model(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot read"):
        load_model(tmp_path / "none.miner")


def test_well_formed_nonsense_is_refused(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    header = Header(model.grid, 3, SignalInfo(), {})
    for payload in (b"{}\n", b"[]\nxx", b"no json", b'{"scale": 0}\n' + b"\xff" * 40):
        with path.open("wb") as file:
            sections.begin(file)
            sections.append(file, "HEADER", header.to_json())
            sections.append(file, "SCALE", payload)
        with pytest.raises(ModelFileError, match="cannot read"):
            load_model(path)


def test_an_old_model_survives_until_the_new_one_is_whole(
    tmp_path: Path, model: Representation
) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    before = path.read_bytes()
    writer = ModelWriter(path, Header(model.grid, 3, SignalInfo(), {"other": True}))
    writer.write_scale(model.scales[0])
    writer.close()
    assert path.read_bytes() == before
    assert part_path(path).exists()


@pytest.mark.parametrize("torn", [0, 1, 40])
def test_writing_goes_on_where_it_was_torn(
    tmp_path: Path, model: Representation, torn: int
) -> None:
    path, whole = tmp_path / "m.miner", tmp_path / "whole.miner"
    save_model(whole, model)
    header = Header(model.grid, 3, model.info, model.metadata)
    writer = ModelWriter(path, header)
    writer.write_scale(model.scales[0])
    writer.write_scale(model.scales[1])
    writer.close()
    part = part_path(path)
    part.write_bytes(part.read_bytes() + whole.read_bytes()[-60:][:torn])
    again = ModelWriter(path, header, resume=True)
    assert [blocks.scale for blocks in again.finished] == [2, 1]
    again.write_scale(model.scales[2])
    again.finish()
    assert path.read_bytes() == whole.read_bytes()
    assert not part.exists()


def test_another_fits_leftovers_are_not_taken_over(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    writer = ModelWriter(path, Header(model.grid, 3, SignalInfo(), {"seed": 0}))
    writer.write_scale(model.scales[0])
    writer.close()
    other = ModelWriter(path, Header(model.grid, 3, SignalInfo(), {"seed": 1}), resume=True)
    assert other.finished == ()
    other.close()


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, model: Representation) -> None:
    with pytest.raises(ModelFileError, match="choose a folder"):
        save_model(tmp_path / "none" / "m.miner", model)


def test_describe_counts_what_is_there(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    save_model(path, model)
    facts = describe_model(path)
    assert facts["complete"]
    assert facts["parameters"] == model.num_parameters
    assert [row["scale"] for row in facts["scales"]] == [2, 1, 0]
    assert [row["bytes"] for row in facts["scales"]] == list(scale_bytes(path).values())
    assert json.loads(json.dumps(facts))["grid"]["shape"] == [9, 22]


def test_two_writers_do_not_share_a_file(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    first = ModelWriter(path, Header(model.grid, 3, SignalInfo(), {"run": 1}))
    first.write_scale(model.scales[0])
    with pytest.raises(ModelFileError, match="another fit is writing"):
        ModelWriter(path, Header(model.grid, 3, SignalInfo(), {"run": 2}))
    first.write_scale(model.scales[1])
    first.close()
    again = ModelWriter(path, Header(model.grid, 3, SignalInfo(), {"run": 1}), resume=True)
    assert [blocks.scale for blocks in again.finished] == [2, 1]
    again.close()


def test_saving_leaves_an_interrupted_fit_alone(tmp_path: Path, model: Representation) -> None:
    path = tmp_path / "m.miner"
    part_path(path).write_bytes(b"an interrupted fit")
    save_model(path, model)
    assert part_path(path).read_bytes() == b"an interrupted fit"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.miner", "m.miner.part"]
