"""The fused GPU kernel: one Triton program carries one block through all its training steps.

Twin of ``reference``: same signatures, same meaning. Parameters, Adam's moments and the sums of
gradients stay in registers for the whole call; samples pass by in tiles, and a tile's sines,
cosines and errors never leave the chip. A block that meets its tolerance ends its program. The
host waits for nothing.

It has NOT run on a GPU yet. Its arithmetic is checked through Triton's interpreter, and Triton
3.3, 3.4, 3.6 and 3.9 compile it for Hopper (sm_90). An estimate by counting that machine code,
not a measurement: a step costs 62 warp instructions per sample with 3-16-16-1 and 334 with
3-20-20-20-1 (padded to 32). Coordinates and bounds are 20 bytes per sample, mostly from caches,
so instructions are the limit: 132 multiprocessors issuing four a cycle at 1.75 GHz need at least
0.07 and 0.36 ns per sample and step; at half that rate, 1.8 and 0.34 million steps of 16-cubed
blocks per second.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from geom_miner.errors import BackendUnavailable, missing_extra
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.training import BETA1, BETA2, TrainingState, check_bounds

try:
    import triton

    from geom_miner.kernels.gpu_programs import evaluate_program, train_program
except ImportError as error:
    raise missing_extra(
        "backend gpu needs triton", "gpu", instead="use backend reference"
    ) from error

# Samples per tile; a warp holds eight features of them, so a value of a tile is eight registers
# of each thread whatever the width. With 3-16-16-1 that is 6 sums, 2 sines, 2 cosines and the
# operands of one product: 255 registers, none spilled within a tile, 5 KB of shared memory, four
# programs per multiprocessor. 3-20-20-20-1 spills a little within tiles (75 to 135 of 2700
# instructions are for that; 20 KB, two programs). With twice the values per thread hundreds
# spill; a cap of 128 registers, for twice the programs, costs 14 % more instructions.
_TILE = 32
_FEATURES_PER_WARP = 8
# Two 64 x 64 matrices with their moments are what the registers bear.
_MAX_WIDTH = 64
# Samples per program of an evaluation: enough to pay for loading the parameters.
_SPAN = 1024


def prepare() -> None:
    """Triton compiles per architecture at its first launch, which this cannot foresee."""


def evaluate(architecture: MLPArchitecture, parameters: Tensor, coordinates: Tensor) -> Tensor:
    """See ``reference.evaluate``; float32 on a CUDA device only."""
    _check(architecture, parameters, coordinates)
    blocks, samples = len(parameters), len(coordinates)
    out = parameters.new_empty(blocks, samples, architecture.channels)
    if out.numel():
        with torch.cuda.device_of(out):
            evaluate_program[blocks, triton.cdiv(samples, _SPAN)](
                parameters, coordinates, out, samples, SPAN=_SPAN, **_options(architecture)
            )
    return out


def train(
    architecture: MLPArchitecture,
    state: TrainingState,
    coordinates: Tensor,
    lower: Tensor,
    upper: Tensor,
    *,
    learning_rates: Tensor,
    tolerances: Tensor,
) -> None:
    """See ``reference.train``; float32 on a CUDA device only."""
    rows = (state.parameters, state.first_moment, state.second_moment)
    check_bounds(architecture, state, coordinates, lower, upper)
    _check(architecture, *rows, state.losses, coordinates, lower, upper, tolerances)
    if not (lower.numel() and len(learning_rates)):
        return
    # float64, because 1 - 0.999 loses five digits in float32.
    steps = state.steps.double()
    powers = torch.stack([BETA1**steps, BETA2**steps], dim=1)
    rates = learning_rates.double().to(lower.device, non_blocking=True)
    with torch.cuda.device_of(lower):
        train_program[(len(lower),)](
            *rows, state.steps, state.losses, coordinates, lower, upper, tolerances, rates, powers,
            len(coordinates), len(rates), **_options(architecture),
        )  # fmt: skip


def _options(architecture: MLPArchitecture) -> dict[str, float | bool]:
    """What a program is compiled for, and how."""
    padded = max(16, triton.next_power_of_2(architecture.width))
    return {
        "NDIM": architecture.ndim,
        "WIDTH": architecture.width,
        "DEPTH": architecture.depth,
        "CHANNELS": architecture.channels,
        "NUM_PARAMETERS": architecture.num_parameters,
        "TURNS": architecture.omega / math.pi,
        "TILE": _TILE,
        "F": padded,
        "num_warps": padded // _FEATURES_PER_WARP,
        "num_stages": 1,
        "enable_fp_fusion": True,
    }


def _check(architecture: MLPArchitecture, *tensors: Tensor) -> None:
    if architecture.width > _MAX_WIDTH:
        raise BackendUnavailable(
            f"backend gpu takes widths up to {_MAX_WIDTH}, got {architecture.width}; "
            "use backend reference"
        )
    interpreted = not isinstance(train_program, triton.JITFunction)
    for tensor in tensors:
        there = tensor.is_cuda or interpreted
        if not there or tensor.dtype != torch.float32 or not tensor.is_contiguous():
            raise BackendUnavailable(
                "backend gpu must be given contiguous float32 tensors on a CUDA device, got "
                f"{tensor.dtype} on {tensor.device}; use backend reference"
            )
