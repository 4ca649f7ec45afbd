"""Read a model file: all of it, its coarse scales, or what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from geom_miner.errors import ModelFileError
from geom_miner.model.representation import Representation
from geom_miner.model.scale_blocks import FittedBatch, ScaleBlocks
from geom_miner.records import RecordError
from geom_miner.storage import sections
from geom_miner.storage.codecs import unpack_batch, unpack_scale
from geom_miner.storage.header import Header
from geom_miner.storage.scale_head import read_head


def load_model(path: Path | str, *, finest: int = 0) -> Representation:
    """Read a representation from the coarsest scale down to ``finest`` and no further.

    Raises
    ------
    ModelFileError
        The file is missing, foreign, damaged, newer, or cut before the wanted scale.
    """
    path = Path(path)
    header, scales, _ = read_scales(path, finest=finest)
    whole = scales[-1].scale if scales else header.num_scales
    if whole > finest:
        have = f"scales {header.num_scales - 1} to {whole} are whole" if scales else "none is whole"
        raise ModelFileError(
            f"{path} is cut short before scale {finest} ({have}); copy it again, or ask for a "
            "coarser level of detail"
        )
    return Representation(
        header.grid, header.num_scales, tuple(scales), header.info, header.metadata
    )


def holds(path: Path, header: Header) -> bool:
    """Whether a complete file with exactly this header is there."""
    try:
        found, scales, _ = read_scales(path, finest=0)
    except ModelFileError:
        return False
    return found.to_json() == header.to_json() and len(scales) == header.num_scales


def scale_bytes(path: Path | str) -> dict[int, int]:
    """Bytes that each scale's section takes in a file."""
    with _explained(Path(path)):
        return {
            read_head(section.payload).scale: len(section.payload)
            for section in sections.walk(Path(path))
            if section.tag == "SCALE"
        }


def describe_model(path: Path | str) -> dict[str, Any]:
    """What a file holds, also one that is cut after a scale: JSON-able facts."""
    path = Path(path)
    header, scales, _ = read_scales(path, finest=None)
    sizes = scale_bytes(path)
    return {
        "complete": len(scales) == header.num_scales,
        "file_bytes": path.stat().st_size,
        "parameters": sum(blocks.num_parameters for blocks in scales),
        "grid": asdict(header.grid),
        "info": {**header.metadata, **header.info.to_json()},
        "scales": [
            {
                "scale": blocks.scale,
                "shape": header.grid.at_scale(blocks.scale).shape,
                "blocks": blocks.layout.num_blocks,
                "varying_blocks": len(blocks.varying_ids),
                "active_blocks": len(blocks.fitted_ids),
                **blocks.facts(),
                "parameters": blocks.num_parameters,
                "bytes": sizes[blocks.scale],
            }
            for blocks in scales
        ],
    }


def read_batches(path: Path, start: int, scale: int) -> tuple[list[FittedBatch], int]:
    """Whole batches of a scale behind an offset, and the offset behind the last of them.

    A batch that cannot be read ends the list.
    """
    batches, end = list[FittedBatch](), start
    for section in sections.walk(path):
        if section.end <= start:
            continue
        try:
            batch = unpack_batch(section.payload) if section.tag == "BATCH" else None
        except ValueError:
            batch = None
        if batch is None or batch.scale != scale:
            break
        batches.append(batch)
        end = section.end
    return batches, end


def read_scales(path: Path, *, finest: int | None) -> tuple[Header, list[ScaleBlocks], int]:
    """Header, whole scales down to ``finest``, and the offset behind the last one used."""
    with _explained(path):
        return _parse(path, sections.walk(path), finest)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever is wrong with a section's contents into one sentence about the file."""
    try:
        yield
    except ModelFileError:
        raise
    except ValueError as error:
        raise ModelFileError(
            f"{path} has contents that this program cannot read ({error}); fit it anew"
        ) from error


def _parse(
    path: Path, walk: Iterator[sections.Section], finest: int | None
) -> tuple[Header, list[ScaleBlocks], int]:
    first = next(walk, None)
    if first is None or first.tag != "HEADER":
        raise ModelFileError(f"{path} is cut short before its header ends; copy it again")
    header = Header.from_payload(first.payload, first.version)
    scales, end = list[ScaleBlocks](), first.end
    if finest is not None and not 0 <= finest < header.num_scales:
        raise ModelFileError(
            f"{path} has scales 0 to {header.num_scales - 1}, not {finest}; ask for one of those"
        )
    for section in walk:
        if section.tag != "SCALE":
            break
        blocks = unpack_scale(section.payload, scales)
        _check_place(blocks, scales[-1] if scales else None, header)
        scales.append(blocks)
        end = section.end
        if scales[-1].scale == finest:
            break
    return header, scales, end


def _check_place(blocks: ScaleBlocks, coarser: ScaleBlocks | None, header: Header) -> None:
    """Refuse a scale that does not continue the coarser ones on the header's grid."""
    expected = coarser.scale - 1 if coarser else header.num_scales - 1
    if blocks.scale != expected:
        raise RecordError(f"scale {blocks.scale} stands where scale {expected} belongs")
    shape = header.grid.at_scale(blocks.scale).shape
    layout = blocks.layout
    if layout.ndim != len(shape) or any(n > m for n, m in zip(shape, layout.shape, strict=True)):
        raise RecordError(f"blocks of shape {layout.shape} must cover {shape} samples")
    if coarser is None:
        return
    if coarser.layout != layout.coarser():
        raise RecordError(f"the blocks of scale {blocks.scale} must halve to those of the next")
    if coarser.channels != blocks.channels:
        raise RecordError(f"scale {blocks.scale} has another number of channels than the next")
