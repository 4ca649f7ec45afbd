"""Read a model file: all of it, its coarse scales, or what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from geom_miner.errors import GeomMinerError, ModelFileError
from geom_miner.model.block_mlps import BlockMLPs, FittedBatch
from geom_miner.model.representation import Representation
from geom_miner.storage import sections
from geom_miner.storage.codecs import unpack_scale
from geom_miner.storage.header import Header, read_head
from geom_miner.storage.mlp_codec import unpack_batch


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
    return {
        int(read_head(section.payload)["scale"]): len(section.payload)
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
                "width": blocks.architecture.width,
                "sine_layers": blocks.architecture.depth,
                "parameters": blocks.num_parameters,
                "bytes": sizes[blocks.scale],
            }
            for blocks in scales
        ],
    }


def read_batches(path: Path, start: int) -> tuple[list[FittedBatch], int]:
    """Whole batches behind an offset, and the offset behind the last of them."""
    batches, end = list[FittedBatch](), start
    for section in sections.walk(path):
        if section.end > start and section.tag == "BATCH":
            batches.append(unpack_batch(section.payload))
            end = section.end
    return batches, end


def read_scales(path: Path, *, finest: int | None) -> tuple[Header, list[BlockMLPs], int]:
    """Header, whole scales down to ``finest``, and the offset behind the last one used."""
    walk = sections.walk(path)
    try:
        return _parse(path, walk, finest)
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        if isinstance(error, GeomMinerError):
            raise
        raise ModelFileError(
            f"{path} has contents that this program cannot read; fit it anew"
        ) from error


def _parse(
    path: Path, walk: Iterator[sections.Section], finest: int | None
) -> tuple[Header, list[BlockMLPs], int]:
    first = next(walk, None)
    if first is None or first.tag != "HEADER":
        raise ModelFileError(f"{path} is cut short before its header ends; copy it again")
    header, scales, end = Header.from_json(first.payload), list[BlockMLPs](), first.end
    if finest is not None and not 0 <= finest < header.num_scales:
        raise ModelFileError(
            f"{path} has scales 0 to {header.num_scales - 1}, not {finest}; ask for one of those"
        )
    for section in walk:
        if section.tag != "SCALE":
            break
        scales.append(unpack_scale(section.payload))
        end = section.end
        if scales[-1].scale == finest:
            break
    return header, scales, end
