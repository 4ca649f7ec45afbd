from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from eval.runs import load_config
from geom_miner import preset
from geom_miner.errors import SettingsError
from pipelines.config import CollectionRun, ImageRun, ShapeRun, fit_settings

KINDS = (ShapeRun, ImageRun, CollectionRun)


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "run.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_values_and_defaults(tmp_path: Path) -> None:
    path = written(tmp_path, "shape: lucy\nfill: 1\nup: z\nfit: {scales: 2, omega: 20}\n")
    run = load_config(path, ShapeRun)
    assert (run.shape, run.fill, run.up, run.resolution) == ("lucy", 1, "z", None)
    assert fit_settings(run).scales == 2
    assert fit_settings(run).width == preset("surface").settings.width


def test_settings_of_the_released_code_change_one_by_one(tmp_path: Path) -> None:
    path = written(
        tmp_path, "shape: lucy\npreset: miner-release-volume\nfit: {released: {plateau: 0}}\n"
    )
    expected = preset("miner-release-volume").settings.released
    found = fit_settings(load_config(path, ShapeRun)).released
    assert found == replace(expected, plateau=0)


def test_overrides_win_where_they_are_given(tmp_path: Path) -> None:
    path = written(tmp_path, "shape: lucy\nresolution: 64\noutput: here\n")
    run = load_config(path, ShapeRun, {"resolution": 32, "output": None})
    assert (run.resolution, run.output) == (32, "here")


def test_an_override_may_supply_what_is_missing(tmp_path: Path) -> None:
    path = written(tmp_path, "preset: image\n")
    assert load_config(path, ImageRun, {"image": "photo.png"}).image == "photo.png"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("shape: lucy\nresolutoin: 64\n", "no setting 'resolutoin'"),
        ("shape: lucy\n1: 2\n", "no setting '1'"),
        ("shape: lucy\nresolution: big\n", "resolution must be"),
        ("shape: lucy\nresolution: 1.5\n", "resolution must be"),
        ("shape: lucy\nresolution: true\n", "resolution must be"),
        ("shape: lucy\nfill: high\n", "fill must be float"),
        ("shape: 5\n", "shape must be str"),
        ("shape: lucy\nup: x\n", "up must be"),
        ("shape: lucy\ninside: guess\n", "inside must be"),
        ("shape: lucy\nfit: none\n", "fit must be dict"),
        ("shape: lucy\nfit: {widht: 3}\n", "fit has no setting 'widht'"),
        ("shape: lucy\nfit: {width: wide}\n", "fit's width must be int"),
        ("shape: lucy\nfit: {width: 0}\n", "width must lie in [1, 4096]"),
        ("shape: lucy\nfit: {start: cold}\n", "fit's start must be"),
        ("shape: lucy\npreset: huge\n", "preset must be one of"),
        ("resolution: 64\n", "setting shape is missing"),
        ("", "name: value"),
        ("- shape\n- lucy\n", "name: value"),
        ("just words", "name: value"),
        ("shape: [lucy\n", "not valid YAML"),
        ("shape: lucy\n\tresolution: 3\n", "not valid YAML"),
        (b"shape: \xff\xfe\x00", "not valid YAML"),
        (b"\x00\x01\x02", "not valid YAML"),
    ],
)
def test_bad_files_are_one_sentence_that_names_them(
    tmp_path: Path, content: str | bytes, word: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(SettingsError) as caught:
        load_config(path, ShapeRun)
    assert str(path) in str(caught.value)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(SettingsError, match=r"cannot read .*check the path"):
            load_config(path, ShapeRun)


def test_bad_overrides_are_found_too(tmp_path: Path) -> None:
    path = written(tmp_path, "shape: lucy\n")
    with pytest.raises(SettingsError, match="resolution must be"):
        load_config(path, ShapeRun, {"resolution": "big"})


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_documented(kind: type) -> None:
    import inspect

    source = inspect.getsource(kind)
    for entry in fields(kind):
        after = source.split(f"    {entry.name}: ")[1].splitlines()[1]
        assert after.strip().startswith('"""')
