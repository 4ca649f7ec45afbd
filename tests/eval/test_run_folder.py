"""The folder of a run: one run at a time, no input in it, nothing of another program's replaced."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eval.runs.folder import check_config_place, run_folder
from eval.shapes.data_folders import DATA_VARIABLE
from geom_miner.errors import SettingsError
from tests.snapshots import snapshot


@dataclass(frozen=True)
class Settings:
    output: str = ""
    shapes: list[str] = field(default_factory=list)
    folder: str = ""
    entries: list[dict[str, str]] = field(default_factory=list)


def test_a_run_that_was_killed_goes_on_in_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "a"
    with run_folder(path, Settings()) as folder:
        assert folder == path
        (folder / "half.ply").write_bytes(b"half")
    before = snapshot(path)
    assert "geom_miner" in json.loads((path / "manifest.json").read_text())["versions"]
    with run_folder(path, Settings(output=str(path))):
        assert snapshot(path) == before


@pytest.mark.parametrize("manifest", [None, "[]", '{"versions": []}', '{"versions": 1}', "\xff{"])
def test_a_folder_of_another_program_is_taken_on_demand(
    tmp_path: Path, manifest: str | None
) -> None:
    (tmp_path / "report.md").write_bytes(b"mine")
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    before = snapshot(tmp_path)
    with pytest.raises(SettingsError, match=r"no manifest of an earlier run; .* with --force"):  # noqa: SIM117
        with run_folder(tmp_path, Settings()):
            pytest.fail("it was entered")
    assert snapshot(tmp_path) == before
    with run_folder(tmp_path, Settings(), force=True):
        pass
    with run_folder(tmp_path, Settings()):
        pass


def test_hidden_files_are_nobodys_results(tmp_path: Path) -> None:
    (tmp_path / ".gitkeep").touch()
    with run_folder(tmp_path, Settings()):
        pass


def test_a_second_run_is_refused_while_the_first_one_writes(tmp_path: Path) -> None:
    refused = pytest.raises(SettingsError, match="another run is writing")
    with run_folder(tmp_path, Settings()), refused, run_folder(tmp_path, Settings(), force=True):
        pytest.fail("two runs write")
    with run_folder(tmp_path, Settings()):
        pass


@pytest.mark.parametrize("where", ["shapes", "folder", "entries", "data", "link"])
def test_no_input_lies_in_the_folder(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs"
    (path / "meshes").mkdir(parents=True)
    mesh = path / "meshes" / "lod_0.ply"
    mesh.write_bytes(b"mine")
    link = tmp_path / "link.ply"
    link.symlink_to(mesh)
    if where == "data":
        monkeypatch.setenv(DATA_VARIABLE, str(mesh.parent))
    settings = {
        "shapes": Settings(shapes=["lucy", str(mesh)]),
        "folder": Settings(folder=str(mesh.parent)),
        "entries": Settings(entries=[{"cloud": str(mesh)}]),
        "link": Settings(shapes=[str(link)]),
    }.get(where, Settings())
    before = snapshot(tmp_path)
    refused = pytest.raises(SettingsError, match=r"the input .* lies there; choose another output")
    with refused, run_folder(path, settings, force=True):
        pytest.fail("it was entered")
    assert snapshot(tmp_path) == before
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with run_folder(tmp_path / "other", settings):
        pass


def test_a_configuration_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"call it \.yaml"):
        check_config_place(tmp_path / "manifest.json", tmp_path)
    check_config_place(tmp_path / "run.yaml", tmp_path)
    check_config_place(tmp_path / "manifest.json", tmp_path / "run")
