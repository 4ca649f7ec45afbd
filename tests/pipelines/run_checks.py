"""What every finished run must have, whatever it is a run of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FIT = {"scales": 2, "block_size": 8, "width": 8, "depth": 2, "steps": 100, "coarse_steps": 100}


def strict_json(path: Path) -> Any:
    """JSON without the NaN and Infinity that only Python reads."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{path.name} holds {word}, which is no JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def assert_no_machine_paths(folder: Path, *private: Path) -> None:
    """No text, and no text inside binary files, names a folder of this machine."""
    words = [str(path).encode() for path in (*private, Path.home(), Path(__file__).parents[2])]
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [word for word in words if len(word) > 1 and word in content], path.name


def assert_manifest(folder: Path, *, scales: int = 2) -> None:
    facts = strict_json(folder / "manifest.json")
    assert facts.keys() - {"stand_in"} == {
        *("config", "seed", "device", "backend", "versions", "commit", "machine")
    }
    assert facts["seed"] == 0
    assert facts["config"]["fit"]["scales"] == scales
    assert {"geom_miner", "python", "torch", "numpy"} <= facts["versions"].keys()
    assert facts["commit"] is None or re.match(r"[0-9a-f]{12}", facts["commit"])
    assert facts["device"]


def record_console(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Catch what a pipeline's command line prints; the result gives it as text."""
    import io

    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    return stream.getvalue
