"""Kernels: tensors in, tensors out. The one switch between their implementations is here.

Every backend offers ``evaluate`` and ``train`` with the signatures of ``reference``.
"""

from __future__ import annotations

import importlib
from typing import Protocol, cast

import torch
from torch import Tensor

from geom_miner.errors import SettingsError
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.cosines.problem import CosineProblem
from geom_miner.kernels.registry import BACKENDS
from geom_miner.kernels.training import TrainingState


class Backend(Protocol):
    """What a kernel module provides."""

    def prepare(self) -> None: ...

    def evaluate(
        self, architecture: MLPArchitecture, parameters: Tensor, coordinates: Tensor
    ) -> Tensor: ...

    def train(
        self,
        architecture: MLPArchitecture,
        state: TrainingState,
        coordinates: Tensor,
        lower: Tensor,
        upper: Tensor,
        *,
        learning_rates: Tensor,
        tolerances: Tensor,
    ) -> None: ...


class CosineBackend(Protocol):
    """What a kernel module of cosine blocks provides."""

    def prepare(self) -> None: ...

    def evaluate(self, block_shape: tuple[int, ...], coefficients: Tensor) -> Tensor: ...

    def fit(self, problem: CosineProblem) -> Tensor: ...


def resolve_backend(name: str, device: torch.device) -> str:
    """What ``auto`` stands for where the tensors lie; other names are checked.

    On a GPU that is the reference: the fused ``gpu`` kernel is proven by Triton's interpreter and
    compiles, but has not run on a device yet, so it has to be asked for.
    """
    if name == "auto":
        return "cpu" if device.type == "cpu" else "reference"
    if name not in BACKENDS:
        raise SettingsError(f"backend must be auto or one of {', '.join(BACKENDS)}, got {name!r}")
    return name


def load_backend(name: str, device: torch.device) -> Backend:
    """The kernel module of that name; it works where the tensors it is given lie."""
    return cast(Backend, importlib.import_module(BACKENDS[resolve_backend(name, device)].module))


def load_cosine_backend(name: str, device: torch.device) -> CosineBackend:
    """The kernel module of that name for cosine blocks; see ``load_backend``."""
    module = BACKENDS[resolve_backend(name, device)].cosines
    return cast(CosineBackend, importlib.import_module(module))


def choose_device(name: str) -> str:
    """``cuda`` or ``cpu`` for auto, cpu or cuda; auto takes a CUDA GPU if there is one."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise SettingsError("device cuda was asked for, but torch finds no CUDA GPU; use cpu")
    return "cuda" if available and name != "cpu" else "cpu"
