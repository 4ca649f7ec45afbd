"""Sparse blocks: samples where the signal varies, one number where it does not."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from geom_miner.errors import BlockShapeError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.packing import Packing

# Samples that are gathered at once: 2 MB of float32 and 4 MB of indices. The allocator keeps so
# little and hands it out again, where memory fresh from the system fills at a tenth of the speed;
# it is still enough to hide the cost of a call.
CHUNK_SAMPLES = 1 << 19


@dataclass(frozen=True)
class SparseBlocks:
    """A signal on whole blocks: samples of the blocks that vary, a constant for each other one.

    Parameters
    ----------
    layout : the grid of blocks; the signal outside it is continued by its edge samples.
    ids : (m,) int64
        Morton ids of the varying blocks, strictly ascending.
    values : (m, sample, channel)
        Their samples in row-major order inside the block, any dtype; or, packed, (m, bytes) uint8.
        ``rows`` reads either.
    constants : (*counts, channel), any dtype
        The value of every block that does not vary; ignored where one does.
    packing : how ``values`` are packed, channels beside one another; None if they are not.
    """

    layout: BlockGrid
    ids: Tensor
    values: Tensor
    constants: Tensor
    packing: Packing | None = None

    def __post_init__(self) -> None:
        channels = self.constants.shape[-1]
        if tuple(self.constants.shape[:-1]) != self.layout.counts:
            raise BlockShapeError(
                f"constants must have shape {(*self.layout.counts, 'channel')}, "
                f"got {tuple(self.constants.shape)}"
            )
        expected: tuple[int, ...] = (len(self.ids), self.layout.block_samples, channels)
        if self.packing:
            expected = (len(self.ids), self.packing.row_bytes(self.layout.block_samples * channels))
        if tuple(self.values.shape) != expected:
            raise BlockShapeError(
                f"values must have shape {expected}, got {tuple(self.values.shape)}"
            )
        if len(self.ids) > 1 and not bool((self.ids[1:] > self.ids[:-1]).all()):
            raise BlockShapeError("ids must be strictly ascending")

    @classmethod
    def from_dense(cls, signal: Tensor, layout: BlockGrid) -> SparseBlocks:
        """Cut a dense signal (*shape, channel) into blocks, continuing its edges into padding."""
        padded = signal
        for axis, (n, whole) in enumerate(zip(signal.shape[:-1], layout.shape, strict=True)):
            index = torch.arange(whole, device=signal.device).clamp_(max=n - 1)
            if whole != n:
                padded = padded.index_select(axis, index)
        channels = signal.shape[-1]
        split = [n for cb in zip(layout.counts, layout.block_shape, strict=True) for n in cb]
        order = (*range(0, 2 * layout.ndim, 2), *range(1, 2 * layout.ndim, 2), 2 * layout.ndim)
        blocks = padded.reshape(*split, channels).permute(order)
        blocks = blocks.reshape(layout.num_blocks, layout.block_samples, channels)
        varying = (blocks != blocks[:, :1]).flatten(1).any(dim=1)
        ids = layout.ids_of(layout.all_coordinates(signal.device))
        ids, order_of_ids = ids[varying].sort()
        return cls(
            layout,
            ids,
            blocks[varying][order_of_ids].contiguous(),
            blocks[:, 0].reshape(*layout.counts, channels).contiguous(),
        )

    @classmethod
    def stacked(cls, layers: Sequence[SparseBlocks]) -> SparseBlocks:
        """Put layers, one block thick, equal in layout and packing, next to one another, axis 0."""
        one = layers[0].layout
        layout = BlockGrid((len(layers), *one.counts[1:]), one.block_shape)
        ids = []
        for index, layer in enumerate(layers):
            coordinates = one.coordinates_of(layer.ids)
            coordinates[:, 0] += index
            ids.append(layout.ids_of(coordinates))
        sorted_ids, order = torch.cat(ids).sort()
        values = torch.cat([layer.values for layer in layers])[order]
        constants = torch.cat([layer.constants for layer in layers])
        return cls(layout, sorted_ids, values, constants, layers[0].packing)

    @property
    def varying_ids(self) -> Tensor:
        """Morton ids of the varying blocks, as ``BlockSource`` names them."""
        return self.ids

    @property
    def is_varying(self) -> Tensor:
        """For every block, in row-major order, whether it varies: bool (*counts)."""
        return self.slots >= 0

    @property
    def channels(self) -> int:
        return int(self.constants.shape[-1])

    @property
    def device(self) -> torch.device:
        return self.values.device

    @cached_property
    def slots(self) -> Tensor:
        """For every block, in row-major order, its row in ``values``, or -1: int32 (*counts)."""
        table = torch.full(self.layout.counts, -1, dtype=torch.int32, device=self.device)
        coordinates = self.layout.coordinates_of(self.ids)
        table[tuple(coordinates.T)] = torch.arange(
            len(self.ids), dtype=torch.int32, device=self.device
        )
        return table

    def slots_of(self, ids: Tensor) -> Tensor:
        """Rows in ``values`` of blocks by id, -1 for constant ones: int64 (q,)."""
        return self.slots[tuple(self.layout.coordinates_of(ids).T)].long()

    def constants_of(self, ids: Tensor) -> Tensor:
        """Entries of ``constants`` of blocks by id, (q, channel)."""
        return self.constants[tuple(self.layout.coordinates_of(ids).T)]

    def rows(self, slots: Tensor | slice) -> Tensor:
        """Samples of varying blocks by their row in ``values``: (q, sample, channel) float32."""
        if self.packing is None:
            return self.values[slots].float()
        samples, channels = self.layout.block_samples, self.channels
        flat = self.packing.unpack(self.values[slots], samples * channels)
        return flat.reshape(len(flat), samples, channels)

    def read(self, starts: Tensor, extent: tuple[int, ...]) -> Tensor:
        """Read equal boxes of samples from anywhere, continuing the signal beyond its edges.

        Parameters
        ----------
        starts : (q, ndim) int64, index of each box's first sample; may be negative.
        extent : samples per axis of a box.

        Returns
        -------
        (q, prod(extent), channel) float32
        """
        out = torch.empty(len(starts), math.prod(extent), self.channels, device=self.device)
        per_chunk = max(1, CHUNK_SAMPLES // math.prod(extent))
        for first in range(0, len(starts), per_chunk):
            rows = slice(first, first + per_chunk)
            out[rows] = self._read_chunk(starts[rows], extent)
        return out

    def _read_chunk(self, starts: Tensor, extent: tuple[int, ...]) -> Tensor:
        # Per axis: which block each sample lies in and where inside it; the sums over axes
        # broadcast, so an index is built by ndim additions of (q, *extent) arrays.
        ndim, counts, block_shape = self.layout.ndim, self.layout.counts, self.layout.block_shape
        block = torch.zeros((1,) * (ndim + 1), dtype=torch.int64, device=self.device)
        inner = block
        for axis in range(ndim):
            index = starts[:, axis, None] + torch.arange(extent[axis], device=self.device)
            index = index.clamp_(0, self.layout.shape[axis] - 1)
            view = [len(starts)] + [1] * ndim
            view[axis + 1] = extent[axis]
            block = block * counts[axis] + (index // block_shape[axis]).reshape(view)
            inner = inner * block_shape[axis] + (index % block_shape[axis]).reshape(view)
        block, inner = block.reshape(len(starts), -1), inner.reshape(len(starts), -1)
        out = self.constants.reshape(-1, self.channels)[block].float()
        slot = self.slots.reshape(-1)[block]
        inside = slot >= 0
        row, sample = slot[inside].long(), inner[inside]
        if self.packing is None:
            flat = row * self.layout.block_samples + sample
            out[inside] = self.values.reshape(-1, self.channels)[flat].float()
        else:
            place = sample[:, None] * self.channels + torch.arange(self.channels, device=row.device)
            out[inside] = self.packing.read(self.values, row[:, None].expand_as(place), place)
        return out

    def read_blocks(self, ids: Tensor) -> Tensor:
        """Samples of whole blocks by id, constants spread out: (q, sample, channel) float32."""
        slots = self.slots_of(ids)
        out = self.constants_of(ids).float()[:, None, :].repeat(1, self.layout.block_samples, 1)
        varying = slots >= 0
        out[varying] = self.rows(slots[varying])
        return out

    def read_region(self, start: tuple[int, ...], stop: tuple[int, ...]) -> Tensor:
        """Samples of the half-open box [start, stop): dense (*extent, channel) float32."""
        extent = tuple(b - a for a, b in zip(start, stop, strict=True))
        if min(extent) < 1:
            raise BlockShapeError(f"stop must exceed start on every axis, got {start}, {stop}")
        # Plane by plane along the first axis, so that indices never take n^d memory at once.
        starts = torch.zeros(extent[0], self.layout.ndim, dtype=torch.int64, device=self.device)
        starts[:] = torch.tensor(start, device=self.device)
        starts[:, 0] += torch.arange(extent[0], device=self.device)
        planes = self.read(starts, (1, *extent[1:]))
        return planes.reshape(*extent, self.channels)

    def to_dense(self, shape: tuple[int, ...] | None = None) -> Tensor:
        """The whole signal, or its first ``shape`` samples: (*shape, channel) float32."""
        shape = self.layout.shape if shape is None else shape
        return self.read_region((0,) * self.layout.ndim, shape)

    def to(self, device: torch.device | str) -> SparseBlocks:
        """The same signal on another device."""
        ids, values = self.ids.to(device), self.values.to(device)
        return SparseBlocks(self.layout, ids, values, self.constants.to(device), self.packing)

    def content_digest(self) -> str:
        """SHA-256 of everything that defines the signal, in hexadecimal digits."""
        digest = hashlib.sha256(repr((self.layout, self.packing)).encode())
        for tensor in (self.ids, self.values, self.constants):
            digest.update(str(tensor.dtype).encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def sum(self, shape: tuple[int, ...]) -> float:
        """Sum of the first ``shape`` samples of all channels."""
        if self.layout.shape == shape and self.packing:
            constant = self.constants[~self.is_varying].sum(dtype=torch.int64)
            return int(constant) * self.layout.block_samples + self.packing.sum(self.values)
        pairs = paired_samples(self, self, shape)
        return sum(float((values.double() * weight[:, None]).sum()) for values, _, weight in pairs)

    def map_values(self, function: Callable[[Tensor], Tensor]) -> SparseBlocks:
        """The signal with a function applied to every sample; it must keep shapes."""
        assert self.packing is None
        return replace(self, values=function(self.values), constants=function(self.constants))

    def packed(self, packing: Packing) -> SparseBlocks:
        """The same signal, if its samples are whole multiples of 1 / ``packing.steps``."""
        values = packing.pack(self.rows(slice(None)).flatten(1))
        return replace(self, values=values, packing=packing)

    def extended(self, layout: BlockGrid) -> SparseBlocks:
        """The same signal on a larger grid of equal blocks, its edges continued outwards."""
        if layout == self.layout:
            return self
        if layout.block_shape != self.layout.block_shape or any(
            a < b for a, b in zip(layout.counts, self.layout.counts, strict=True)
        ):
            raise BlockShapeError(f"cannot extend {self.layout} to {layout}")
        coordinates = layout.all_coordinates(self.device)
        last = torch.tensor(self.layout.counts, device=self.device) - 1
        nearest = coordinates.clamp(max=last)
        slots = self.slots[tuple(nearest.T)]
        constants = self.constants[tuple(nearest.T)].reshape(*layout.counts, self.channels)
        varying = slots >= 0
        ids = layout.ids_of(coordinates[varying]).sort().values
        # Blocks of the old grid are taken over whole; beyond it, its edge samples go on.
        values = self.values.new_empty(len(ids), *self.values.shape[1:])
        inside = (layout.coordinates_of(ids) <= last).all(dim=1)
        values[inside] = self.values[self.slots_of(ids[inside])]
        beyond = self.read(layout.starts_of(ids[~inside]), layout.block_shape)
        packed = self.packing.pack(beyond.flatten(1)) if self.packing else beyond
        values[~inside] = packed.to(self.values.dtype)
        return SparseBlocks(layout, ids, values, constants, self.packing)


def paired_samples(
    first: SparseBlocks, second: SparseBlocks, shape: tuple[int, ...]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Walk two signals of one layout side by side without ever building either densely.

    Yields
    ------
    a, b : (n, channel) float32, equal-length samples of the two signals.
    weight : (n,) int64, how many samples of the grid each row stands for: 1 where either
        signal varies, the number of samples of the block where both are constant.
        Samples outside ``shape`` (padding) are left out.
    """
    if first.layout != second.layout:
        raise BlockShapeError(f"layouts differ: {first.layout} and {second.layout}")
    layout, device = first.layout, first.device
    limit = torch.tensor(shape, device=device)
    block_shape = torch.tensor(layout.block_shape, device=device)

    varying = first.is_varying | second.is_varying
    coordinates = layout.all_coordinates(device)
    flat = varying.reshape(-1)
    constant = coordinates[~flat]
    if len(constant):
        size = (limit - constant * block_shape).clamp(min=0).minimum(block_shape)
        index = tuple(constant.T)
        yield (
            first.constants[index].float(),
            second.constants[index].float(),
            size.prod(dim=1),
        )
    ids = layout.ids_of(coordinates[flat])
    local = torch.cartesian_prod(*[torch.arange(b, device=device) for b in layout.block_shape])
    local = local.reshape(-1, layout.ndim)
    per_chunk = max(1, CHUNK_SAMPLES // layout.block_samples)
    for at in range(0, len(ids), per_chunk):
        chunk = ids[at : at + per_chunk]
        inside = ((layout.starts_of(chunk)[:, None] + local) < limit).all(dim=2)
        a, b = first.read_blocks(chunk)[inside], second.read_blocks(chunk)[inside]
        yield a, b, torch.ones(len(a), dtype=torch.int64, device=device)
