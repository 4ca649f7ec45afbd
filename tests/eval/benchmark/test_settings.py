"""What a batch's YAML file may say, and what is said of what it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eval.benchmark.settings import BatchRun, PointSampling
from eval.errors import MethodError
from eval.methods import Budget
from eval.runs import load_config, parse_settings
from geom_miner import GeomMinerError
from geom_miner.errors import SettingsError


def run_with(**changes: Any) -> BatchRun:
    return parse_settings(BatchRun, {"shapes": ["lucy"], "methods": ["poisson"], **changes})


def test_entries_inherit_what_they_do_not_set() -> None:
    run = run_with(
        methods=[
            "poisson",
            {"method": "igr", "label": "IGR", "budgets": [{"seconds": 5}], "seeds": [1, 2]},
            {"method": "miner", "input": "mesh", "points": {"count": 10}},
        ],
        budgets=[{"steps": 7}, {"seconds": 2.5, "steps": 9}],
        points={"count": 500, "noise": 0.01},
        resolution=64,
    )
    first, second, third = run.methods
    assert first.budgets == (Budget(steps=7), Budget(2.5, 9))
    assert first.points == PointSampling(500, 0.01)
    assert first.resolution == 64
    assert second.budgets == (Budget(5),)
    assert second.seeds == (1, 2)
    assert third.points == PointSampling(10)
    assert [c.label for c in run.methods] == ["poisson", "IGR", "miner, from the mesh"]
    assert run_with(budgets=[]).methods[0].budgets == (Budget(),)


def test_shapes_are_names_or_mappings() -> None:
    entries = run_with(
        shapes=["lucy", {"shape": "thai", "instead": ["igea"]}, {"cloud": "dc"}]
    ).shapes
    assert [entry.shape for entry in entries] == ["lucy", "thai", None]
    assert entries[1].instead == ("igea",)
    assert entries[2].cloud == "dc"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shapes": []}, "needs shapes and methods"),
        ({"shapes": [{"shape": "a", "cloud": "b"}]}, "one of shape, folder"),
        ({"shapes": [{"instead": ["a"]}]}, "one of shape, folder"),
        ({"shapes": [3]}, "a name or a mapping"),
        ({"shapes": [{"shape": "a", "character": "round"}]}, "character"),
        ({"methods": [{"label": "a"}]}, "setting method is missing in entry 1 of methods"),
        ({"methods": ["c", {"method": "a", "presett": "b"}]}, "entry 2 of methods .*'presett'"),
        ({"methods": ["a", "a"]}, "called 'a'"),
        ({"methods": [{"method": "a", "resolution": 4}]}, "lie in"),
        ({"methods": [{"method": "a", "seeds": [-1]}]}, "seeds"),
        ({"seeds": ["x"]}, "entry 1 of seeds must be int, got 'x'"),
        ({"seeds": 3}, "seeds must be a list"),
        ({"points": {"count": 0}}, "count must lie in"),
        ({"points": {"amount": 5}}, "^points has no setting 'amount'"),
        ({"methods": [{"method": "a", "points": {"amount": 5}}]}, "methods' points has no setting"),
        ({"budgets": [{"seconds": "long"}]}, "entry 1 of budgets' seconds must be"),
        ({"shapes": [{"shape": "a", "view": {"zoom": 2}}]}, "view has no setting 'zoom'"),
        ({"budgets": [5]}, "mapping"),
        ({"timeout": 0.0}, "timeout"),
        ({"samples": 5}, "samples"),
        ({"jobs": 0}, "jobs"),
    ],
)
def test_wrong_settings_are_named(changes: dict, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        run_with(**changes)


def test_wrong_budgets_are_refused_where_they_are_checked() -> None:
    with pytest.raises(MethodError, match="seconds must be positive"):
        run_with(budgets=[{"seconds": -1}])


def test_a_file_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("shapes: [lucy]\nmethods: [poisson]\nbudgets: [{seconds: 3}]\n")
    assert load_config(path, BatchRun).methods[0].budgets == (Budget(3),)
    path.write_text("shapes: [lucy]\nmethods: [poisson]\nsample: 5\n")
    with pytest.raises(GeomMinerError, match="'sample'"):
        load_config(path, BatchRun)
