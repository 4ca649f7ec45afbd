"""NRRD files: nearly raw samples below a few lines of text (https://teem.sourceforge.net/nrrd)."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

from geom_miner.atomic_files import new_file
from geom_miner.errors import MediaError
from geom_miner.media.sample_stream import SampleStream

# Most of a volume is constant blocks, which every level packs alike; 1 is the quickest.
_GZIP_LEVEL = 1
_GZIP_WINDOW = 31  # zlib's largest window, and a gzip header and checksum around the stream
_TYPES = {"float32": "float", "uint8": "uint8"}


def write_nrrd(path: Path | str, stream: SampleStream) -> None:
    """Write samples as NRRD with an attached header, slab by slab; encoding gzip or raw.

    The signal's first axis is the file's fastest one, so that readers see it first. More than
    one channel makes the fastest axis of all.

    Raises
    ------
    MediaError
        The file cannot be written; an earlier one is left as it was.
    """
    order = (*reversed(range(stream.grid.ndim)), stream.grid.ndim)
    with new_file(path, MediaError) as file:
        file.write(_header(stream).encode())
        packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW)
        for slab in stream.slabs(stream.grid.ndim - 1):
            raw = np.ascontiguousarray(slab.transpose(order)).astype(_stored(stream)).data
            file.write(packer.compress(raw) if stream.compress else raw)
            del slab, raw  # before the next ones are made
        if stream.compress:
            file.write(packer.flush())


def _stored(stream: SampleStream) -> np.dtype[np.generic]:
    return np.dtype(stream.dtype).newbyteorder("<")


def _header(stream: SampleStream) -> str:
    """The lines above the samples; world positions are those of sample centers."""
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
        *[f"{name}:={_word(value)}" for name, value in stream.facts.items()],
    ]
    return "\n".join(lines) + "\n\n"


def _vector(entries: tuple[float, ...]) -> str:
    return f"({','.join(repr(float(entry)) for entry in entries)})"


def _word(value: object) -> str:
    """A fact as one line; the format writes backslash and newline as in C."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("\\", "\\\\").replace("\n", "\\n")
