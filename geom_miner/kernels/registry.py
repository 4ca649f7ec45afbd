"""Kernel backends by name; light, so that command lines can list them at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BackendEntry:
    """One backend.

    Parameters
    ----------
    module : that provides ``prepare``, ``evaluate`` and ``train``; loaded on first use.
    summary : one line for ``--help`` and docs.
    """

    module: str
    summary: str


BACKENDS: dict[str, BackendEntry] = {
    "reference": BackendEntry(
        "geom_miner.kernels.reference", "plain PyTorch, on any device; the default on a GPU"
    ),
    "cpu": BackendEntry(
        "geom_miner.kernels.cpu", "fused for CPUs, compiled by Numba; the default on a CPU"
    ),
    "gpu": BackendEntry(
        "geom_miner.kernels.gpu", "fused for CUDA GPUs by Triton; has not run on a GPU yet"
    ),
}
