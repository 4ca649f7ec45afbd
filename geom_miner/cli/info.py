"""The command ``geom-miner info``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console

from geom_miner.cli.answers import print_json, print_rows
from geom_miner.fit.presets import PRESETS


@dataclass(frozen=True)
class Info:
    """Say what a model file holds."""

    model: tyro.conf.Positional[Path]
    """Model file; one that is cut after a scale will do."""
    json: bool = False
    """Print as JSON."""

    def run(self, console: Console) -> None:
        from geom_miner.storage.reader import describe_model

        facts = describe_model(self.model)
        if self.json:
            print_json(facts)
            return
        info = facts["info"]
        title = f"{self.model}: {describe_signal(info)}"
        if info.get("notice"):
            title += f" ({info['notice']})"
        if not facts["complete"]:
            title += " (CUT SHORT: finer scales are missing)"
        print_rows(title, facts["scales"])


def describe_signal(info: Mapping[str, Any]) -> str:
    """What was fitted, to what and how, as far as the file knows: distance of part, preset fast."""
    source = info.get("source", {})
    parts = [f"{info.get('target') or info['kind']} of {source.get('name') or 'an unnamed source'}"]
    if "faces" in source:
        parts.append(f"{source['faces']:,} faces")
    names = [name for name, p in PRESETS.items() if asdict(p.settings) == info.get("settings")]
    if "settings" in info:
        parts.append(f"preset {names[0]}" if names else "settings of its own")
    return ", ".join(parts)
