"""Sections of block MLPs: a JSON line, then the tensors as safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from geom_miner.grid.blocks import BlockGrid
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.model.block_mlps import BlockMLPs, FittedBatch
from geom_miner.storage.header import read_head

_SCALE_DTYPES = {
    "varying_ids": torch.int64,
    "fitted": torch.bool,
    "parameters": torch.float32,
    "constant_ids": torch.int64,
    "constant_values": torch.float32,
}
_BATCH_DTYPES = {"fitted": torch.bool, "parameters": torch.float32}


def pack_scale(blocks: BlockMLPs) -> bytes:
    """The payload of a SCALE section."""
    head = {
        "scale": blocks.scale,
        "counts": blocks.layout.counts,
        "block_shape": blocks.layout.block_shape,
        "architecture": asdict(blocks.architecture),
    }
    return _pack(head, blocks, _SCALE_DTYPES)


def unpack_scale(payload: bytes) -> BlockMLPs:
    """The inverse of ``pack_scale``.

    Raises
    ------
    ValueError, KeyError, TypeError, SafetensorError
        The payload is damaged, or its tensors do not fit together.
    """
    head, packed = read_head(payload), payload.split(b"\n", 1)[1]
    layout = BlockGrid(tuple(head["counts"]), tuple(head["block_shape"]))
    architecture = MLPArchitecture(**head["architecture"])
    tensors = load_tensors(packed)
    for name, dtype in _SCALE_DTYPES.items():
        if tensors[name].dtype != dtype:
            raise ValueError(f"{name} must be {dtype}, got {tensors[name].dtype}")
    fitted = int(tensors["fitted"].sum())
    shapes = {
        "fitted": tensors["varying_ids"].shape,
        "parameters": (fitted, architecture.num_parameters),
        "constant_values": (len(tensors["constant_ids"]), architecture.channels),
    }
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != tuple(shape):
            raise ValueError(f"{name} must have shape {tuple(shape)}")
    counts = torch.tensor(layout.counts)
    for name in ("varying_ids", "constant_ids"):
        ids = tensors[name]
        if bool((ids < 0).any()) or bool((layout.coordinates_of(ids) >= counts).any()):
            raise ValueError(f"{name} must name blocks of the grid")
    return BlockMLPs(
        int(head["scale"]), layout, architecture, **{name: tensors[name] for name in _SCALE_DTYPES}
    )


def pack_batch(batch: FittedBatch) -> bytes:
    """The payload of a BATCH section: a part of a scale that is not whole yet."""
    return _pack({"scale": batch.scale}, batch, _BATCH_DTYPES)


def unpack_batch(payload: bytes) -> FittedBatch:
    """The inverse of ``pack_batch``."""
    tensors = load_tensors(payload.split(b"\n", 1)[1])
    scale = int(read_head(payload)["scale"])
    return FittedBatch(scale, tensors["fitted"], tensors["parameters"])


def _pack(head: Mapping[str, Any], source: object, dtypes: Mapping[str, torch.dtype]) -> bytes:
    """A JSON line, then safetensors of the attributes that are named."""
    tensors = {name: getattr(source, name).cpu().contiguous() for name in dtypes}
    return (
        json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
        + b"\n"
        + save_tensors(tensors)
    )
