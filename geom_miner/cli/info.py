"""The command ``geom-miner info``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from geom_miner.cli.answers import print_json, print_rows


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
        title = f"{self.model}: {info['kind']} of {info.get('source', {}).get('name', '?')}"
        if info.get("notice"):
            title += f" ({info['notice']})"
        if not facts["complete"]:
            title += " (CUT SHORT: finer scales are missing)"
        print_rows(title, facts["scales"])
