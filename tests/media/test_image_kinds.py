"""Images as others write them: depth, channels, byte order, pages, profiles, false headers."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from geom_miner.errors import MediaError, OutOfMemory
from geom_miner.media.image_signal import ImageSignal, describe_image, small_range
from geom_miner.media.images import read_image, write_image
from geom_miner.outputs import written_here

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (7, 5, 3)).astype(np.uint8)


def chunk(tag: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + tag
        + content
        + struct.pack(">I", zlib.crc32(tag + content))
    )


def png(width: int, height: int, bits: int, color: int, rows: bytes, extra: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_survive_exactly(tmp_path: Path, suffix: str, channels: int) -> None:
    levels = RNG.integers(0, 65536, (9, 6, channels))
    write_image(tmp_path / f"a{suffix}", (levels / 65535).astype(np.float32), bits=16)
    image = read_image(tmp_path / f"a{suffix}")
    assert (image.bits, image.notes) == (16, ())
    assert written_here(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(np.rint(image.samples * 65535), levels)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_tiff_of_every_layout(tmp_path: Path, byteorder: str, planes: str) -> None:
    levels = RNG.integers(0, 65536, (9, 6, 3)).astype(np.uint16)
    stored = levels if planes == "contig" else np.moveaxis(levels, -1, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planes, byteorder=byteorder)
    np.testing.assert_array_equal(np.rint(read_image(path).samples * 65535), levels)
    tifffile.imwrite(path, levels[..., 0], photometric="minisblack", byteorder=byteorder)
    np.testing.assert_array_equal(np.rint(read_image(path).samples * 65535), levels[..., :1])


def test_transparent_levels_and_colors_become_alpha(tmp_path: Path) -> None:
    gray = np.array([[1, 2], [3, 2]])
    rows = b"".join(b"\0" + bytes(row.tolist()) for row in gray)
    (tmp_path / "g8.png").write_bytes(png(2, 2, 8, 0, rows, chunk(b"tRNS", b"\0\2")))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in gray)
    (tmp_path / "g16.png").write_bytes(png(2, 2, 16, 0, rows, chunk(b"tRNS", b"\0\2")))
    for name, top in (("g8.png", 255), ("g16.png", 65535)):
        samples = read_image(tmp_path / name).samples
        np.testing.assert_array_equal(np.rint(samples[..., 0] * top), gray)
        np.testing.assert_array_equal(samples[..., 1], gray != 2)
    picture = Image.fromarray(RGB)
    picture.save(tmp_path / "rgb.png", transparency=tuple(RGB[0, 0].tolist()))
    samples = read_image(tmp_path / "rgb.png").samples
    assert samples.shape == (7, 5, 4)
    assert samples[0, 0, 3] == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_applied_and_said(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(RGB).save(tmp_path / "8.png", exif=exif)
    tifffile.imwrite(
        tmp_path / "16.tif",
        RGB.astype(np.uint16) * 257,
        photometric="rgb",
        extratags=[(274, 3, 1, orientation, False)],
    )
    shallow, deep = read_image(tmp_path / "8.png"), read_image(tmp_path / "16.tif")
    np.testing.assert_array_equal(deep.samples, shallow.samples)
    said = (
        ()
        if orientation == 1
        else ("The picture was turned upright, as the file's orientation says.",)
    )
    assert shallow.notes == deep.notes == said


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    picture = Image.fromarray(RGB)
    picture.convert("CMYK").save(tmp_path / "inks.jpg")
    assert "inks C, M, Y and K" in read_image(tmp_path / "inks.jpg").notes[0]
    picture.save(tmp_path / "two.tif", save_all=True, append_images=[picture])
    assert read_image(tmp_path / "two.tif").notes == (
        "The file has 2 pages, and the first one was taken.",
    )
    for name, said in (("XYZ", 1), ("sRGB", 0)):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()
        picture.save(tmp_path / "icc.png", icc_profile=profile)
        notes = read_image(tmp_path / "icc.png").notes
        assert len(notes) == said
    assert notes == ()


@pytest.mark.parametrize("bits", [1, 16])
def test_a_header_of_more_than_the_file_holds_is_refused_undecoded(
    tmp_path: Path, bits: int
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(200_000, 200_000, bits, 0, b"\0" * 90))
    with pytest.raises(MediaError, match=r"claims 200,000 x 200,000 pixels, .* cannot hold them"):
        read_image(path)


@pytest.mark.parametrize(("width", "said"), [(60_000, "60,000 x 64"), (-127, "4,294,967,169 x 64")])
def test_a_bitmap_of_impossible_width_is_one_sentence(
    tmp_path: Path, width: int, said: str
) -> None:
    head = struct.pack("<2sIHHI", b"BM", 62, 0, 0, 54)
    head += struct.pack("<IiiHHIIiiII", 40, width, 64, 1, 24, 0, 8, 2835, 2835, 0, 0)
    (tmp_path / "a.bmp").write_bytes(head + b"\0" * 8)
    with pytest.raises(MediaError, match=f"claims {said} pixels") as caught:
        read_image(tmp_path / "a.bmp")
    assert "\n" not in str(caught.value)


def test_an_image_larger_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "a.tif"):
        write_image(tmp_path / name, np.zeros((400, 500, 3), dtype=np.float32), bits=16)
    monkeypatch.setattr("geom_miner.memory.free_memory", lambda: 1 << 20)
    for name in ("a.png", "a.tif"):
        with pytest.raises(OutOfMemory, match=r"claims 500 x 400 pixels, needs at least 3\.6 MB"):
            read_image(tmp_path / name)


def test_damaged_deep_images_are_one_sentence(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif"):
        path = tmp_path / name
        write_image(path, RNG.random((30, 20, 3), dtype=np.float32), bits=16)
        path.write_bytes(path.read_bytes()[:700])
        with pytest.raises(MediaError, match=name) as caught:
            read_image(path)
        assert "\n" not in str(caught.value)


def test_the_small_range_is_below_a_quarter_and_that_of_the_widest_channel() -> None:
    samples = np.zeros((4, 4, 2), dtype=np.float32)
    samples[0, 0] = [0.25, 0.5]
    assert small_range(samples) is None
    samples[..., 0], samples[..., 1] = 0.5, 1.0
    samples[1, 2, 0] = 0.625
    found = small_range(samples)
    assert found is not None
    assert (found.lowest, found.extent) == ((0.5, 1.0), 0.125)
    assert small_range(np.full((4, 4, 3), 0.25, dtype=np.float32)) is None
    assert small_range(samples[:0]) is None
    levels = np.linspace(10, 2499, 16).reshape(4, 4, 1)
    (sentence,) = describe_image(ImageSignal((levels / 65535).astype(np.float32), 16))
    assert sentence.startswith("The picture uses 2,490 of 65,536 levels")
