"""NRRD files of samples: a few lines of text, then raw samples, optionally compressed.

Format: https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

from geom_miner.atomic_files import new_file
from geom_miner.errors import MediaError
from geom_miner.media.sample_stream import SampleStream

# Compression level of zlib. 1 is the fastest; most of a volume is constant, which every level
# compresses equally well.
_GZIP_LEVEL = 1
# Window bits of zlib: 15 for its largest window plus 16 for a gzip header and checksum.
_GZIP_WINDOW = 31
_TYPES = {"float32": "float", "uint8": "uint8"}


def write_nrrd(path: Path, stream: SampleStream) -> None:
    """Write samples as NRRD with an attached header, slab by slab; encoding gzip or raw.

    The signal's first axis is the fastest in the file, which is the order that readers of NRRD
    expect. With several channels, the channel becomes the fastest axis.

    Raises
    ------
    MediaError
        The file cannot be written. An earlier file of this name is left as it was.
    """
    order = (*reversed(range(stream.grid.ndim)), stream.grid.ndim)
    with new_file(path, MediaError) as file:
        file.write(_header(stream).encode())
        compressor = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW)
        for slab in stream.slabs(stream.grid.ndim - 1):
            raw = np.ascontiguousarray(slab.transpose(order)).astype(_little_endian(stream)).data
            file.write(compressor.compress(raw) if stream.compress else raw)
            # Free the slab's memory before the next one is decoded.
            del slab, raw
        if stream.compress:
            file.write(compressor.flush())


def _little_endian(stream: SampleStream) -> np.dtype[np.generic]:
    return np.dtype(stream.dtype).newbyteorder("<")


def _header(stream: SampleStream) -> str:
    """The lines of text above the samples; world positions are those of sample centers."""
    ndim = stream.grid.ndim
    sizes = list(map(str, stream.shape))
    directions = [
        _vector(tuple(stream.grid.spacing[axis] * (k == axis) for k in range(ndim)))
        for axis in stream.axes
    ]
    kinds = ["domain"] * len(sizes)
    if stream.channels > 1:
        sizes.insert(0, str(stream.channels))
        directions.insert(0, "none")
        kinds.insert(0, "list")
    lines = [
        "NRRD0004",
        f"type: {_TYPES[np.dtype(stream.dtype).name]}",
        f"dimension: {len(sizes)}",
        f"space dimension: {ndim}",
        f"sizes: {' '.join(sizes)}",
        f"space directions: {' '.join(directions)}",
        f"kinds: {' '.join(kinds)}",
        "endian: little",
        f"encoding: {'gzip' if stream.compress else 'raw'}",
        f"space origin: {_vector(stream.first_center)}",
        *[f"{name}:={_escaped(value)}" for name, value in stream.metadata.items()],
    ]
    return "\n".join(lines) + "\n\n"


def _vector(entries: tuple[float, ...]) -> str:
    return f"({','.join(repr(float(entry)) for entry in entries)})"


def _escaped(value: object) -> str:
    """A metadata value as one line, with backslash and newline escaped as in C."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("\\", "\\\\").replace("\n", "\\n")


SAMPLE_WRITERS = {".nrrd": write_nrrd}
