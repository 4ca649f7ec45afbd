"""One scale of a representation whose block functions are sums of few cosines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.pyramid import CUBIC, Interpolation
from geom_miner.grid.sparse import CHUNK_SAMPLES
from geom_miner.kernels.backends import load_cosine_backend

MIXINGS: dict[str, tuple[tuple[float, ...], ...]] = {
    "none": (),
    "ycocg": (
        (0.5773502691896258, 0.7071067811865476, -0.4082482904638631),
        (0.5773502691896258, 0.0, 0.8164965809277261),
        (0.5773502691896258, -0.7071067811865476, -0.4082482904638631),
    ),
}
"""Orthonormal matrices, (channel, coded channel), that decorrelate the channels before coding: a
sample is the matrix times its coded channels. "ycocg" makes red, green and blue of their mean and
of differences orange-blue and green-magenta."""


class Levels(Protocol):
    """Quantized coefficients of rows; ``SparseLevels`` has them at hand, a file's decodes them."""

    @property
    def offsets(self) -> Tensor: ...

    @property
    def places(self) -> Tensor: ...

    @property
    def levels(self) -> Tensor: ...

    def __len__(self) -> int: ...

    def chosen(self, rows: Tensor) -> Levels: ...

    def coefficients(self, first: int, stop: int, samples: int, steps: Tensor) -> Tensor: ...

    def to(self, device: torch.device | str) -> Levels: ...


@dataclass(frozen=True)
class SparseLevels:
    """Quantized coefficients of rows, in compressed rows; a row is one coded channel of a block.

    Parameters
    ----------
    offsets : (row + 1,) int64; row r has the entries offsets[r] to offsets[r + 1].
    places : (n,) int32, row-major position of the frequency inside the block, ascending in a row.
    levels : (n,) int32, multiples of the quantization step, not zero.
    """

    offsets: Tensor
    places: Tensor
    levels: Tensor

    @classmethod
    def from_dense(cls, levels: Tensor) -> SparseLevels:
        """Of (row, sample) int32."""
        row, place = levels.nonzero(as_tuple=True)
        counts = torch.bincount(row, minlength=len(levels))
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return cls(offsets, place.int(), levels[row, place])

    @classmethod
    def stacked(cls, parts: list[SparseLevels]) -> SparseLevels:
        """Rows of several ones after another."""
        if not parts:
            empty = torch.empty(0, dtype=torch.int32)
            return cls(torch.zeros(1, dtype=torch.int64), empty, empty)
        ends = [torch.zeros_like(parts[0].offsets[:1])]
        for part in parts:
            ends.append(part.offsets[1:] + ends[-1][-1])
        places = torch.cat([part.places for part in parts])
        return cls(torch.cat(ends), places, torch.cat([part.levels for part in parts]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def chosen(self, rows: Tensor) -> SparseLevels:
        """The rows of a mask, (row,) bool."""
        counts = self.offsets.diff()
        entries = torch.repeat_interleave(rows, counts)
        offsets = torch.cat([self.offsets[:1] * 0, counts[rows].cumsum(0)])
        return SparseLevels(offsets, self.places[entries], self.levels[entries])

    def coefficients(self, first: int, stop: int, samples: int, steps: Tensor) -> Tensor:
        """Some rows as dense coefficients, levels times (row,) steps: (row, sample) float32."""
        low, high = int(self.offsets[first]), int(self.offsets[stop])
        counts = self.offsets[first : stop + 1].diff()
        row = torch.repeat_interleave(torch.arange(stop - first, device=counts.device), counts)
        dense = torch.zeros(stop - first, samples, device=self.levels.device)
        dense[row, self.places[low:high].long()] = self.levels[low:high] * steps[row]
        return dense

    def to(self, device: torch.device | str) -> SparseLevels:
        """The same rows on another device."""
        moved = [tensor.to(device) for tensor in (self.offsets, self.places, self.levels)]
        return SparseLevels(*moved)


@dataclass(frozen=True)
class BlockCosines:
    """The cosine blocks of one scale and the blocks that need none; see ``ScaleBlocks``.

    Parameters
    ----------
    scale : 0 is the finest.
    layout : blocks of this scale.
    steps : quantization step of each coded channel, in the signal's own values; a coefficient is a
        level times its step, of an orthonormal basis.
    mixing : name of the matrix that makes channels of coded channels, one of ``MIXINGS``.
    varying_ids : (m,) int64, Morton ids, ascending.
    fitted : (m,) bool, which of them have coefficients.
    levels : of f * channels rows, those of a block one after another, in the order of
        ``fitted_ids``.
    constant_ids, constant_values : (k,) int64 ascending and (k, channel) float32.
    limits : least and largest value of a reconstructed sample. A truncated distance is not held to
        anything beyond its band; without limits, cubic interpolation from far values to constant
        blocks could overshoot and make a surface where there is none.
    """

    kind: ClassVar[str] = "cosine"
    interpolation: ClassVar[Interpolation] = CUBIC

    scale: int
    layout: BlockGrid
    steps: tuple[float, ...]
    mixing: str
    varying_ids: Tensor
    fitted: Tensor
    levels: Levels
    constant_ids: Tensor
    constant_values: Tensor
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if len(self.levels) != int(self.fitted.sum()) * self.channels:
            raise BlockShapeError(
                f"levels must have {self.channels} rows for each fitted block, got "
                f"{len(self.levels)} for {int(self.fitted.sum())} blocks"
            )

    @property
    def channels(self) -> int:
        return len(self.steps)

    @property
    def device(self) -> torch.device:
        return self.varying_ids.device

    @property
    def fitted_ids(self) -> Tensor:
        """Morton ids of the blocks with coefficients, (f,)."""
        return self.varying_ids[self.fitted]

    @property
    def num_parameters(self) -> int:
        """Coefficients that are not zero."""
        return self.levels.levels.numel()

    def evaluate(self, chosen: Tensor | None = None, *, backend: str = "auto") -> Tensor:
        """See ``ScaleBlocks.evaluate``."""
        levels, channels = self.levels, self.channels
        if chosen is not None:
            levels = levels.chosen(chosen.repeat_interleave(channels))
        kernel = load_cosine_backend(backend, self.device)
        samples, blocks = self.layout.block_samples, len(levels) // channels
        steps = torch.tensor(self.steps, device=self.device)
        mixing = mixing_matrix(self.mixing, channels).to(self.device)
        out = torch.empty(blocks, samples, channels, device=self.device)
        per_chunk = max(1, CHUNK_SAMPLES // (samples * channels))
        for first in range(0, blocks, per_chunk):
            stop = min(first + per_chunk, blocks)
            dense = levels.coefficients(
                first * channels, stop * channels, samples, steps.repeat(stop - first)
            )
            values = kernel.evaluate(self.layout.block_shape, dense)
            out[first:stop] = values.reshape(-1, channels, samples).transpose(1, 2) @ mixing.T
        return out

    def facts(self) -> Mapping[str, Any]:
        return {"steps": list(self.steps), "mixing": self.mixing}

    def to(self, device: torch.device | str) -> Self:
        """The same scale on another device."""
        names = ("varying_ids", "fitted", "levels", "constant_ids", "constant_values")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


@dataclass(frozen=True)
class CosineBatch:
    """A fitted batch of cosine blocks; see ``FittedBatch``.

    Parameters
    ----------
    levels : rows of the fitted blocks, as in ``BlockCosines``.
    """

    kind: ClassVar[str] = "cosine"

    scale: int
    fitted: Tensor
    levels: SparseLevels


def mixing_matrix(name: str, channels: int) -> Tensor:
    """The matrix of that name, (channel, coded channel) float32."""
    if name not in MIXINGS:
        raise BlockShapeError(f"mixing must be one of {', '.join(MIXINGS)}, got {name!r}")
    matrix = torch.tensor(MIXINGS[name]) if MIXINGS[name] else torch.eye(channels)
    if len(matrix) != channels:
        raise BlockShapeError(f"mixing {name} must have {len(matrix)} channels, got {channels}")
    return matrix
