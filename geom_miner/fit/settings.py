"""Settings of a fit and the presets that users choose by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from geom_miner.errors import SettingsError

Start = Literal["siren", "parent", "learned"]
Schedule = Literal["exponential", "cosine"]


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
    coarsest_width_factor: int = 1
    """Widening of the coarsest scale's MLPs; 4 in the released code, 1 in the paper."""
    init_gain: float = 1.0
    """Scale c of the initial parameters' bounds at the coarsest scale."""
    init_gain_per_scale: float = 1.0
    """Factor on c for each finer scale; 0.5 in the released code for volumes."""
    start: Start = "siren"
    """Where a block starts: a fresh draw, half of its parent's parameters, or, at the finest
    scale, the parameters learned for this architecture on other shapes."""
    learning_rate: float = 3e-3
    """Adam's step size at the start of a scale."""
    schedule: Schedule = "exponential"
    """How the step size falls over a scale: by the factor ``decay`` a step, or to zero at the last
    step as half a cosine."""
    decay: float = 1.0
    """Factor on the step size after every step of an exponential schedule."""
    finer_rate_divisor: float = 1.0
    """Division of the step size at all but the coarsest scale."""
    rate_by_activity: bool = False
    """Multiply the step size by the share of blocks still active; couples the blocks."""
    steps: int = 100
    """Optimizer steps per block at most, at the finest scale."""
    coarse_steps: int = 100
    """Optimizer steps per block at most, at every coarser scale."""
    block_tolerance: float = 1e-4
    """Mean squared error at which a block is converged and frozen; of a distance, in squared
    voxels of the scale, over the samples near the surface."""
    relative_tolerance: bool = False
    """Take block_tolerance relative to the block's mean squared residual before the fit."""
    dead_zone: float = 0.0
    """Errors within +-dead_zone are not trained, at the finest scale only. For 0-1 signals: a
    block then stops as soon as its loss proves that no sample is on the wrong side of 1/2."""
    certify: bool = False
    """Of a distance, at the finest scale: go on until every sample is on its side of the surface.
    The history says in how many blocks that failed."""
    add_threshold: float = 1e-4
    """A block gets an MLP where the prediction's mean squared error, taken likewise, exceeds
    this."""
    plateau: float = 0.0
    """Leave a coarse scale when its loss changes by less than this in a step; 0 is never."""
    constant_blocks: Literal["exact", "fit"] = "exact"
    """Blocks that are constant in the target: store the number, or fit those badly predicted."""
    seed: int = 0
    """Seed of the initial parameters."""

    def __post_init__(self) -> None:
        rules = {
            "scales must be 1 to 16": 1 <= self.scales <= 16,
            "block_size must be even and >= 2": self.block_size >= 2 and self.block_size % 2 == 0,
            "width must be >= 1": self.width >= 1,
            "depth must be >= 1": self.depth >= 1,
            "omega must be > 0": self.omega > 0,
            "coarsest_width_factor must be >= 1": self.coarsest_width_factor >= 1,
            "init_gain must be > 0": self.init_gain > 0,
            "init_gain_per_scale must be > 0": self.init_gain_per_scale > 0,
            "learning_rate must be > 0": self.learning_rate > 0,
            "decay must lie in (0, 1]": 0 < self.decay <= 1,
            "finer_rate_divisor must be > 0": self.finer_rate_divisor > 0,
            "steps must be >= 1": self.steps >= 1,
            "coarse_steps must be >= 1": self.coarse_steps >= 1,
            "block_tolerance must be >= 0": self.block_tolerance >= 0,
            "dead_zone must lie in [0, 0.5)": 0 <= self.dead_zone < 0.5,
            "add_threshold must be >= 0": self.add_threshold >= 0,
            "plateau must be >= 0": self.plateau >= 0,
            "start must be siren, parent or learned": self.start in get_args(Start),
            "schedule must be exponential or cosine": self.schedule in get_args(Schedule),
            "constant_blocks must be exact or fit": self.constant_blocks in ("exact", "fit"),
            "seed must lie in [0, 2^63)": 0 <= self.seed < 2**63,
        }
        for rule, holds in rules.items():
            if not holds:
                raise SettingsError(f"{rule}, got {getattr(self, rule.split()[0])!r}")

    @property
    def coupled(self) -> bool:
        """Whether blocks of a scale depend on one another, as in the released code."""
        return self.rate_by_activity or self.plateau > 0

    def steps_at(self, scale: int) -> int:
        """Most steps per block at a scale."""
        return self.coarse_steps if scale else self.steps

    def width_at(self, scale: int) -> int:
        """Width of the MLPs at a scale."""
        coarsest = scale == self.scales - 1
        return self.width * (self.coarsest_width_factor if coarsest else 1)

    def gain_at(self, scale: int) -> float:
        """Initialization gain c at a scale."""
        return self.init_gain * self.init_gain_per_scale ** (self.scales - 1 - scale)

    def dead_zone_at(self, scale: int) -> float:
        """Dead zone at a scale; coarse targets are no 0-1 signals, so it is 0 there."""
        return 0.0 if scale else self.dead_zone

    def certify_at(self, scale: int) -> bool:
        """Whether a scale is certified."""
        return self.certify and scale == 0

    def learning_rate_at(self, scale: int) -> float:
        """First step size at a scale."""
        coarsest = scale == self.scales - 1
        return self.learning_rate / (1.0 if coarsest else self.finer_rate_divisor)


_PAPER_VOLUME = FitSettings(
    width=16, depth=3, learning_rate=1e-3, steps=2000, coarse_steps=2000,
    block_tolerance=1e-4, add_threshold=1e-4, plateau=2e-6, init_gain_per_scale=0.5,
    constant_blocks="fit",
)  # fmt: skip

_PAPER_IMAGE = FitSettings(
    block_size=32, width=20, depth=3, learning_rate=5e-4, decay=0.999, steps=500,
    coarse_steps=500, block_tolerance=1e-4, add_threshold=1e-4, plateau=2e-7,
    constant_blocks="fit",
)  # fmt: skip

# A distance, for the truest surface.
_SURFACE = FitSettings(
    width=26, learning_rate=8e-3, schedule="cosine", steps=200, coarse_steps=200,
    block_tolerance=0.001**2, add_threshold=0.004**2,
)  # fmt: skip

PRESETS: dict[str, FitSettings] = {
    # Ours, chosen by measurement; see docs/performance.md.
    "volume": FitSettings(),
    # Exact voxels at the lowest cost: a block stops once it provably has no wrong voxel.
    "fast": FitSettings(width=24, learning_rate=6e-3, dead_zone=0.3, coarse_steps=12),
    # A smoother field between the samples: truer normals, at 1.7 times the cost.
    "fine": FitSettings(learning_rate=2e-3, omega=20.0, steps=200),
    "surface": _SURFACE,
    # The same with every voxel on its side, for a little less true a surface.
    "exact": replace(_SURFACE, certify=True),
    "image": FitSettings(width=16, learning_rate=5e-3, coarse_steps=30),
    # Two thirds of the numbers, for about one dB less and three times the time.
    "image-compact": FitSettings(block_size=32, width=20, depth=3, learning_rate=2e-3),
    # The paper's figures (section 4); what it leaves open (omega, decay of volumes, the loss
    # change that ends a volume's scale) is taken from SIREN and from the released code.
    "miner-paper-volume": _PAPER_VOLUME,
    "miner-paper-image": _PAPER_IMAGE,
    # The released code's configuration files and literals.
    "miner-release-volume": replace(
        _PAPER_VOLUME, width=20, coarsest_width_factor=4, decay=0.999, rate_by_activity=True,
        finer_rate_divisor=1.2**4, block_tolerance=2e-4, relative_tolerance=True,
        add_threshold=5e-4,
    ),
    "miner-release-image": replace(
        _PAPER_IMAGE, width=18, omega=150.0, coarsest_width_factor=4, rate_by_activity=True,
        relative_tolerance=True, add_threshold=5e-4, plateau=5e-7, start="parent",
    ),
}  # fmt: skip

# Presets whose steps, rates and tolerances are for the distance to a surface, not for occupancy.
DISTANCE_PRESETS = ("surface", "exact")


def target_for(preset_name: str) -> Literal["occupancy", "distance"]:
    """What a preset's steps, rates and tolerances are for."""
    return "distance" if preset_name in DISTANCE_PRESETS else "occupancy"


def preset(name: str) -> FitSettings:
    """The settings of that name; a SettingsError lists the names there are."""
    if name not in PRESETS:
        raise SettingsError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]
