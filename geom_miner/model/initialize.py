"""Initial parameters, drawn block by block so that any subset of blocks starts the same."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from geom_miner.kernels.architecture import MLPArchitecture

_STARTS = Path(__file__).parent / "starts"


def initialize_blocks(
    architecture: MLPArchitecture, ids: Tensor, *, gain: float, seed: int, scale: int
) -> Tensor:
    """Draw each block's parameters uniformly, as SIREN does but per block (MINER release).

    Weights and biases share the bounds +-gain/d in the first layer, +-sqrt(6 gain/F)/omega in
    hidden ones and +-sqrt(gain/F)/omega in the last.

    Parameters
    ----------
    ids : (q,) Morton ids; a block's draw depends on seed, scale and its id alone.

    Returns
    -------
    (q, parameter) float32 on the device of ``ids``
    """
    uniform = _uniform(ids.cpu().numpy(), architecture.num_parameters, seed=seed, scale=scale)
    parameters = torch.from_numpy(uniform)
    bounds = [gain / architecture.ndim]
    bounds += [math.sqrt(6.0 * gain / architecture.width) / architecture.omega] * (
        architecture.depth - 1
    )
    bounds.append(math.sqrt(gain / architecture.width) / architecture.omega)
    at = 0
    for (fan_in, fan_out), bound in zip(pairwise(architecture.widths), bounds, strict=True):
        size = (fan_in + 1) * fan_out
        parameters[:, at : at + size] *= bound
        at += size
    return parameters.to(ids.device)


def inherit_parameters(
    own: Tensor, ids: Tensor, parents: Tensor, parent_ids: Tensor, *, ndim: int, factor: float
) -> Tensor:
    """Start blocks from their parents' parameters times ``factor``, where the parent has an MLP.

    Parameters
    ----------
    own : (q, parameter), kept for blocks without a fitted parent.
    ids : (q,) Morton ids of the blocks.
    parents, parent_ids : (p, parameter) and (p,) ascending, of the next coarser scale.
    """
    if not len(parent_ids):
        return own
    wanted = ids >> ndim
    row = torch.searchsorted(parent_ids, wanted).clamp(max=len(parent_ids) - 1)
    found = parent_ids[row] == wanted
    return torch.where(found[:, None], factor * parents[row], own)


def _uniform(
    ids: npt.NDArray[np.int64], count: int, *, seed: int, scale: int
) -> npt.NDArray[np.float32]:
    """Uniform float32 numbers in [-1, 1), (block, count), by hashing (seed, scale, id, place)."""
    with np.errstate(over="ignore"):
        key = _mix(np.uint64(seed) + _mix(np.uint64(scale + 1)))
        rows = _mix(ids.astype(np.uint64) + key)
        bits = _mix(rows[:, None] + np.arange(1, count + 1, dtype=np.uint64))
    # 24 bits fill a float32's mantissa exactly.
    return ((bits >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23)) - np.float32(1)


def _mix(x: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection that scatters bits."""
    bits: npt.NDArray[np.uint64] = np.asarray(x, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
