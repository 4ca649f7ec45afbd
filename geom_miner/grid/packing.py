"""Samples in [0, 1] in one bit or one byte each: occupancy and coverage, 32 or 4 times smaller."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError


@dataclass(frozen=True)
class Packing:
    """How a block's samples, whole multiples of 1 / ``steps`` in [0, 1], are stored in bytes.

    Parameters
    ----------
    steps : 1 stores eight samples in a byte, the first lowest; up to 255 one sample in a byte.
    """

    steps: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 255:
            raise BlockShapeError(f"steps must lie in [1, 255], got {self.steps}")

    @property
    def per_byte(self) -> int:
        """Samples in one byte."""
        return 8 if self.steps == 1 else 1

    def row_bytes(self, samples: int) -> int:
        """Bytes that a row of samples takes."""
        return -(-samples // self.per_byte)

    def pack(self, values: Tensor) -> Tensor:
        """Bytes, (q, row_bytes) uint8, of samples in [0, 1], (q, n), rounded to them."""
        codes = (values * self.steps).round().to(torch.uint8)
        if self.per_byte == 1:
            return codes
        number = self.row_bytes(codes.shape[1])
        codes = torch.nn.functional.pad(codes, (0, 8 * number - codes.shape[1]))
        eights = codes.reshape(len(codes), number, 8)
        return (eights << _places(codes.device)).sum(dim=2, dtype=torch.uint8)

    def unpack(self, rows: Tensor, samples: int) -> Tensor:
        """Samples, (q, samples) float32, of packed rows (q, row_bytes)."""
        if self.per_byte == 8:
            rows = ((rows[:, :, None] >> _places(rows.device)) & 1).flatten(1)[:, :samples]
        return rows.float() / self.steps

    def read(self, rows: Tensor, row: Tensor, sample: Tensor) -> Tensor:
        """Single samples, float32, by row and place in the row, both int64 and of one shape."""
        if self.per_byte == 1:
            return rows[row, sample].float() / self.steps
        return ((rows[row, sample >> 3] >> (sample & 7).to(torch.uint8)) & 1).float()

    def sum(self, rows: Tensor) -> float:
        """Sum of all samples of packed rows."""
        if self.per_byte == 1:
            return int(rows.sum(dtype=torch.int64)) / self.steps
        in_byte = torch.zeros(256, dtype=torch.int64, device=rows.device)
        for place in range(8):
            in_byte += torch.arange(256, device=rows.device) >> place & 1
        counts = torch.bincount(rows.flatten(), minlength=256)
        return int((counts * in_byte).sum())


def _places(device: torch.device) -> Tensor:
    return torch.arange(8, dtype=torch.uint8, device=device)
