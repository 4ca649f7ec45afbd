"""Target "image": every channel of an image as it is, mean-pooled to coarser scales."""

from __future__ import annotations

from dataclasses import replace

from geom_miner.grid.signal_info import SignalInfo, SourceInfo
from geom_miner.grid.target import Target
from geom_miner.media.image_signal import ImageSignal, image_to_blocks, small_range


def image_target(
    image: ImageSignal, *, scales: int, block_size: int, source: SourceInfo | None = None
) -> Target:
    """What is fitted to an image.

    An image that uses a small range of values is fitted as if it were stretched to [0, 1]: its
    range is the unit of errors, and its lowest values are the base. It decodes to its own values.
    """
    signal, grid = image_to_blocks(image, block_size)
    info = SignalInfo(kind="image", target="image", bits=image.bits, source=source or SourceInfo())
    used = small_range(image.samples)
    if used is None:
        return Target.pooled(signal, scales, grid, info)
    target = Target.pooled(signal, scales, grid, replace(info, value_range=used.extent))
    return replace(target, units=(used.extent,) * scales, base=used.lowest)
