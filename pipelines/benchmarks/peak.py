"""Peak arithmetic of this machine, measured: what the speed of fused kernels is compared with."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import get_num_threads, prange

from geom_miner.compiled_cache import njit
from geom_miner.kernels import LANES, MLPArchitecture, fma, load, store


def fma_peak(device: str = "cpu", tries: int = 5) -> float:
    """Measured peak of a device in FLOP/s: independent FMAs that never leave registers.

    On the CPU all cores together, in vectors; on a CUDA GPU all multiprocessors, without tensor
    cores.

    Raises
    ------
    BackendUnavailable
        Device cuda is asked for and Triton is not installed.
    """
    if device == "cuda":
        from pipelines.benchmarks import gpu_peak

        return gpu_peak.fma_peak(tries)
    threads, repeats = get_num_threads(), 20_000_000
    values = np.full(2 * LANES, 0.3, dtype=np.float32)
    out = np.empty((threads, 10 * LANES), dtype=np.float32)
    _chains(values, out, 1)
    seconds = []
    for _ in range(tries):
        start = time.perf_counter()
        _chains(values, out, repeats)
        seconds.append(time.perf_counter() - start)
    return threads * repeats * 10 * LANES * 2 / min(seconds)


def step_flops(architecture: MLPArchitecture, samples: int) -> float:
    """Floating-point operations of one optimizer step of one block, by convention.

    Products count 2 per weight and sample, forward, to the inputs and to the weights (the first
    layer has no gradient of its inputs); a sine with its cosine counts 22, whatever it takes.
    """
    a = architecture
    products = a.ndim * a.width + (a.depth - 1) * a.width**2 + a.width * a.channels
    return samples * (6.0 * products - 2.0 * a.ndim * a.width + 22.0 * a.width * a.depth)


@njit(parallel=True, fastmath=True)
def _chains(values: npt.NDArray[Any], out: npt.NDArray[Any], repeats: int) -> None:
    for thread in prange(len(out)):
        row = out[thread]
        a, b = load(values, 0), load(values, LANES)
        r0, r1, r2, r3, r4 = a, a, a, a, a
        r5, r6, r7, r8, r9 = b, b, b, b, b
        for _ in range(repeats):
            r0 = fma(r0, b, a)
            r1 = fma(r1, b, a)
            r2 = fma(r2, b, a)
            r3 = fma(r3, b, a)
            r4 = fma(r4, b, a)
            r5 = fma(r5, b, a)
            r6 = fma(r6, b, a)
            r7 = fma(r7, b, a)
            r8 = fma(r8, b, a)
            r9 = fma(r9, b, a)
        store(row, 0, r0)
        store(row, LANES, r1)
        store(row, 2 * LANES, r2)
        store(row, 3 * LANES, r3)
        store(row, 4 * LANES, r4)
        store(row, 5 * LANES, r5)
        store(row, 6 * LANES, r6)
        store(row, 7 * LANES, r7)
        store(row, 8 * LANES, r8)
        store(row, 9 * LANES, r9)
