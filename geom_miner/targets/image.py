"""Target "image": every channel of an image as it is, mean-pooled to coarser scales."""

from __future__ import annotations

from geom_miner.grid.signal_info import SignalInfo, SourceInfo
from geom_miner.grid.target import Target
from geom_miner.media.image_signal import ImageSignal, image_to_blocks


def image_target(
    image: ImageSignal, *, scales: int, block_size: int, source: SourceInfo | None = None
) -> Target:
    """What is fitted to an image."""
    signal, grid = image_to_blocks(image, block_size)
    info = SignalInfo(kind="image", target="image", bits=image.bits, source=source or SourceInfo())
    return Target.pooled(signal, scales, grid, info)
