"""Zarr arrays of samples: a folder with one file per chunk, so that regions can be read alone."""

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

# Samples of a chunk: 64 along each axis of a volume, 1 MiB of float32. It is the smallest size that
# Zarr's guide recommends; larger chunks at the surface would hold more zeros.
_CHUNK_SAMPLES = 1 << 18
# The file of an array's shape and attributes.
_METADATA = "zarr.json"
# Names of the axes of a model's grid: rows and columns of an image, coordinates of a mesh.
_AXIS_NAMES = {2: ("y", "x"), 3: ("x", "y", "z")}


def write_zarr(path: Path, stream: SampleStream) -> None:
    """Write samples as a Zarr array (format 3), chunk by chunk; a chunk is a group of blocks.

    The array is (*shape) for one channel, (*shape, channel) for more. Its fill value is 0, so
    chunks that hold only zeros are neither made nor written. Attributes give the world positions
    along all axes of the signal, dropped axes among them: ``origin`` is the outer corner of the
    first sample, whose center lies half a ``spacing`` further.

    Raises
    ------
    BackendUnavailable
        The package zarr is not installed.
    MediaError
        The folder cannot be written, or ``path`` exists and is no Zarr array. An earlier array of
        this name is left as it was.
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

    with new_folder(path, MediaError, marker=_METADATA) as folder:
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
                **stream.metadata,
                "axes": list(names),
                "origin": list(stream.origin),
                "spacing": list(map(float, stream.grid.spacing)),
                "first_sample": list(stream.box[0]),
            },
        )
        layers = stream.layers(0, chunk[0], anchor=stream.box[0][0])
        decoded = stream.decode(layers)
        for layer in layers:
            for region, samples in _chunks_with_values(stream, next(decoded), layer, chunk):
                array[region] = samples
            stream.progress((layer[1][0] - stream.box[0][0]) / stream.extent[0])


def chunk_extent(stream: SampleStream) -> tuple[int, ...]:
    """Samples per axis of a chunk: a cube of whole blocks, no wider than the box needs."""
    blocks = (_CHUNK_SAMPLES / math.prod(stream.block_shape)) ** (1 / stream.grid.ndim)
    # Rounding may put the root of a whole power just below the whole number.
    per_axis = max(1, math.floor(blocks + 1e-6))
    return tuple(
        min(per_axis, -(-n // size)) * size
        for n, size in zip(stream.extent, stream.block_shape, strict=True)
    )


def _chunks_with_values(
    stream: SampleStream, blocks: SparseBlocks, layer: Box, chunk: tuple[int, ...]
) -> Iterator[tuple[tuple[slice, ...], npt.NDArray[np.generic]]]:
    """The chunks of a layer that hold more than zeros: their region of the array, and samples."""
    first = stream.box[0]
    for corner in itertools.product(*map(range, *layer, chunk)):
        ends = zip(corner, chunk, layer[1], strict=True)
        beyond = tuple(min(a + size, last) for a, size, last in ends)
        if stream.is_zero(blocks, (corner, beyond)):
            continue
        region = tuple(slice(corner[k] - first[k], beyond[k] - first[k]) for k in stream.axes)
        shape = [axis.stop - axis.start for axis in region]
        if stream.channels > 1:
            shape.append(stream.channels)
        yield region, stream.read(blocks, (corner, beyond)).reshape(shape)


def _axis_names(ndim: int) -> tuple[str, ...]:
    return _AXIS_NAMES.get(ndim, tuple(f"axis_{axis}" for axis in range(ndim)))


SAMPLE_WRITERS = {".zarr": write_zarr}
# What an array holds: its metadata, and its chunks unless all samples are 0.
SAMPLE_FOLDERS = {".zarr": (_METADATA, "c")}
