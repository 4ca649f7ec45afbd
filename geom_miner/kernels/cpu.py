"""The fused CPU kernel: a block's whole training stays inside one core's cache.

Twin of ``reference``: same signatures, same meaning. Blocks are spread over the cores; within one,
every optimizer step runs tile by tile through forward pass, loss and backward pass, and ends with
Adam, without a temporary that leaves the cache and without returning to Python.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numba import get_num_threads, parallel_chunksize, prange
from numba.np.ufunc.parallel import get_thread_id
from torch import Tensor

from geom_miner.compile_notice import announce_compiling
from geom_miner.compiled_cache import drop_if_stale, njit
from geom_miner.errors import BackendUnavailable, BlockShapeError
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.cpu_buffers import BufferPlan, Floats, plan, workspace
from geom_miner.kernels.cpu_steps import evaluate_block, train_block
from geom_miner.kernels.training import TrainingState, check_bounds

drop_if_stale(
    Path(__file__).parent,
    "cpu.py",
    "cpu_steps.py",
    "cpu_buffers.py",
    "cpu_tile.py",
    "simd.py",
    "training.py",
)


def prepare() -> None:
    """Compile the kernel, or load it from the cache, before any time is measured.

    A logged warning announces a compilation.
    """
    architecture = MLPArchitecture(1, 1, 1, 1, 1.0)
    position, state = torch.zeros(1, 1), TrainingState.start(torch.zeros(1, 4))
    bound = torch.zeros(1, 1, 1)
    with announce_compiling("the CPU kernel", 45):
        train(
            architecture,
            state,
            position,
            bound,
            bound,
            learning_rates=torch.ones(1),
            tolerances=torch.ones(1),
        )
        evaluate(architecture, state.parameters, position)


@announce_compiling("the decoding part of the CPU kernel", 15)
def evaluate(architecture: MLPArchitecture, parameters: Tensor, coordinates: Tensor) -> Tensor:
    """See ``reference.evaluate``; float32 on the CPU only."""
    positions = coordinates.numpy()
    buffer_plan = _checked_plan(architecture, parameters, coordinates)
    out = np.empty((len(parameters), len(positions), architecture.channels), dtype=np.float32)
    with parallel_chunksize(1):
        _evaluate_all(
            _array(parameters),
            buffer_plan,
            architecture.omega,
            workspace(buffer_plan, positions, get_num_threads()),
            out,
        )
    return torch.from_numpy(out)


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
    """See ``reference.train``; float32 on the CPU only."""
    positions = coordinates.numpy()
    buffer_plan = _checked_plan(architecture, state.parameters, coordinates)
    check_bounds(architecture, state, coordinates, lower, upper)
    with parallel_chunksize(1):
        _train_all(
            _array(state.parameters),
            _array(state.first_moment),
            _array(state.second_moment),
            state.steps.numpy(),
            _array(state.losses),
            _array(lower),
            _array(upper),
            learning_rates.to(torch.float64).numpy(),
            _array(tolerances),
            buffer_plan,
            architecture.omega,
            workspace(buffer_plan, positions, get_num_threads()),
        )


def _checked_plan(
    architecture: MLPArchitecture, parameters: Tensor, coordinates: Tensor
) -> BufferPlan:
    """The plan of the buffers; compiled code checks no shapes, so they are checked here."""
    a = architecture
    for name, tensor, columns in (
        ("parameters", parameters, a.num_parameters), ("coordinates", coordinates, a.ndim)
    ):  # fmt: skip
        if tensor.ndim != 2 or tensor.shape[1] != columns:
            raise BlockShapeError(
                f"{name} of {'-'.join(map(str, a.widths))} must have {columns} columns, "
                f"got {tuple(tensor.shape)}"
            )
    return plan(a.ndim, a.width, a.depth, a.channels, coordinates.numpy())


def _array(tensor: Tensor) -> Floats:
    """The tensor's own memory; training writes into it."""
    if tensor.device.type != "cpu" or tensor.dtype != torch.float32 or not tensor.is_contiguous():
        raise BackendUnavailable(
            "backend cpu must be given contiguous float32 tensors on the CPU, got "
            f"{tensor.dtype} on {tensor.device}; use backend reference"
        )
    array: Floats = tensor.numpy()
    return array


@njit(nogil=True, cache=True, parallel=True)
def _train_all(
    parameters: Floats,
    first: Floats,
    second: Floats,
    steps: npt.NDArray[np.int64],
    losses: Floats,
    lower: Floats,
    upper: Floats,
    rates: npt.NDArray[np.float64],
    tolerances: Floats,
    buffer_plan: BufferPlan,
    omega: float,
    buffers: Floats,
) -> None:
    for block in prange(len(parameters)):
        steps[block], losses[block] = train_block(
            parameters[block], first[block], second[block], steps[block], lower[block],
            upper[block], rates, tolerances[block], buffer_plan, omega, buffers[get_thread_id()],
        )  # fmt: skip


@njit(nogil=True, cache=True, parallel=True)
def _evaluate_all(
    parameters: Floats, buffer_plan: BufferPlan, omega: float, buffers: Floats, out: Floats
) -> None:
    for block in prange(len(parameters)):
        evaluate_block(parameters[block], buffer_plan, omega, buffers[get_thread_id()], out[block])
