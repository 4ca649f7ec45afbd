"""NPY, NRRD and Zarr files that are written slab by slab hold the dense samples."""

import errno
import gzip
import itertools
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.errors import BackendUnavailable, MediaError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.media.formats.zarr_folder import chunk_extent
from geom_miner.media.sample_stream import Box, SampleStream
from geom_miner.media.samples import WRITERS
from tests.signals import ball, patchy_signals

SUFFIXES = list(WRITERS)


def stream_of(
    signal: torch.Tensor, block_shape: tuple[int, ...], **options: object
) -> SampleStream:
    """A dense signal as a stream, whole unless ``box`` is given."""
    shape = tuple(signal.shape[:-1])
    blocks = SparseBlocks.from_dense(signal, BlockGrid.covering(shape, block_shape))
    grid = SampleGrid(shape, tuple(0.5 + k for k in range(len(shape))), (3.0,) * len(shape))
    parameters = {"box": ((0,) * len(shape), shape), "channels": signal.shape[-1], **options}
    return SampleStream(
        grid, decode=lambda boxes: (blocks for _ in boxes), block_shape=block_shape, **parameters
    )


def read_nrrd(path: Path) -> tuple[dict[str, str], np.ndarray]:
    """Fields, and samples with the fastest axis first, by the definition of the format."""
    head, raw = path.read_bytes().split(b"\n\n", 1)
    magic, *lines = head.decode().splitlines()
    assert magic == "NRRD0004"
    fields = dict(line.split(":=" if ":=" in line else ": ", 1) for line in lines)
    names = [line.split(":", 1)[0] for line in lines]
    assert names.index("dimension") < names.index("sizes")
    assert names.index("space dimension") < names.index("space directions")
    if fields["encoding"] == "gzip":
        raw = gzip.decompress(raw)
    dtype = {"float": "<f4", "uint8": "u1"}[fields["type"]]
    sizes = [int(n) for n in fields["sizes"].split()]
    assert len(sizes) == int(fields["dimension"]) == len(fields["kinds"].split())
    return fields, np.frombuffer(raw, dtype).reshape(sizes, order="F")


def read_back(path: Path, channels: int) -> np.ndarray:
    """The samples of a file of any format, (*shape, channel)."""
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".nrrd":
        samples = read_nrrd(path)[1]
        return samples[..., None] if channels == 1 else np.moveaxis(samples, 0, -1)
    samples = zarr.open_array(path, mode="r")[...]
    return samples[..., None] if channels == 1 else samples


@given(data=st.data(), case=patchy_signals())
@settings(max_examples=80)
def test_files_read_back_as_the_dense_samples(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, case: tuple
) -> None:
    signal, block_shape = case
    shape = signal.shape[:-1]
    start = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    stop = tuple(data.draw(st.integers(a + 1, n)) for a, n in zip(start, shape, strict=True))
    dropped = tuple(
        axis
        for axis in range(len(shape) - 1)
        if stop[axis] - start[axis] == 1 and data.draw(st.booleans())
    )
    dtype = data.draw(st.sampled_from(["float32", "uint8"]))
    suffix = data.draw(st.sampled_from(SUFFIXES))
    stream = stream_of(
        signal,
        block_shape,
        box=(start, stop),
        dropped=dropped,
        dtype=np.dtype(dtype),
        compress=data.draw(st.booleans()),
    )
    path = tmp_path_factory.mktemp("files") / f"a{suffix}"
    WRITERS[suffix](path, stream)
    expected = signal.numpy()[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    expected = expected.squeeze(dropped)
    if dtype == "uint8":
        expected = (expected >= 0.5).astype(np.uint8)
    samples = read_back(path, signal.shape[-1])
    assert samples.dtype == expected.dtype
    assert np.array_equal(samples, expected)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_an_npy_file_is_the_one_numpy_writes(tmp_path: Path) -> None:
    signal = torch.rand(9, 6, 5, 1, generator=torch.Generator().manual_seed(0))
    WRITERS[".npy"](tmp_path / "a.npy", stream_of(signal, (4, 4, 4)))
    np.save(tmp_path / "b.npy", signal.numpy())
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_nrrd_holds_the_positions_of_samples(tmp_path: Path) -> None:
    metadata = {"scale": 1, "value": "two\nlines and a \\"}
    stream = stream_of(
        ball(12), (4, 4, 4), box=((2, 5, 0), (12, 6, 12)), dropped=(1,), metadata=metadata
    )
    WRITERS[".nrrd"](tmp_path / "a.nrrd", stream)
    fields, samples = read_nrrd(tmp_path / "a.nrrd")
    assert samples.shape == (10, 12)
    assert fields["space dimension"] == "3"
    assert fields["space directions"] == "(0.5,0.0,0.0) (0.0,0.0,2.5)"
    # The center of the first sample: origin 3, plus the start and half a sample times the spacing.
    assert fields["space origin"] == "(4.25,11.25,4.25)"
    assert fields["kinds"] == "domain domain"
    assert fields["scale"] == "1"
    assert fields["value"] == "two\\nlines and a \\\\"
    colors = torch.rand(4, 6, 3, generator=torch.Generator().manual_seed(0))
    WRITERS[".nrrd"](tmp_path / "a.nrrd", stream_of(colors, (4, 4)))
    fields, _ = read_nrrd(tmp_path / "a.nrrd")
    assert fields["kinds"] == "list domain domain"
    assert fields["space directions"] == "none (0.5,0.0) (0.0,1.5)"


def test_zarr_holds_the_positions_of_samples_and_leaves_zeros_out(tmp_path: Path) -> None:
    signal = torch.zeros(8, 300, 150, 1)
    signal[:, 290:, :10] = 1.0
    written = {"scale": 2, "value": "occupancy"}
    stream = stream_of(signal, (4, 4, 4), metadata=written, box=((1, 0, 0), (8, 300, 150)))
    assert chunk_extent(stream) == (8, 64, 64)
    WRITERS[".zarr"](tmp_path / "a.zarr", stream)
    files = {
        path.relative_to(tmp_path / "a.zarr").as_posix()
        for path in (tmp_path / "a.zarr").rglob("*")
        if path.is_file()
    }
    assert files == {"zarr.json", "c/0/4/0"}
    metadata = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())
    assert metadata["zarr_format"] == 3
    assert metadata["dimension_names"] == ["x", "y", "z"]
    assert metadata["attributes"] == {
        **written,
        "axes": ["x", "y", "z"],
        "origin": [3.5, 3.0, 3.0],
        "spacing": [0.5, 1.5, 2.5],
        "first_sample": [1, 0, 0],
    }
    assert np.array_equal(read_back(tmp_path / "a.zarr", 1), signal.numpy()[1:])


@pytest.mark.parametrize(
    ("shape", "block", "chunk"),
    [((512,) * 3, 16, 64), ((512,) * 3, 12, 60), ((4096,) * 2, 16, 512), ((5000,), 4, 5000)],
)
def test_a_chunk_is_whole_blocks(shape: tuple[int, ...], block: int, chunk: int) -> None:
    stream = SampleStream(
        SampleGrid.unit(shape), ((0,) * len(shape), shape), iter, (block,) * len(shape)
    )
    assert chunk_extent(stream) == (chunk,) * len(shape)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def broken_stream(error: BaseException, boxes_decoded: int) -> SampleStream:
    """A stream that fails after some boxes; two chunks long on its first axis."""
    signal = torch.rand(200, 8, 8, 1, generator=torch.Generator().manual_seed(0))
    whole = stream_of(signal, (4, 4, 4))

    def decode(boxes: Iterable[Box]) -> Iterator[SparseBlocks]:
        yield from itertools.islice(whole.decode(boxes), boxes_decoded)
        raise error

    return replace(whole, decode=decode)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize("boxes_decoded", [0, 1])
@pytest.mark.parametrize("earlier", [True, False])
def test_a_broken_write_leaves_no_trace(
    tmp_path: Path, suffix: str, error: BaseException, boxes_decoded: int, earlier: bool
) -> None:
    path = tmp_path / f"a{suffix}"
    if earlier:
        WRITERS[suffix](path, stream_of(ball(8), (4, 4, 4)))
    before = contents(tmp_path)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else MediaError
    with pytest.raises(expected):
        WRITERS[suffix](path, broken_stream(error, boxes_decoded))
    assert contents(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == earlier


def test_zarr_replaces_zarr_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    WRITERS[".zarr"](path, stream_of(ball(8), (4, 4, 4)))
    (path / "c" / "stale").write_bytes(b"of the earlier array")
    WRITERS[".zarr"](path, stream_of(torch.zeros(8, 8, 8, 1), (4, 4, 4)))
    assert contents(tmp_path).keys() == {"a.zarr/zarr.json"}
    for name in ("folder.zarr", "file.zarr"):
        other = tmp_path / name
        if name == "file.zarr":
            other.write_bytes(b"mine")
        else:
            other.mkdir()
            (other / "thesis.txt").write_bytes(b"mine")
        before = contents(tmp_path)
        with pytest.raises(MediaError, match=r"it exists and is no \.zarr folder; choose another"):
            WRITERS[".zarr"](other, stream_of(ball(8), (4, 4, 4)))
        assert contents(tmp_path) == before


def test_a_rename_that_fails_puts_the_earlier_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    WRITERS[".zarr"](path, stream_of(ball(8), (4, 4, 4)))
    before = contents(tmp_path)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(MediaError, match="cannot write"):
        WRITERS[".zarr"](path, stream_of(torch.zeros(8, 8, 8, 1), (4, 4, 4)))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_that_cannot_be_written(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(MediaError, match="cannot write"):
        WRITERS[suffix](tmp_path / "none" / f"a{suffix}", stream_of(ball(8), (4, 4, 4)))
    assert list(tmp_path.iterdir()) == []


def test_without_zarr_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(BackendUnavailable, match=r"geom_miner\[zarr\]\", or write \.nrrd"):
        WRITERS[".zarr"](tmp_path / "a.zarr", stream_of(ball(8), (4, 4, 4)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_progress_ascends_to_1(tmp_path: Path, suffix: str) -> None:
    shares: list[float] = []
    stream = stream_of(ball(20), (4, 4, 4), progress=shares.append)
    WRITERS[suffix](tmp_path / f"a{suffix}", stream)
    assert shares == sorted(set(shares))
    assert shares[0] > 0
    assert shares[-1] == 1
