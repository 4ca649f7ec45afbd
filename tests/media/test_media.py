from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from geom_miner.errors import MediaError
from geom_miner.media.arrays import read_array, write_array
from geom_miner.media.image_signal import ImageSignal, image_to_blocks
from geom_miner.media.images import read_image, write_image


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 2, 3, 4]), st.integers(0, 99))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_8_bit_images_survive_exactly(
    tmp_path: Path, height: int, width: int, channels: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels))
    samples = (pixels / 255).astype(np.float32)
    for suffix in (".png", ".tif"):
        write_image(tmp_path / f"a{suffix}", samples)
        back = read_image(tmp_path / f"a{suffix}")
        assert back.bits == 8
        assert np.array_equal(np.rint(back.samples * 255), pixels)


def test_16_bit_gray_survives_exactly(tmp_path: Path) -> None:
    pixels = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(pixels).save(tmp_path / "deep.png")
    image = read_image(tmp_path / "deep.png")
    assert image.bits == 16
    write_image(tmp_path / "again.png", image.samples, bits=16)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "again.png")), pixels)


def test_rows_are_the_first_axis_and_red_the_first_channel(tmp_path: Path) -> None:
    picture = Image.new("RGB", (5, 3))
    picture.putpixel((4, 1), (255, 0, 0))
    picture.save(tmp_path / "p.png")
    samples = read_image(tmp_path / "p.png").samples
    assert samples.shape == (3, 5, 3)
    assert samples[1, 4].tolist() == [1.0, 0.0, 0.0]


def test_palettes_keep_their_colors(tmp_path: Path) -> None:
    colors = Image.new("RGB", (2, 1))
    colors.putdata([(10, 20, 30), (200, 100, 0)])
    colors.quantize(2).save(tmp_path / "p.png")
    samples = read_image(tmp_path / "p.png").samples
    assert np.array_equal(np.rint(samples * 255)[0], [[10, 20, 30], [200, 100, 0]])


def test_an_image_becomes_blocks_and_comes_back() -> None:
    samples = np.random.default_rng(0).random((19, 7, 3), dtype=np.float32)
    blocks, grid = image_to_blocks(ImageSignal(samples, 8), 8)
    assert grid.shape == (19, 7)
    assert torch.equal(blocks.to_dense((19, 7)), torch.from_numpy(samples))


def test_bad_images_are_one_sentence_each(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    Image.new("RGB", (64, 64), (1, 2, 3)).save(whole)
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no image at all")
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:100])
    Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)).save(
        tmp_path / "float.tif"
    )
    for name in ("missing.png", "empty.png", "text.png", "cut.png", "float.tif"):
        with pytest.raises(MediaError, match=name) as caught:
            read_image(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    samples = np.zeros((4, 4, 1), dtype=np.float32)
    write_image(tmp_path / "a.png", samples)
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(MediaError, match="cannot write"):
        write_image(tmp_path / "none" / "a.png", samples)
    with pytest.raises(MediaError, match="must end in"):
        write_image(tmp_path / "a.gif", samples)
    assert (tmp_path / "a.png").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png"]


def test_arrays_round_trip_and_nothing_is_unpickled(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((4, 3))
    write_array(tmp_path / "a.npy", array)
    assert np.array_equal(read_array(tmp_path / "a.npy"), array)
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("nothing")
    (tmp_path / "cut.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-7])
    for name in ("objects.npy", "text.npy", "cut.npy", "missing.npy"):
        with pytest.raises(MediaError, match=name):
            read_array(tmp_path / name)
