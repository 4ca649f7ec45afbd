"""Kernel backends by name; light, so that command lines can list them at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BackendEntry:
    """One backend.

    Parameters
    ----------
    module : that provides ``prepare``, ``evaluate`` and ``train`` for MLPs; loaded on first use.
    cosines : module that provides ``prepare``, ``evaluate`` and ``fit`` for cosine blocks.
    summary : one line for ``--help`` and docs.
    """

    module: str
    cosines: str
    summary: str


BACKENDS: dict[str, BackendEntry] = {
    "reference": BackendEntry(
        "geom_miner.kernels.reference",
        "geom_miner.kernels.cosines.reference",
        "plain PyTorch, on any device; the default on a GPU",
    ),
    "cpu": BackendEntry(
        "geom_miner.kernels.cpu",
        "geom_miner.kernels.cosines.cpu",
        "fused for CPUs, compiled by Numba; the default on a CPU",
    ),
    "gpu": BackendEntry(
        "geom_miner.kernels.gpu",
        "geom_miner.kernels.cosines.reference",
        "fused for CUDA GPUs by Triton (cosine blocks: batched products of PyTorch); has not run "
        "on a GPU yet",
    ),
}
