"""What a fit produces and a file holds: block functions for every scale, coarse to fine."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError, SettingsError
from geom_miner.grid.blocks import Box
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.signal_info import SignalInfo
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.memory import require_memory
from geom_miner.model.decode import (
    decode_below,
    decode_blocks,
    decode_scale,
    varying_in_box,
)
from geom_miner.model.memory_need import decoding_bytes, streaming_bytes, table_bytes
from geom_miner.model.scale_blocks import ScaleBlocks

# Points that are interpolated at once. It bounds the memory of a query, not its result.
_QUERY_CHUNK = 1 << 20


@dataclass(frozen=True)
class Representation:
    """A multiscale implicit neural representation of one signal (MINER, ECCV 2022).

    Every decode is defined on the sample grid: a scale is the upsampled coarser scale plus its
    block functions at the sample centers. Point queries interpolate that, as the block functions'
    ``interpolation`` says: linearly for MLPs, by cubic convolution for cosines.

    Parameters
    ----------
    grid : samples of scale 0, true shape without padding.
    num_scales : scales that the complete representation has.
    scales : coarsest first; fewer than ``num_scales`` where finer ones were not loaded or fitted.
    info : what the signal is and where it comes from.
    metadata : JSON-able facts about the fit: settings, backend, versions.
    """

    grid: SampleGrid
    num_scales: int
    scales: tuple[ScaleBlocks, ...]
    info: SignalInfo = field(default_factory=SignalInfo)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = list(range(self.num_scales - 1, -1, -1))[: len(self.scales)]
        if not self.scales or [b.scale for b in self.scales] != expected:
            raise BlockShapeError(
                f"scales must be numbered {self.num_scales - 1} downwards without a gap, "
                f"got {[b.scale for b in self.scales]}"
            )

    def __repr__(self) -> str:
        what = self.info.target or self.info.kind
        name = f" of {self.info.source.name}" if self.info.source.name else ""
        return (
            f"<Representation: {what}{name}, {' x '.join(map(str, self.grid.shape))} samples, "
            f"scales {self.num_scales - 1} to {self.finest_scale}, "
            f"{self.num_parameters:,} parameters>"
        )

    @property
    def finest_scale(self) -> int:
        """The finest scale that is here; 0 for a complete representation."""
        return self.scales[-1].scale

    @property
    def channels(self) -> int:
        return self.scales[0].channels

    @property
    def num_parameters(self) -> int:
        """Trained numbers over all scales that are here."""
        return sum(blocks.num_parameters for blocks in self.scales)

    @property
    def device(self) -> torch.device:
        return self.scales[0].device

    def shape_at(self, scale: int) -> tuple[int, ...]:
        """True samples per axis at a scale."""
        return self.grid.at_scale(scale).shape

    def up_to(self, scale: int) -> tuple[ScaleBlocks, ...]:
        """The scales that one of them needs: the coarsest down to it."""
        if not self.finest_scale <= scale < self.num_scales:
            raise SettingsError(
                f"scale must be one of {self.finest_scale}..{self.num_scales - 1} "
                f"(the scales in this representation), got {scale}"
            )
        return self.scales[: self.num_scales - scale]

    def decode(self, scale: int = 0, *, backend: str = "auto") -> SparseBlocks:
        """Reconstruct one scale, including padding up to whole blocks."""
        require_memory(
            decoding_bytes(self.up_to(scale)),
            f"decoding scale {scale}",
            "take a coarser level (--lod)",
        )
        reconstruction: SparseBlocks | None = None
        for blocks in self.up_to(scale):
            reconstruction = decode_scale(reconstruction, blocks, backend=backend)
        assert reconstruction is not None
        return reconstruction

    def decode_region(
        self,
        start: tuple[int, ...],
        stop: tuple[int, ...],
        scale: int = 0,
        *,
        backend: str = "auto",
    ) -> Tensor:
        """Samples of the half-open index box [start, stop) of a scale: (*extent, channel).

        Decodes only the blocks that the box and its halos touch; equal to cutting the box out of
        the full decode.
        """
        (part,) = self.decode_boxes([(start, stop)], (start, stop), scale, backend=backend)
        return part.read_region(start, stop)

    def decode_boxes(
        self,
        boxes: Iterable[Box],
        region: Box,
        scale: int = 0,
        *,
        backend: str = "auto",
    ) -> Iterator[SparseBlocks]:
        """Decode index boxes of a scale one after the other; equal to the full decode there.

        Coarser scales are decoded once and sparsely, where the region needs them; of the scale
        itself only one box is held at a time.

        Parameters
        ----------
        boxes : half-open boxes of samples inside ``region``.
        region : half-open box of samples inside the scale's shape.

        Yields
        ------
        A signal on the whole scale's blocks that may be read inside the box only.
        """
        scales, shape = self.up_to(scale), self.shape_at(scale)
        if not all(0 <= a < b <= n for a, b, n in zip(*region, shape, strict=True)):
            raise BlockShapeError(
                f"region must lie inside {shape}, got {region[0]} to {region[1]}; "
                "start at 0 or later, stop at the shape or earlier and after the start"
            )
        finest = scales[-1]
        require_memory(
            streaming_bytes(finest, region),
            f"decoding scale {scale}",
            "take a smaller region (--region) or a coarser level (--lod)",
        )
        coarser = decode_below(scales, varying_in_box(finest, region), backend=backend)
        for box in boxes:
            ids = varying_in_box(finest, box)
            yield decode_scale(coarser, finest, only=ids, backend=backend)

    def query(
        self, points: npt.ArrayLike, scale: int = 0, *, backend: str = "auto"
    ) -> npt.NDArray[np.float32]:
        """Interpolate a scale at world positions (q, ndim): (q, channel) float32.

        Beyond the outermost sample centers the signal is continued by its edge samples.
        """
        if np.ndim(points) != 2 or np.shape(points)[1] != self.grid.ndim:
            raise BlockShapeError(
                f"points must have shape (q, {self.grid.ndim}), got {np.shape(points)}"
            )
        require_memory(
            table_bytes(self.up_to(scale)[-1]),
            f"interpolating scale {scale}",
            "take a coarser level (--lod)",
        )
        index = self.grid.at_scale(scale).world_to_index(points)
        if not np.isfinite(index).all():
            raise BlockShapeError("points must be finite, got NaN or infinity")
        parts = [
            self._query_chunk(index[at : at + _QUERY_CHUNK], scale, backend)
            for at in range(0, len(index), _QUERY_CHUNK)
        ]
        empty = np.empty((0, self.channels), dtype=np.float32)
        return np.concatenate([empty, *parts])

    def _query_chunk(
        self, index: npt.NDArray[np.float64], scale: int, backend: str
    ) -> npt.NDArray[np.float32]:
        scales = self.up_to(scale)
        interpolation = scales[-1].interpolation
        layout, last = scales[-1].layout, np.array(self.shape_at(scale)) - 1
        index = np.clip(index, 0, last)
        base = np.minimum(np.floor(index), np.maximum(last - 1, 0)).astype(np.int64)
        position = torch.from_numpy((index - base).astype(np.float32)).to(self.device)
        starts = torch.from_numpy(base).to(self.device) + 1 - interpolation.halo
        taps = 2 * interpolation.halo
        shape = torch.tensor(layout.block_shape, device=self.device)
        limit = torch.from_numpy(last).to(self.device)
        # A block is at least as wide as half the taps, so every block in reach holds one of these.
        offsets = sorted({0, interpolation.halo, taps - 1})
        corners = [
            (starts + torch.tensor(c, device=self.device)).clamp(min=0).minimum(limit)
            for c in itertools.product(offsets, repeat=layout.ndim)
        ]
        touched = torch.unique(torch.cat([layout.ids_of(c // shape) for c in corners]))
        blocks = decode_blocks(scales, touched, backend=backend)
        cell = blocks.read(starts, (taps,) * layout.ndim)
        for axis in range(layout.ndim):
            parts = cell.reshape(len(cell), taps, -1, self.channels)
            if taps == 2:
                cell = torch.lerp(parts[:, 0], parts[:, 1], position[:, axis, None, None])
            else:
                weights = interpolation.weights_at(position[:, axis])
                cell = torch.einsum("qt,qtrc->qrc", weights, parts)
        return cell[:, 0].cpu().numpy()

    def to(self, device: torch.device | str) -> Representation:
        """The same representation on another device."""
        return replace(self, scales=tuple(blocks.to(device) for blocks in self.scales))
