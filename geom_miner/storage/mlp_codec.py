"""Sections of block MLPs: a JSON line, then the tensors as safetensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from geom_miner.grid.blocks import BlockGrid
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.model.block_mlps import BlockMLPs, MLPBatch
from geom_miner.records import RecordError
from geom_miner.storage.scale_head import SectionHead, split_head, split_scale_head

VERSION = 1
# Magnitudes of parameters at most: of hidden layers, and of the output layer, which is in the
# signal's units. No fit comes near them, and with them no output overflows.
_MOST_HIDDEN, _MOST_OUTPUT = 1e12, 1e30

_SCALE_DTYPES = {
    "varying_ids": torch.int64,
    "fitted": torch.bool,
    "parameters": torch.float32,
    "constant_ids": torch.int64,
    "constant_values": torch.float32,
}
_BATCH_DTYPES = {"fitted": torch.bool, "parameters": torch.float32}


def pack_scale(blocks: BlockMLPs, coarser: Sequence[BlockMLPs] = ()) -> bytes:
    """The payload of a SCALE section, which does not depend on the coarser scale."""
    head = {
        "scale": blocks.scale,
        "counts": blocks.layout.counts,
        "block_shape": blocks.layout.block_shape,
        "architecture": asdict(blocks.architecture),
    }
    return _pack(head, blocks, _SCALE_DTYPES)


def unpack_scale(payload: bytes, coarser: Sequence[BlockMLPs] = ()) -> BlockMLPs:
    """The inverse of ``pack_scale``.

    Raises
    ------
    ValueError
        The payload is damaged, or its tensors do not fit together.
    """
    head, packed = split_scale_head(payload)
    tensors = _unpack(packed, _SCALE_DTYPES)
    fitted, constants = _count(tensors["fitted"]), len(tensors["constant_ids"])
    shapes = {
        "varying_ids": (tensors["varying_ids"].numel(),),
        "fitted": (tensors["varying_ids"].numel(),),
        "parameters": (fitted, head.architecture.num_parameters),
        "constant_ids": (constants,),
        "constant_values": (constants, head.architecture.channels),
    }
    for name, shape in shapes.items():
        _check_shape(name, tensors[name], shape)
    _check_magnitudes(tensors["parameters"], head.architecture)
    for name in ("varying_ids", "constant_ids"):
        _check_ids(name, tensors[name], head.layout)
    return BlockMLPs(head.scale, head.layout, head.architecture, **tensors)


def pack_batch(batch: MLPBatch) -> bytes:
    """The payload of a BATCH section: a part of a scale that is not whole yet."""
    return _pack({"scale": batch.scale}, batch, _BATCH_DTYPES)


def unpack_batch(payload: bytes) -> MLPBatch:
    """The inverse of ``pack_batch``.

    Raises
    ------
    ValueError
        The payload is damaged, or its tensors do not fit together.
    """
    head, packed = split_head(payload, SectionHead)
    tensors = _unpack(packed, _BATCH_DTYPES)
    fitted, parameters = tensors["fitted"], tensors["parameters"]
    _check_shape("fitted", fitted, (fitted.numel(),))
    _check_shape("parameters", parameters, (_count(fitted), *parameters.shape[1:2]))
    return MLPBatch(head.scale, fitted, parameters)


def _pack(head: Mapping[str, Any], source: object, dtypes: Mapping[str, torch.dtype]) -> bytes:
    """A JSON line, then safetensors of the attributes that are named."""
    tensors = {name: getattr(source, name).cpu().contiguous() for name in dtypes}
    return (
        json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
        + b"\n"
        + save_tensors(tensors)
    )


def _unpack(packed: bytes, dtypes: Mapping[str, torch.dtype]) -> dict[str, Tensor]:
    """The named tensors of a safetensors file, their types and numbers checked."""
    try:
        tensors = load_tensors(packed)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise RecordError(f"its tensors cannot be read: {error}") from error
    for name, dtype in dtypes.items():
        if name not in tensors or tensors[name].dtype != dtype:
            raise RecordError(f"{name} must be there and be {dtype}")
        _check_numbers(name, tensors[name])
    return {name: tensors[name] for name in dtypes}


def _check_numbers(name: str, tensor: Tensor) -> None:
    """Refuse NaN and infinity, and bytes of a truth value that are neither 0 nor 1."""
    if not tensor.numel():
        return
    if tensor.dtype == torch.bool:
        if int(tensor.view(torch.uint8).max()) > 1:
            raise RecordError(f"{name} must hold 0 and 1")
    elif tensor.dtype.is_floating_point:
        # The ends of the range are NaN where any number is, and no copy is made to find them.
        low, high = torch.aminmax(tensor)
        if not (math.isfinite(float(low)) and math.isfinite(float(high))):
            raise RecordError(f"{name} must be finite, got NaN or infinity")


def _check_magnitudes(parameters: Tensor, architecture: MLPArchitecture) -> None:
    """Refuse parameters so large that a decoded sample could be infinite or NaN."""
    outputs = (architecture.width + 1) * architecture.channels
    hidden, output = parameters[:, :-outputs], parameters[:, -outputs:]
    for layer, most in ((hidden, _MOST_HIDDEN), (output, _MOST_OUTPUT)):
        if layer.numel() and max(map(abs, map(float, torch.aminmax(layer)))) > most:
            raise RecordError(f"parameters must lie within +-{most:g}")


def _check_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise RecordError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")


def _check_ids(name: str, ids: Tensor, layout: BlockGrid) -> None:
    """Ids must ascend and name blocks of the grid."""
    if len(ids) > 1 and not bool((ids[1:] > ids[:-1]).all()):
        raise RecordError(f"{name} must ascend")
    # Ids ascend, so the last is the largest: beyond it, bits would be cut off.
    bits = layout.ndim * max((max(layout.counts) - 1).bit_length(), 1)
    if len(ids) and not 0 <= int(ids[0]) <= int(ids[-1]) < 1 << bits:
        raise RecordError(f"{name} must name blocks of the grid")
    if bool((layout.coordinates_of(ids) >= torch.tensor(layout.counts)).any()):
        raise RecordError(f"{name} must name blocks of the grid")


def _count(fitted: Tensor) -> int:
    return int(fitted.sum())
