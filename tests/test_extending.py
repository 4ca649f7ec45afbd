"""The recipes of docs/extending.md, run as they are written."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from eval.clouds.from_mesh import sample_cloud
from eval.errors import MethodError
from eval.methods import Options, find_method
from geom_miner.extract.isosurface import extract_mesh
from geom_miner.fit.presets import default_preset
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.files import WRITERS, write_mesh
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.targets.mesh import mesh_target
from geom_miner.targets.registry import TARGETS, TargetBuilder, targets_of
from geom_miner.voxelize.settings import VoxelizeSettings
from tests.shapes import box, sphere

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()


def blocks_of(heading: str) -> list[str]:
    """The Python code below a heading of the page, block by block."""
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    return re.findall(r"```python\n(.*?)```", section, re.S)


def recipe(heading: str, monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    """The first code below a heading as the module of a name."""
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(blocks_of(heading)[0], name, "exec", dont_inherit=True), vars(module))
    return module


def test_the_target_of_the_recipe_is_built_by_its_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    heading = "A target: what is fitted"
    recipe(heading, monkeypatch, "geom_miner.targets.mold")
    entry = eval("{" + blocks_of(heading)[1] + "}", {"TargetBuilder": TargetBuilder})
    monkeypatch.setitem(TARGETS, "mold", entry["mold"])
    assert "mold" in targets_of("mesh")
    assert default_preset("mold") == "volume"
    made = mesh_target(box(), "mold", VoxelizeSettings(16, fill=0.5), scales=2, block_size=4)
    assert made.target.info.target == "mold"
    values, shape = made.target.scales[0], made.target.grid.shape
    assert isinstance(values, SparseBlocks)
    assert values.sum(shape) == 16**3 - made.occupancy.blocks.sum(shape) > 0
    # The cube's own hull and the cavity: two closed components.
    mold = diagnose(extract_mesh(values, made.target.grid, iso_level=0.5))
    assert mold.watertight
    assert mold.components == 2


def test_the_format_of_the_recipe_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = recipe("A mesh or image format", monkeypatch, "geom_miner.mesh.formats.npz")
    for suffix, writer in module.WRITERS.items():
        monkeypatch.setitem(WRITERS, suffix, writer)
    write_mesh(tmp_path / "box.npz", box())
    with np.load(tmp_path / "box.npz") as archive:
        np.testing.assert_array_equal(archive["faces"], box().faces)


def test_the_method_of_the_recipe_is_found_and_reconstructs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe("A method to compare with", monkeypatch, "hull")
    method = find_method("hull:HULL")
    cloud = sample_cloud(sphere(1.0, subdivisions=3), 500, seed=0)
    surface = method.reconstruct(cloud, Options(preset="plain")).surface
    assert isinstance(surface, TriangleMesh)
    assert diagnose(surface).watertight
    assert 4.0 < surface.volume < 4 / 3 * np.pi
    with pytest.raises(MethodError, match="preset of hull must be one of plain"):
        method.reconstruct(cloud, Options(preset="fancy"))


def test_the_command_of_the_recipe_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = recipe("A command", monkeypatch, "my_package.commands")
    (tmp_path / "a.miner").write_bytes(b"12345")
    module.Weigh(tmp_path / "a.miner").run(Console(file=io.StringIO()))
    assert capsys.readouterr().out == "5\n"
