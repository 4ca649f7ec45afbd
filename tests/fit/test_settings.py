import dataclasses

import pytest

from geom_miner.errors import SettingsError
from geom_miner.fit.presets import PRESETS, default_preset, preset
from geom_miner.fit.settings import FitSettings, ReleasedCode
from geom_miner.targets.registry import TARGETS


def settings_of(name: str) -> FitSettings:
    return preset(name).settings


def test_the_paper_presets_state_the_papers_table() -> None:
    volume, image = settings_of("miner-paper-volume"), settings_of("miner-paper-image")
    assert (volume.block_size, volume.width, volume.depth) == (16, 16, 3)
    assert (volume.learning_rate, volume.steps, volume.scales) == (1e-3, 2000, 4)
    assert (image.block_size, image.width, image.depth) == (32, 20, 3)
    assert (image.learning_rate, image.decay, image.steps, image.released.plateau) == (
        5e-4,
        0.999,
        500,
        2e-7,
    )
    for settings in (volume, image):
        assert settings.block_tolerance == settings.add_threshold == 1e-4
        assert not settings.released.relative_tolerance


def test_the_release_presets_state_the_released_code() -> None:
    volume, image = settings_of("miner-release-volume"), settings_of("miner-release-image")
    assert (volume.width, volume.omega, volume.learning_rate_at(3)) == (20, 30.0, 1e-3)
    assert volume.learning_rate_at(0) == pytest.approx(1e-3 / 1.2**4)
    assert [volume.gain_at(scale) for scale in (3, 2, 1, 0)] == [1.0, 0.5, 0.25, 0.125]
    assert (image.width, image.omega, image.start) == (18, 150.0, "parent")
    for settings in (volume, image):
        assert settings.width_at(3) == 4 * settings.width_at(2)
        assert settings.released.relative_tolerance
        assert settings.released.rate_by_activity
        assert settings.add_threshold == 5e-4


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid(name: str) -> None:
    entry = preset(name)
    assert dataclasses.replace(entry.settings) == PRESETS[name].settings
    assert entry.target in TARGETS
    assert len(entry.summary) > 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"scales": 0},
        {"block_size": 15},
        {"width": 0},
        {"learning_rate": 0.0},
        {"decay": 1.5},
        {"steps": 0},
        {"block_tolerance": -1.0},
        {"start": "best"},
        {"seed": -1},
        {"omega": float("nan")},
    ],
)
def test_nonsense_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        FitSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"constant_blocks": "never"},
        {"plateau": -1.0},
        {"coarsest_width_factor": 0},
        {"finer_rate_divisor": 0.0},
        {"init_gain_per_scale": 0.0},
    ],
)
def test_nonsense_of_the_released_code_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        ReleasedCode(**wrong)  # type: ignore[arg-type]


def test_unknown_presets_are_answered_with_the_known() -> None:
    with pytest.raises(SettingsError, match="miner-paper-volume"):
        preset("miner")


def test_fast_buys_exact_voxels_and_fine_a_true_field() -> None:
    volume, fast, fine = (settings_of(name) for name in ("volume", "fast", "fine"))
    assert fast.dead_zone > 0 == fine.dead_zone
    assert fast.coarse_steps < volume.coarse_steps
    assert fine.steps > volume.steps
    # One file format, one block size: the presets differ in what they spend.
    assert fast.block_size == fine.block_size == volume.block_size


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("distance", "surface"),
        ("occupancy", "volume"),
        ("coverage", "volume"),
        ("image", "image"),
        ("one that has no preset", "volume"),
    ],
)
def test_every_target_has_a_default_preset(target: str, name: str) -> None:
    assert default_preset(target) == name
