"""Every file in configs/ is a run that loads, and says at its top how to start it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eval.benchmark.settings import BatchRun
from eval.runs import load_config
from eval.shapes.find import CATALOG
from pipelines.benchmarks.scaling import ScalingConfig
from pipelines.benchmarks.speed import SpeedConfig
from pipelines.campaigns.corpus import CorpusConfig
from pipelines.campaigns.fuzz import FuzzConfig
from pipelines.campaigns.kills import KillsConfig
from pipelines.config import CollectionRun, ImageRun, ShapeRun
from pipelines.studies.ablation import AblationConfig
from pipelines.studies.decimation import DecimationConfig
from pipelines.studies.decoders import DecodersConfig
from pipelines.studies.fidelity import FidelityConfig
from pipelines.studies.inside_test import InsideTestConfig

ROOT = Path(__file__).parent.parent
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*") if path.is_file())
# By the beginning of a file's name: a config is named as its module and its Makefile target.
KINDS = {
    "ablation": AblationConfig,
    "collection": CollectionRun,
    "corpus": CorpusConfig,
    "decimation": DecimationConfig,
    "decoders": DecodersConfig,
    "eval/": BatchRun,
    "fidelity": FidelityConfig,
    "fuzz": FuzzConfig,
    "image": ImageRun,
    "inside_test": InsideTestConfig,
    "kills": KillsConfig,
    "scaling": ScalingConfig,
    "speed": SpeedConfig,
}


def test_there_are_configs() -> None:
    assert {path.name for path in CONFIGS} >= {
        *(f"{name}.yaml" for name in (*CATALOG, "image", "collection"))
    }


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_loads_and_introduces_itself(path: Path) -> None:
    text = path.read_text()
    name = path.relative_to(ROOT / "configs").as_posix()
    kind = next((kind for start, kind in KINDS.items() if name.startswith(start)), ShapeRun)
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
