"""Every file in configs/ is a run that loads, and says at its top how to start it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval.benchmark.settings import BatchRun
from eval.runs import load_config
from eval.shapes.find import CATALOG
from pipelines import studies
from pipelines.benchmarks.scaling import ScalingConfig
from pipelines.benchmarks.speed import SpeedConfig
from pipelines.campaigns.corpus import CorpusConfig
from pipelines.campaigns.fuzz import FuzzConfig
from pipelines.campaigns.kills import KillsConfig
from pipelines.config import CollectionRun, ImageRun, ShapeRun
from pipelines.studies.study import Study

ROOT = Path(__file__).parent.parent
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*") if path.is_file())


def study_configs() -> Iterator[tuple[str, type]]:
    """The names of the modules of studies, and the classes of their configurations."""
    for entry in pkgutil.iter_modules(studies.__path__):
        module = importlib.import_module(f"{studies.__name__}.{entry.name}")
        for value in vars(module).values():
            if isinstance(value, Study):
                yield entry.name, value.config


# By the beginning of a file's name: a config is named as its module and its Makefile target.
KINDS: dict[str, type] = {
    "collection": CollectionRun,
    "corpus": CorpusConfig,
    "eval/": BatchRun,
    "fuzz": FuzzConfig,
    "image": ImageRun,
    "kills": KillsConfig,
    "scaling": ScalingConfig,
    "speed": SpeedConfig,
    **dict(study_configs()),
}


def test_there_are_configs() -> None:
    assert {path.name for path in CONFIGS} >= {
        *(f"{name}.yaml" for name in (*CATALOG, "image", "collection"))
    }


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_loads_and_introduces_itself(path: Path) -> None:
    text = path.read_text()
    name = path.relative_to(ROOT / "configs").as_posix()
    starts = [start for start in KINDS if name.startswith(start)]
    run = load_config(path, KINDS[max(starts, key=len)] if starts else ShapeRun)
    if isinstance(run, ShapeRun):
        assert run.shape in CATALOG
    comment = re.match(r"(?:#.*\n)+", text)
    assert comment, "a config opens with a comment"
    command = re.search(
        r"# Command: (?:[A-Z_]+=\S+(?: of meshes>)? )?make ([a-z0-9-]+)", comment[0]
    )
    assert command, "the comment names the command"
    targets = re.findall(
        r"^(?:STUDIES :=|(?=[a-z]))([a-z0-9 -]+):?", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert command[1] in " ".join(targets).split()
