"""Every file in configs/ is a run that loads, and says at its top how to start it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from eval.experiment.settings import BatchRun
from eval.runs import load_config
from eval.shapes.find import CATALOG
from pipelines.benchmark import BenchmarkRun
from pipelines.config import (
    AblationRun,
    CollectionRun,
    ImageRun,
    LearnStartRun,
    ShapeRun,
)
from pipelines.fidelity import FidelityRun
from pipelines.growth import GrowthRun
from pipelines.inside_table import InsideTableRun
from pipelines.level_rivals import LevelRivalsRun

ROOT = Path(__file__).parent.parent
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*") if path.is_file())
# By a setting that only this kind of run has, the first that a file holds.
KINDS = {
    "methods": BatchRun,
    "shape": ShapeRun,
    "image": ImageRun,
    "networks": BenchmarkRun,
    "grow": GrowthRun,
    "ablate": AblationRun,
    "learn_from": LearnStartRun,
    "judged_samples": InsideTableRun,
    "rows": FidelityRun,
    "shapes": LevelRivalsRun,
}


def test_there_are_configs() -> None:
    assert {path.name for path in CONFIGS} >= {
        *(f"{name}.yaml" for name in (*CATALOG, "image", "collection"))
    }


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_loads_and_introduces_itself(path: Path) -> None:
    text = path.read_text()
    keys = yaml.safe_load(text).keys()
    kind = next((kind for key, kind in KINDS.items() if key in keys), CollectionRun)
    run = load_config(path, kind)
    if isinstance(run, ShapeRun):
        assert run.shape in CATALOG
    comment = re.match(r"(?:#.*\n)+", text)
    assert comment, "a config opens with a comment"
    command = re.search(
        r"# Command: (?:[A-Z_]+=\S+(?: of meshes>)? )?make ([a-z0-9-]+)", comment[0]
    )
    assert command, "the comment names the command"
    targets = re.findall(r"^([a-z0-9 -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert command[1] in " ".join(targets).split()
