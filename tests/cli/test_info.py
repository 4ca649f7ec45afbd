"""What `geom-miner info` says about a model file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from geom_miner.cli.info import describe_signal
from geom_miner.fit.presets import PRESETS
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("model", "kind", "title"),
    [
        ("sphere", "occupancy", "distance of sphere, 1,280 faces, settings of its own"),
        ("photo", "image", "image of photo, settings of its own"),
    ],
)
def test_info(made: Path, run: Run, model: str, kind: str, title: str) -> None:
    facts = json.loads(run("info", made / f"{model}.miner", "--json").out)
    assert facts.keys() == {"complete", "file_bytes", "parameters", "grid", "info", "scales"}
    assert facts["complete"] is True
    assert facts["info"]["kind"] == kind
    assert facts["info"]["source"]["name"] == model
    assert facts["file_bytes"] == (made / f"{model}.miner").stat().st_size
    keys = {"scale", "shape", "blocks", "varying_blocks", "active_blocks", "width", "sine_layers"}
    assert all(row.keys() == keys | {"parameters", "bytes"} for row in facts["scales"])
    words = run("info", made / f"{model}.miner").out
    assert words.splitlines()[0].rstrip().endswith(f"{model}.miner: {title}")
    assert "…" not in words  # no column is squeezed in a pipe


def test_info_names_the_preset_whose_settings_the_model_has() -> None:
    settings = json.loads(json.dumps(asdict(PRESETS["fast"].settings)))
    info = {"kind": "occupancy", "target": "occupancy", "source": {"name": "part"}}
    assert describe_signal({**info, "settings": settings}) == "occupancy of part, preset fast"
    assert describe_signal({"kind": "signal"}) == "signal of an unnamed source"
