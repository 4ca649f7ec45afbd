"""Settings of a fit: blocks, MLPs, optimizer, tolerances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from geom_miner.errors import SettingsError

Start = Literal["siren", "parent"]
Schedule = Literal["exponential", "cosine"]


def _check(settings: object, rules: Mapping[str, bool]) -> None:
    """Raise a SettingsError for the first rule that does not hold; it begins with the setting."""
    for rule, holds in rules.items():
        if not holds:
            raise SettingsError(f"{rule}, got {getattr(settings, rule.split()[0])!r}")


@dataclass(frozen=True)
class ReleasedCode:
    """Settings that only the published MINER code needs; the defaults turn all of them off."""

    coarsest_width_factor: int = 1
    """Widening of the coarsest scale's MLPs; 4 in the released code, 1 in the paper."""
    init_gain_per_scale: float = 1.0
    """Factor on the initialization gain for each finer scale; 0.5 in the released code for
    volumes."""
    finer_rate_divisor: float = 1.0
    """Division of the step size at all but the coarsest scale."""
    rate_by_activity: bool = False
    """Multiply the step size by the share of blocks still active; couples the blocks."""
    relative_tolerance: bool = False
    """Take block_tolerance relative to the block's mean squared residual before the fit."""
    plateau: float = 0.0
    """Leave a coarse scale when its loss changes by less than this in a step; 0 is never."""
    constant_blocks: Literal["exact", "fit"] = "exact"
    """Blocks that are constant in the target: store the number, or fit those badly predicted."""

    def __post_init__(self) -> None:
        _check(
            self,
            {
                "coarsest_width_factor must be >= 1": self.coarsest_width_factor >= 1,
                "init_gain_per_scale must be > 0": self.init_gain_per_scale > 0,
                "finer_rate_divisor must be > 0": self.finer_rate_divisor > 0,
                "plateau must be >= 0": self.plateau >= 0,
                "constant_blocks must be exact or fit": self.constant_blocks in ("exact", "fit"),
            },
        )


@dataclass(frozen=True)
class FitSettings:
    """How a signal is cut into blocks and how their MLPs are fitted."""

    scales: int = 4
    """Scales of the pyramid (J in the paper); scale 0 is the finest."""
    block_size: int = 16
    """Samples along an edge of a block; even."""
    width: int = 32
    """Outputs of each sine layer (F)."""
    depth: int = 2
    """Sine layers; the paper's n hidden layers plus its first one."""
    omega: float = 30.0
    """Frequency of the sines."""
    init_gain: float = 1.0
    """Scale c of the initial parameters' bounds at the coarsest scale."""
    start: Start = "siren"
    """Initial parameters of a block: a fresh draw, or half of its parent's parameters."""
    learning_rate: float = 3e-3
    """Adam's step size at the start of a scale."""
    schedule: Schedule = "exponential"
    """How the step size falls over a scale: by the factor ``decay`` a step, or to zero at the last
    step as half a cosine."""
    decay: float = 1.0
    """Factor on the step size after every step of an exponential schedule."""
    steps: int = 100
    """Optimizer steps per block at most, at the finest scale."""
    coarse_steps: int = 100
    """Optimizer steps per block at most, at every coarser scale."""
    block_tolerance: float = 1e-4
    """Mean squared error at which a block is converged and frozen; of a distance, in squared
    voxels of the scale, over the samples near the surface."""
    dead_zone: float = 0.0
    """Errors within +-dead_zone are not trained, at the finest scale only. For 0-1 signals: a
    block then stops as soon as its loss proves that no sample is on the wrong side of 1/2."""
    certify: bool = False
    """Of a distance, at the finest scale: go on until every sample is on its side of the surface.
    The history says in how many blocks that failed."""
    add_threshold: float = 1e-4
    """A block gets an MLP where the prediction's mean squared error, taken likewise, exceeds
    this."""
    seed: int = 0
    """Seed of the initial parameters."""
    released: ReleasedCode = ReleasedCode()
    """Settings that only the published MINER code needs."""

    def __post_init__(self) -> None:
        rules = {
            "scales must be 1 to 16": 1 <= self.scales <= 16,
            "block_size must be even and >= 2": self.block_size >= 2 and self.block_size % 2 == 0,
            "width must be >= 1": self.width >= 1,
            "depth must be >= 1": self.depth >= 1,
            "omega must be > 0": self.omega > 0,
            "init_gain must be > 0": self.init_gain > 0,
            "learning_rate must be > 0": self.learning_rate > 0,
            "decay must lie in (0, 1]": 0 < self.decay <= 1,
            "steps must be >= 1": self.steps >= 1,
            "coarse_steps must be >= 1": self.coarse_steps >= 1,
            "block_tolerance must be >= 0": self.block_tolerance >= 0,
            "dead_zone must lie in [0, 0.5)": 0 <= self.dead_zone < 0.5,
            "add_threshold must be >= 0": self.add_threshold >= 0,
            "start must be siren or parent": self.start in get_args(Start),
            "schedule must be exponential or cosine": self.schedule in get_args(Schedule),
            "seed must lie in [0, 2^63)": 0 <= self.seed < 2**63,
        }
        _check(self, rules)

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
