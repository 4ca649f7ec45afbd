"""Presets: settings, the target they are made for, and one sentence, under one name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from geom_miner.errors import SettingsError
from geom_miner.fit.cosine_settings import AnySettings, CosineSettings
from geom_miner.fit.settings import FitSettings, ReleasedCode


@dataclass(frozen=True)
class Preset:
    """A way to fit that users choose by name.

    Parameters
    ----------
    target : name of the target that steps, rates and tolerances are made for.
    summary : one line for ``--help``, docs and reports.
    """

    settings: AnySettings
    target: str
    summary: str


_SURFACE = FitSettings(
    width=26,
    learning_rate=8e-3,
    schedule="cosine",
    steps=200,
    coarse_steps=200,
    block_tolerance=0.001**2,
    add_threshold=0.004**2,
)

# The paper's figures (section 4). What it leaves open (omega, the decay of volumes, the change of
# loss that ends a volume's scale) comes from SIREN and from the released code.
_PAPER_VOLUME = FitSettings(
    width=16,
    depth=3,
    learning_rate=1e-3,
    steps=2000,
    coarse_steps=2000,
    released=ReleasedCode(plateau=2e-6, init_gain_per_scale=0.5, constant_blocks="fit"),
)
_PAPER_IMAGE = FitSettings(
    block_size=32,
    width=20,
    depth=3,
    learning_rate=5e-4,
    decay=0.999,
    steps=500,
    coarse_steps=500,
    released=ReleasedCode(plateau=2e-7, constant_blocks="fit"),
)

# The released code's configuration files and literals.
_RELEASE_VOLUME = replace(
    _PAPER_VOLUME,
    width=20,
    decay=0.999,
    block_tolerance=2e-4,
    add_threshold=5e-4,
    released=replace(
        _PAPER_VOLUME.released,
        coarsest_width_factor=4,
        rate_by_activity=True,
        finer_rate_divisor=1.2**4,
        relative_tolerance=True,
    ),
)
_RELEASE_IMAGE = replace(
    _PAPER_IMAGE,
    width=18,
    omega=150.0,
    add_threshold=5e-4,
    start="parent",
    released=replace(
        _PAPER_IMAGE.released,
        coarsest_width_factor=4,
        rate_by_activity=True,
        relative_tolerance=True,
        plateau=5e-7,
    ),
)

# Ours were chosen by measurement; docs/results tells how. The first preset of a target's source
# (mesh or image) is the default.
PRESETS: dict[str, Preset] = {
    "surface": Preset(
        _SURFACE, "distance", "the truest surface: fits the distance to it; default for meshes"
    ),
    "exact": Preset(
        replace(_SURFACE, certify=True),
        "distance",
        "the same, then until every voxel is on its side of the surface",
    ),
    "compact": Preset(
        CosineSettings(),
        "distance",
        "the smallest file: few cosines a block instead of an MLP, fitted in a tenth of the time",
    ),
    "volume": Preset(FitSettings(), "occupancy", "the occupancy, every sample alike"),
    "fast": Preset(
        FitSettings(width=24, learning_rate=6e-3, dead_zone=0.3, coarse_steps=12),
        "occupancy",
        "the occupancy, no voxel wrong, at the lowest cost",
    ),
    "fine": Preset(
        FitSettings(learning_rate=2e-3, omega=20.0, steps=200),
        "occupancy",
        "a smoother occupancy with truer normals, at 1.7 times the cost of volume",
    ),
    "image": Preset(
        FitSettings(width=16, learning_rate=5e-3, coarse_steps=30), "image", "default for images"
    ),
    "image-compact": Preset(
        CosineSettings(block_size=16, step=0.06, coarse_step=0.36),
        "image",
        "the smallest file: few cosines a block instead of an MLP",
    ),
    "miner-paper-volume": Preset(_PAPER_VOLUME, "occupancy", "the paper's settings for volumes"),
    "miner-paper-image": Preset(_PAPER_IMAGE, "image", "the paper's settings for images"),
    "miner-release-volume": Preset(
        _RELEASE_VOLUME, "occupancy", "the released code's settings for volumes"
    ),
    "miner-release-image": Preset(
        _RELEASE_IMAGE, "image", "the released code's settings for images"
    ),
}
"""Presets by name; the first for a kind of source (mesh or image) is the default."""


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises
    ------
    SettingsError
        There is none; the message lists the names.
    """
    if name not in PRESETS:
        raise SettingsError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]


def mlp_settings(name: str) -> FitSettings:
    """Settings of a preset of block MLPs.

    Raises
    ------
    SettingsError
        There is no such preset, or it is one of cosine blocks.
    """
    settings = preset(name).settings
    if not isinstance(settings, FitSettings):
        raise SettingsError(f"preset {name} has no MLPs; take another one")
    return settings


def default_preset(target: str) -> str:
    """Name of the first preset that is made for a target.

    A target without one of its own, as coverage, is fitted as the occupancy is.
    """
    own = (name for name, entry in PRESETS.items() if entry.target == target)
    return next(own, "volume")
