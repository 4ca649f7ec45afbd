"""Settings of a fit: blocks, MLPs, optimizer, tolerances."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Protocol

from geom_miner.constraints import CheckedSettings, Range
from geom_miner.errors import SettingsError

Start = Literal["siren", "parent"]
Schedule = Literal["exponential", "cosine"]

# Bounds of a file's scales and MLPs, as ``grid.samples`` and ``kernels.architecture`` state them.
# They are repeated because those modules load PyTorch, and the command line's help must not.
MAX_SCALES, MAX_WIDTH, MAX_DEPTH, MAX_OMEGA = 16, 4096, 64, 1e6
# Far beyond any of use, and float32 still holds their products.
MOST, MOST_STEPS = 1e6, 10**9


class BlockSettings(Protocol):
    """What settings of every kind of block function say."""

    kind: ClassVar[str]
    """Name of the kind of block function."""

    @property
    def scales(self) -> int:
        """Scales of the Laplacian pyramid, the finest included."""

    @property
    def block_size(self) -> int:
        """Samples along each side of a block."""

    @property
    def psnr_goal(self) -> float | None:
        """PSNR in decibels that an image should reach; None if the settings do not say."""

    def steps_at(self, scale: int) -> int:
        """Most steps per block at a scale."""

    def dead_zone_at(self, scale: int) -> float:
        """Dead zone at a scale; 0 for none."""


@dataclass(frozen=True)
class ReleasedCode(CheckedSettings):
    """Settings that only the published MINER code needs; the defaults turn all of them off."""

    coarsest_width_factor: Annotated[int, Range(1, 64)] = 1
    """Widening of the coarsest scale's MLPs; 4 in the released code, 1 in the paper."""
    init_gain_per_scale: Annotated[float, Range(above=0, at_most=MOST)] = 1.0
    """Factor on the initialization gain for each finer scale; 0.5 in the released code for
    volumes."""
    finer_rate_divisor: Annotated[float, Range(above=0, at_most=MOST)] = 1.0
    """Division of the step size at all but the coarsest scale."""
    rate_by_activity: bool = False
    """Multiply the step size by the share of blocks still active; couples the blocks."""
    relative_tolerance: bool = False
    """Take block_tolerance relative to the block's mean squared residual before the fit."""
    plateau: Annotated[float, Range(at_least=0)] = 0.0
    """Leave a coarse scale when its loss changes by less than this in a step; 0 is never."""
    constant_blocks: Literal["exact", "fit"] = "exact"
    """Blocks that are constant in the target: store the number, or fit those badly predicted."""


@dataclass(frozen=True)
class FitSettings(CheckedSettings):
    """How a signal is cut into blocks and how their MLPs are fitted."""

    kind: ClassVar[str] = "mlp"

    scales: Annotated[int, Range(1, MAX_SCALES)] = 4
    """Scales of the pyramid (J in the paper); scale 0 is the finest."""
    block_size: Annotated[int, Range(2, 4096)] = 16
    """Samples along an edge of a block; even."""
    width: Annotated[int, Range(1, MAX_WIDTH)] = 32
    """Outputs of each sine layer (F)."""
    depth: Annotated[int, Range(1, MAX_DEPTH)] = 2
    """Sine layers; the paper's n hidden layers plus its first one."""
    omega: Annotated[float, Range(above=0, at_most=MAX_OMEGA)] = 30.0
    """Frequency of the sines."""
    init_gain: Annotated[float, Range(above=0, at_most=MOST)] = 1.0
    """Scale c of the initial parameters' bounds at the coarsest scale."""
    start: Start = "siren"
    """Initial parameters of a block: a fresh draw, or half of its parent's parameters."""
    learning_rate: Annotated[float, Range(above=0, at_most=MOST)] = 3e-3
    """Adam's step size at the start of a scale."""
    schedule: Schedule = "exponential"
    """How the step size falls over a scale: by the factor ``decay`` a step, or to zero at the last
    step as half a cosine."""
    decay: Annotated[float, Range(above=0, at_most=1)] = 1.0
    """Factor on the step size after every step of an exponential schedule."""
    steps: Annotated[int, Range(1, MOST_STEPS)] = 100
    """Optimizer steps per block at most, at the finest scale."""
    coarse_steps: Annotated[int, Range(1, MOST_STEPS)] = 100
    """Optimizer steps per block at most, at every coarser scale."""
    block_tolerance: Annotated[float, Range(at_least=0)] = 1e-4
    """Mean squared error at which a block is converged and frozen; of a distance, in squared
    voxels of the scale, over the samples near the surface."""
    dead_zone: Annotated[float, Range(at_least=0, below=0.5)] = 0.0
    """Errors within +-dead_zone are not trained, at the finest scale only. For 0-1 signals: a
    block then stops as soon as its loss proves that no sample is on the wrong side of 1/2."""
    certify: bool = False
    """Of a distance, at the finest scale: go on until every sample is on its side of the surface.
    The history says in how many blocks that failed."""
    add_threshold: Annotated[float, Range(at_least=0)] = 1e-4
    """A block gets an MLP where the prediction's mean squared error, taken likewise, exceeds
    this."""
    seed: Annotated[int, Range(at_least=0, below=1 << 63)] = 0
    """Seed of the initial parameters."""
    released: ReleasedCode = ReleasedCode()
    """Settings that only the published MINER code needs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block_size % 2:
            raise SettingsError(f"block_size must be even, got {self.block_size}")

    @property
    def psnr_goal(self) -> float | None:
        """PSNR in decibels of an image of which every block meets its tolerance; None if tolerances
        do not say."""
        if self.released.relative_tolerance or not self.block_tolerance:
            return None
        return -10 * math.log10(self.block_tolerance)

    @property
    def coupled(self) -> bool:
        """Whether blocks of a scale depend on one another, as in the released code."""
        return self.released.rate_by_activity or self.released.plateau > 0

    def steps_at(self, scale: int) -> int:
        """Most steps per block at a scale."""
        return self.coarse_steps if scale else self.steps

    def width_at(self, scale: int) -> int:
        """Width of the MLPs at a scale."""
        coarsest = scale == self.scales - 1
        return self.width * (self.released.coarsest_width_factor if coarsest else 1)

    def gain_at(self, scale: int) -> float:
        """Initialization gain c at a scale."""
        return self.init_gain * self.released.init_gain_per_scale ** (self.scales - 1 - scale)

    def dead_zone_at(self, scale: int) -> float:
        """Dead zone at a scale; coarse targets are no 0-1 signals, so it is 0 there."""
        return 0.0 if scale else self.dead_zone

    def certify_at(self, scale: int) -> bool:
        """Whether a scale is certified."""
        return self.certify and scale == 0

    def learning_rate_at(self, scale: int) -> float:
        """First step size at a scale."""
        coarsest = scale == self.scales - 1
        return self.learning_rate / (1.0 if coarsest else self.released.finer_rate_divisor)
