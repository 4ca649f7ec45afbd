"""Settings of a fit of cosine blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from geom_miner.constraints import CheckedSettings, Range
from geom_miner.errors import SettingsError
from geom_miner.fit.settings import MAX_SCALES, MOST, FitSettings

# A transform of a longer axis costs more than it gains.
MAX_COSINE_BLOCK = 64


@dataclass(frozen=True)
class CosineSettings(CheckedSettings):
    """How a signal is cut into blocks and how their few cosines are chosen and rounded."""

    kind: ClassVar[str] = "cosine"

    scales: Annotated[int, Range(1, MAX_SCALES)] = 4
    """Scales of the Laplacian pyramid, the finest included."""
    block_size: Annotated[int, Range(2, MAX_COSINE_BLOCK)] = 8
    """Samples along each side of a block; even."""
    step: Annotated[float, Range(above=0, at_most=MOST)] = 0.7
    """Quantization step of the finest scale's coefficients; of a distance, in voxels. A larger one
    makes a smaller file and a larger error."""
    coarse_step: Annotated[float, Range(above=0, at_most=MOST)] = 0.7
    """Quantization step of the coarser scales; of a distance, in their own voxels."""
    sparsity: Annotated[float, Range(at_least=0, at_most=MOST)] = 0.15
    """Threshold below which a coefficient is not worth its bits, in steps."""
    iterations: Annotated[int, Range(1, 10_000)] = 60
    """Steps of descent that choose the coefficients where samples have one-sided bounds."""
    mixing: Literal["auto", "none", "ycocg"] = "auto"
    """Matrix that decorrelates the channels; auto takes ycocg for three."""
    color_step: Annotated[float, Range(above=0, at_most=MOST)] = 1.0
    """Factor on the steps of all but the first channel, where channels are mixed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block_size % 2:
            raise SettingsError(f"block_size must be even, got {self.block_size}")

    @property
    def psnr_goal(self) -> float | None:
        """None: a step does not promise a PSNR."""
        return None

    @property
    def seed(self) -> int:
        """0: nothing is drawn."""
        return 0

    def step_at(self, scale: int) -> float:
        """Quantization step at a scale, in the target's units."""
        return self.coarse_step if scale else self.step

    def steps_at(self, scale: int) -> int:
        """Rounds of a block at a scale: its fit is one."""
        return 1

    def dead_zone_at(self, scale: int) -> float:
        """0: no sample has a dead zone."""
        return 0.0

    def mixing_of(self, channels: int) -> str:
        """Name of the matrix for so many channels."""
        if self.mixing == "auto":
            return "ycocg" if channels == 3 else "none"
        return self.mixing


AnySettings = FitSettings | CosineSettings
"""Settings of any kind of block function."""
