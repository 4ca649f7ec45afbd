"""How good the fit of an image is, and whether that is what its settings aim at."""

from __future__ import annotations

import math
from dataclasses import dataclass

from geom_miner.fit.settings import BlockSettings
from geom_miner.grid.difference import mean_squared_error, peak_signal_to_noise
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.model.representation import Representation


@dataclass(frozen=True)
class ImageQuality:
    """PSNR of the finest level of detail, and its goal, in decibels.

    Attributes
    ----------
    goal : None if the settings have none.
    """

    psnr: float
    goal: float | None

    @property
    def is_missed(self) -> bool:
        """Whether there is a goal, which is not reached."""
        return self.goal is not None and self.psnr < self.goal

    def describe(self) -> str:
        """A sentence; for a missed goal with what to do."""
        if math.isinf(self.psnr):
            return "The finest level of detail equals the picture."
        sentence = f"The finest level of detail has {self.psnr:.1f} dB"
        if self.goal is None:
            return f"{sentence}."
        sentence = f"{sentence}, goal {self.goal:.1f} dB"
        if not self.is_missed:
            return f"{sentence}."
        return f"{sentence}: the goal is missed; raise --steps, --width or --depth."


def image_quality(
    representation: Representation, target: Target, settings: BlockSettings
) -> ImageQuality:
    """Decode the finest scale of a fitted image and compare it with its target."""
    fitted = target.scales[0]
    assert isinstance(fitted, SparseBlocks)
    error = mean_squared_error(representation.decode(0), fitted, target.grid.shape)
    peak = target.info.value_range or 1.0
    return ImageQuality(peak_signal_to_noise(error, peak), settings.psnr_goal)
