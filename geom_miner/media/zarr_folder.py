"""Zarr arrays: a folder with one file per chunk, so that any part is read without the others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.atomic_files import new_folder
from geom_miner.errors import MediaError, missing_extra
from geom_miner.grid.blocks import Box
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.media.sample_stream import SampleStream

# About 64 samples along each axis of a volume, 1 MB of float32: zarr's advice for the least, and
# so the fewest zeros in chunks that the surface crosses.
_CHUNK_SAMPLES = 1 << 18
# As a model's grid has them: a mesh's coordinates, an image's rows and columns.
_AXIS_NAMES = {2: ("y", "x"), 3: ("x", "y", "z")}


def write_zarr(path: Path | str, stream: SampleStream) -> None:
    """Write samples as a Zarr array (format 3), chunk by chunk; a chunk is a group of blocks.

    The array is (*shape) for one channel, (*shape, channel) for more. Its fill value 0 stands for
    the chunks of nothing but zeros: they are neither spread out nor written. Attributes give the
    world positions of all of the signal's axes, a dropped one among them: ``origin`` is the outer
    corner of the first sample, whose center lies half a ``spacing`` further.

    Raises
    ------
    BackendUnavailable
        The package zarr is not installed.
    MediaError
        The folder cannot be written, or is there and no Zarr array. An earlier one is left as
        it was.
    """
    try:
        import zarr
    except ImportError as error:
        raise missing_extra(
            "writing .zarr needs zarr 3", "zarr", instead="write .nrrd or .npy"
        ) from error

    several = stream.channels > 1
    names = _axis_names(stream.grid.ndim)
    chunk = chunk_extent(stream)
    kept = tuple(chunk[axis] for axis in stream.axes)

    with new_folder(path, MediaError, sign="zarr.json") as folder:
        array = zarr.create_array(
            str(folder),
            shape=(*stream.shape, stream.channels) if several else stream.shape,
            chunks=(*kept, stream.channels) if several else kept,
            dtype=np.dtype(stream.dtype),
            compressors="auto" if stream.compress else None,
            fill_value=0,
            zarr_format=3,
            dimension_names=[*(names[axis] for axis in stream.axes), *["channel"] * several],
            attributes={
                **stream.facts,
                "axes": list(names),
                "origin": list(stream.origin),
                "spacing": list(map(float, stream.grid.spacing)),
                "first_sample": list(stream.box[0]),
            },
        )
        layers = stream.layers(0, chunk[0], anchor=stream.box[0][0])
        parts = stream.decode(layers)
        for layer in layers:
            for where, samples in _chunks(stream, next(parts), layer, chunk):
                array[where] = samples
            stream.on_progress(layer[1][0] - stream.box[0][0], stream.extent[0])


def chunk_extent(stream: SampleStream) -> tuple[int, ...]:
    """Samples per axis of a chunk: whole blocks, a cube of them, no wider than the box needs."""
    blocks = (_CHUNK_SAMPLES / math.prod(stream.block_shape)) ** (1 / stream.grid.ndim)
    # The root of a whole power may come out a hair below it.
    per_axis = max(1, math.floor(blocks + 1e-6))
    return tuple(
        min(per_axis, -(-n // size)) * size
        for n, size in zip(stream.extent, stream.block_shape, strict=True)
    )


def _chunks(
    stream: SampleStream, blocks: SparseBlocks, layer: Box, chunk: tuple[int, ...]
) -> Iterator[tuple[tuple[slice, ...], npt.NDArray[np.generic]]]:
    """The chunks of a layer that hold more than zeros: where in the array, and samples."""
    first = stream.box[0]
    for corner in itertools.product(*map(range, *layer, chunk)):
        ends = zip(corner, chunk, layer[1], strict=True)
        beyond = tuple(min(a + size, last) for a, size, last in ends)
        if stream.is_zero(blocks, (corner, beyond)):
            continue
        where = tuple(slice(corner[k] - first[k], beyond[k] - first[k]) for k in stream.axes)
        shape = [part.stop - part.start for part in where]
        if stream.channels > 1:
            shape.append(stream.channels)
        yield where, stream.read(blocks, (corner, beyond)).reshape(shape)


def _axis_names(ndim: int) -> tuple[str, ...]:
    return _AXIS_NAMES.get(ndim, tuple(f"axis_{axis}" for axis in range(ndim)))
