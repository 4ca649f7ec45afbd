"""Seconds per optimizer step of each kernel, beside plain autograd."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from geom_miner.kernels import MLPArchitecture, TrainingState, load_backend
from geom_miner.model import initialize_blocks, local_coordinates
from pipelines.benchmarks.peak import step_flops

# What one would write without any kernel; the yardstick that keeps ``reference`` honest.
AUTOGRAD = "autograd"

# Steps per call of a kernel, and calls: the first one warms up.
_STEPS, _CALLS = 5, 7


def time_steps(
    name: str, architecture: MLPArchitecture, block_size: int, blocks: int, device: str
) -> dict[str, float]:
    """Milliseconds per step of all blocks, and floating-point operations per second.

    ``name`` is a kernel or ``autograd``.
    """
    coordinates = local_coordinates((block_size,) * architecture.ndim, device)
    start = initialize_blocks(architecture, torch.arange(blocks), gain=1.0, seed=0, scale=0)
    generator = torch.Generator().manual_seed(0)
    shape = blocks, len(coordinates), architecture.channels
    targets = torch.rand(shape, generator=generator).to(device)
    make = _autograd if name == AUTOGRAD else _kernel(name)
    steps = make(architecture, start.to(device), coordinates, targets)
    seconds = []
    for _ in range(_CALLS):
        _wait(device)
        began = time.perf_counter()
        steps()
        _wait(device)
        seconds.append((time.perf_counter() - began) / _STEPS)
    timed = seconds[1:]
    typical = statistics.median(timed)
    return {
        "ms": 1e3 * typical,
        "best_ms": 1e3 * min(timed),
        "flops": blocks * step_flops(architecture, len(coordinates)) / typical,
        "block_steps_per_second": blocks / typical,
    }


_Make = Callable[[MLPArchitecture, torch.Tensor, torch.Tensor, torch.Tensor], Callable[[], None]]


def _kernel(name: str) -> _Make:
    def make(
        architecture: MLPArchitecture,
        start: torch.Tensor,
        coordinates: torch.Tensor,
        targets: torch.Tensor,
    ) -> Callable[[], None]:
        kernel = load_backend(name, start.device)
        state = TrainingState.start(start)
        rates, tolerances = torch.full((_STEPS,), 1e-3), torch.zeros_like(state.losses)
        return lambda: kernel.train(
            architecture,
            state,
            coordinates,
            targets,
            targets,
            learning_rates=rates,
            tolerances=tolerances,
        )

    return make


def _autograd(
    architecture: MLPArchitecture,
    start: torch.Tensor,
    coordinates: torch.Tensor,
    targets: torch.Tensor,
) -> Callable[[], None]:
    """All blocks' layers as batched products, torch's own gradients and its own Adam."""
    layers = [t.contiguous().requires_grad_() for pair in architecture.unpack(start) for t in pair]
    adam = torch.optim.Adam(layers, lr=1e-3)
    inputs = coordinates.expand(len(start), -1, -1)

    def steps() -> None:
        for _ in range(_STEPS):
            h = inputs
            for k in range(0, len(layers), 2):
                h = torch.baddbmm(layers[k + 1][:, None], h, layers[k])
                if k + 2 < len(layers):
                    h = torch.sin(architecture.omega * h)
            adam.zero_grad()
            (h - targets).square().mean(dim=(1, 2)).sum().backward()
            adam.step()

    return steps


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
