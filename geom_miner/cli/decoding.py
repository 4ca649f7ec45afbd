"""What ``decode`` writes: samples of a model as a stream, and the file that takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geom_miner.cli.region import Region
from geom_miner.errors import MediaError, SettingsError
from geom_miner.media.arrays import NPY_SIGNATURE
from geom_miner.media.images import WRITABLE_IMAGE_SUFFIXES, write_image
from geom_miner.media.sample_stream import SampleStream
from geom_miner.media.samples import FOLDERS, WRITERS
from geom_miner.model.representation import Representation
from geom_miner.outputs import MADE_BY, check_output, check_suffix, equal_or_new
from geom_miner.progress import Progress

# Formats that have no place for the name of a program.
UNSIGNED = (".npy",)


def check_kind(path: Path) -> None:
    """Refuse a file that ``write_samples`` cannot write, before any work is done."""
    pictures = [suffix for suffix in WRITABLE_IMAGE_SUFFIXES if suffix not in WRITERS]
    check_suffix(path, MediaError, (*pictures, *WRITERS))


def sample_stream(
    representation: Representation,
    scale: int,
    region: Region,
    dtype: str,
    compress: bool,
    progress: Progress,
) -> SampleStream:
    """Samples of a region of a scale, decoded when they are asked for."""
    kind = representation.info.kind
    if dtype == "uint8" and kind != "occupancy":
        raise SettingsError(
            f"dtype uint8 is occupancy cut at 1/2 and this model holds an {kind}; leave --dtype out"
        )
    box = (region.start, region.stop)
    return SampleStream(
        representation.grid.at_scale(scale),
        box,
        lambda boxes: representation.decode_boxes(boxes, box, scale),
        representation.scales[0].layout.block_shape,
        channels=representation.channels,
        dtype=np.dtype(dtype),
        compress=compress,
        dropped=region.dropped,
        metadata=_facts(representation, scale, dtype),
        progress=progress,
    )


def write_samples(
    path: Path, stream: SampleStream, *, inputs: Sequence[Path] = (), force: bool = True
) -> tuple[int, ...]:
    """Write a stream to a file, a picture if it is named as one; returns (*shape, channel).

    A file that is an input or belongs to another program is refused before anything is decoded.
    Whose an NPY file is shows only when it is compared with the new one.

    Parameters
    ----------
    inputs : files that are not to be replaced.
    force : replace a file that another program may have written.
    """
    shape = (*stream.shape, stream.channels)
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        _check_picture(path, len(stream.shape))
    signature = NPY_SIGNATURE if suffix in UNSIGNED else b""
    parts = FOLDERS.get(suffix, ())
    check_output(path, MediaError, inputs=inputs, signature=signature, parts=parts, force=force)
    if suffix in WRITERS:
        signed = suffix not in UNSIGNED
        with equal_or_new(path, MediaError, force=force or signed) as target:
            WRITERS[suffix](target, stream)
        return shape
    samples = np.concatenate([slab.reshape(-1) for slab in stream.slabs(0)])
    bits = int(stream.metadata.get("bits", 8))
    write_image(path, samples.astype(np.float32).reshape(shape), bits=bits)
    return shape


def _check_picture(path: Path, axes: int) -> None:
    """Refuse a region that is no picture."""
    if axes == 2:
        return
    remedy = "cut a slice with an index in --region"
    if axes < 2:
        remedy = "give each of 2 axes a range in --region, such as 50:51 instead of 50"
    raise MediaError(
        f"{path.name} must have 2 axes, got a region of {axes} {'axis' if axes == 1 else 'axes'}; "
        f"{remedy}, or write {', '.join(WRITERS)}"
    )


def _facts(representation: Representation, scale: int, dtype: str) -> dict[str, Any]:
    """What is written beside the samples, so that a file tells its own story."""
    info = representation.info
    meanings = {
        "occupancy": "occupancy: 0 outside, 1 inside, the surface where it crosses "
        f"{info.iso_level or 0.5}",
        "image": "image: 0 black, 1 full, per channel",
        "signal": "signal",
    }
    binary = "occupancy: 1 where it is at least 0.5, 0 elsewhere"
    metadata: dict[str, Any] = {
        "software": MADE_BY,
        "source": info.source.name or "a model",
        "scale": scale,
        "value": binary if dtype == "uint8" else meanings[info.kind],
    }
    if info.notice:
        metadata["notice"] = info.notice
    if info.bits is not None:
        metadata["bits"] = info.bits
    return metadata
