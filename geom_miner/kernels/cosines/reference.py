"""The reference for cosine blocks: plain PyTorch, batched matrix products, on any device."""

from __future__ import annotations

import torch
from torch import Tensor

from geom_miner.kernels.cosines.problem import (
    DROPPED,
    REFIT_STEPS,
    ROUNDED,
    CosineProblem,
    cosine_matrix,
    momenta,
)

# Floats per tensor of a chunk: see ``kernels.reference``.
_CHUNK_FLOATS = {"cpu": 1 << 19, "cuda": 1 << 26}


def prepare() -> None:
    """Nothing is compiled here."""


def evaluate(block_shape: tuple[int, ...], coefficients: Tensor) -> Tensor:
    """Samples of blocks from their coefficients: (row, sample) to (row, sample) float32."""
    inverse = [cosine_matrix(size).float().T.to(coefficients.device) for size in block_shape]
    out = torch.empty_like(coefficients)
    for rows in _chunks(coefficients):
        out[rows] = _transform(coefficients[rows], block_shape, inverse)
    return out


def fit(problem: CosineProblem) -> Tensor:
    """Whole multiples of the steps, (row, sample) int32, by place of their frequency.

    Places are in row-major order, the frequency along the last axis fastest.
    """
    levels = torch.zeros(problem.lower.shape, dtype=torch.int32, device=problem.lower.device)
    for rows in _chunks(problem.lower):
        levels[rows] = _Solver(problem, rows).levels()
    return levels


class _Solver:
    """The fit of some rows at once."""

    def __init__(self, problem: CosineProblem, rows: slice) -> None:
        self._problem, self._shape = problem, problem.block_shape
        self._lower, self._upper = problem.lower[rows], problem.upper[rows]
        self._weights = 1.0 if problem.weights is None else problem.weights[rows]
        self._steps = problem.steps[rows, None]
        matrices = [cosine_matrix(size).float() for size in self._shape]
        self._forward = [matrix.to(self._lower.device) for matrix in matrices]
        self._inverse = [matrix.T for matrix in self._forward]
        # Rounded coefficients are fixed, as are those that were dropped.
        self._free = torch.ones_like(self._lower, dtype=torch.bool)
        self._fixed = torch.zeros_like(self._lower)

    def levels(self) -> Tensor:
        start = torch.zeros_like(self._lower)
        threshold = self._problem.sparsity * self._steps
        # Where no coefficient would leave zero, zero is the minimum.
        worth = (self._gradient(start).abs() > threshold).any(dim=1)
        if not bool(worth.any()):
            return start.int()
        found = self._descend(start, threshold, 1 if self._problem.is_exact else None)
        self._free = (found != 0) & worth[:, None]
        none = torch.zeros_like(self._steps)
        for share in (DROPPED, DROPPED + self._problem.sparsity):
            found = self._descend(found * self._free, none, REFIT_STEPS)
            self._free &= found.abs() > share * self._steps
        for share in ROUNDED:
            self._round(found, share)
            found = self._descend(torch.where(self._free, found, self._fixed), none, REFIT_STEPS)
        self._round(found, 1.0)
        return torch.round(self._fixed / self._steps).int()

    def _descend(self, start: Tensor, threshold: Tensor, count: int | None) -> Tensor:
        current, ahead = start, start
        for momentum in momenta(count or self._problem.iterations):
            moved = ahead - self._gradient(ahead)
            moved = moved - moved.clamp(-threshold, threshold)
            moved = torch.where(self._free, moved, self._fixed)
            ahead = moved + momentum * (moved - current)
            current = moved
        return current

    def _gradient(self, coefficients: Tensor) -> Tensor:
        samples = _transform(coefficients, self._shape, self._inverse)
        errors = (samples - samples.clamp(self._lower, self._upper)) * self._weights
        return _transform(errors, self._shape, self._forward)

    def _round(self, found: Tensor, share: float) -> None:
        """Fix the given share of each row's free coefficients, those nearest to whole numbers."""
        scaled = found / self._steps
        whole = torch.round(scaled)
        distance = torch.where(self._free, (scaled - whole).abs(), 9.0)
        count = (self._free.sum(dim=1, keepdim=True) * share).long()
        ordered = torch.sort(distance, dim=1).values
        last = ordered.gather(1, (count - 1).clamp(min=0))
        now = self._free & (distance <= last)
        if share < 1:
            now &= count > 0
        self._fixed = torch.where(now, whole * self._steps, self._fixed)
        self._free = self._free & ~now


def _transform(rows: Tensor, shape: tuple[int, ...], matrices: list[Tensor]) -> Tensor:
    """Apply a matrix along each axis of rows (row, sample)."""
    out = rows.reshape(len(rows), *shape)
    for axis, matrix in enumerate(matrices, 1):
        out = torch.movedim(torch.movedim(out, axis, -1) @ matrix.T, -1, axis)
    return out.reshape(len(rows), -1)


def _chunks(rows: Tensor) -> list[slice]:
    size = max(1, _CHUNK_FLOATS.get(rows.device.type, 1 << 19) // rows.shape[1])
    return [slice(at, at + size) for at in range(0, len(rows), size)]
