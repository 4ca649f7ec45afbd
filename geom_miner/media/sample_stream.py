"""Hand out a signal slab by slab or chunk by chunk, so that writers never hold all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from geom_miner.grid.blocks import Box
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.progress import Progress, silent

# Samples of at least this value count as inside (1) where occupancy is written as bytes.
_INSIDE_FROM = 0.5


@dataclass(frozen=True)
class SampleStream:
    """A box of samples of a signal, of which any region can be decoded.

    Parameters
    ----------
    grid : samples of the whole signal, without padding.
    box : the samples to write, half-open, inside the grid.
    decode : decodes boxes, one after the other, to blocks that may be read inside that box.
    block_shape : samples per axis of a block; regions of whole blocks are cheapest to read.
    channels : numbers per sample.
    dtype : float32, or uint8 for 1 where a sample is at least 0.5 and 0 elsewhere.
    compress : compress the samples, if the file format can.
    dropped : axes that are one sample thick and that the written array leaves out.
    metadata : values that JSON can hold, written beside the samples.
    progress : called with the share of the samples that are written, in (0, 1].
    """

    grid: SampleGrid
    box: Box
    decode: Callable[[Iterable[Box]], Iterator[SparseBlocks]]
    block_shape: tuple[int, ...]
    channels: int = 1
    dtype: npt.DTypeLike = np.float32
    compress: bool = True
    dropped: tuple[int, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = silent

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes of the signal that the written array keeps."""
        return tuple(axis for axis in range(self.grid.ndim) if axis not in self.dropped)

    @property
    def extent(self) -> tuple[int, ...]:
        """Samples per axis of the box, dropped axes among them."""
        return tuple(b - a for a, b in zip(*self.box, strict=True))

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples per kept axis."""
        return tuple(self.extent[axis] for axis in self.axes)

    @property
    def origin(self) -> tuple[float, ...]:
        """World position of the outer corner of the box's first sample, all axes."""
        steps = zip(self.grid.origin, self.grid.spacing, self.box[0], strict=True)
        return tuple(origin + spacing * first for origin, spacing, first in steps)

    @property
    def first_center(self) -> tuple[float, ...]:
        """World position of the center of the box's first sample, all axes."""
        return tuple(float(x) for x in self.grid.index_to_world(self.box[0]))

    def slabs(self, axis: int) -> Iterator[npt.NDArray[np.generic]]:
        """Slabs of samples along one axis, at most a block thick: (*extent of slab, channel)."""
        layers = self.layers(axis, self.block_shape[axis])
        decoded = self.decode(layers)
        for layer in layers:
            # The blocks get no name, so that they are freed before the next ones are decoded.
            yield self.read(next(decoded), layer)
            self.progress((layer[1][axis] - self.box[0][axis]) / self.extent[axis])

    def layers(self, axis: int, thickness: int, *, anchor: int = 0) -> list[Box]:
        """The box, cut along one axis at whole multiples of ``thickness`` from ``anchor``."""
        start, stop = self.box
        first = anchor + (start[axis] - anchor) // thickness * thickness
        cuts = [*range(first + thickness, stop[axis], thickness)]
        ends = zip([start[axis], *cuts], [*cuts, stop[axis]], strict=True)
        return [(_moved(start, axis, a), _moved(stop, axis, b)) for a, b in ends]

    def read(self, blocks: SparseBlocks, box: Box) -> npt.NDArray[np.generic]:
        """Samples of a box as ``dtype``: (*extent, channel).

        Whole blocks are laid out next to each other and the box is cut from them. Unlike
        ``SparseBlocks.read``, this needs no index for each sample.
        """
        size, ndim = self.block_shape, self.grid.ndim
        touched = self._touched(box)
        varying = blocks.is_varying[touched]
        counts = varying.shape
        split = [n for count_and_size in zip(counts, size, strict=True) for n in count_and_size]
        order = (*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2), 2 * ndim)
        samples = np.empty((*split, self.channels), dtype=self.dtype)
        by_block = samples.transpose(order)
        constants = self._as_dtype(blocks.constants[touched])
        by_block[:] = constants.reshape(*counts, *[1] * ndim, self.channels)
        first = torch.tensor([t.start for t in touched], device=blocks.device)
        values = blocks.read_blocks(blocks.layout.ids_of(varying.nonzero() + first))
        by_block[varying.cpu().numpy()] = self._as_dtype(values).reshape(-1, *size, self.channels)
        whole = samples.reshape(*[c * b for c, b in zip(counts, size, strict=True)], -1)
        cut = [
            slice(a - t.start * b, z - t.start * b)
            for a, z, t, b in zip(*box, touched, size, strict=True)
        ]
        return whole[tuple(cut)]

    def is_zero(self, blocks: SparseBlocks, box: Box) -> bool:
        """Whether every block that a box touches is the constant 0.

        False does not exclude that all samples of the box are 0.
        """
        touched = self._touched(box)
        if bool(blocks.is_varying[touched].any()):
            return False
        return not self._as_dtype(blocks.constants[touched]).any()

    def _touched(self, box: Box) -> tuple[slice, ...]:
        """The range of blocks, per axis, that hold samples of a box."""
        return tuple(
            slice(a // size, -(-b // size))
            for a, b, size in zip(*box, self.block_shape, strict=True)
        )

    def _as_dtype(self, samples: torch.Tensor) -> npt.NDArray[np.generic]:
        if np.dtype(self.dtype) == np.uint8:
            samples = (samples >= _INSIDE_FROM).to(torch.uint8)
        array: npt.NDArray[np.generic] = samples.cpu().numpy()
        return array


def _moved(corner: tuple[int, ...], axis: int, index: int) -> tuple[int, ...]:
    return (*corner[:axis], index, *corner[axis + 1 :])
