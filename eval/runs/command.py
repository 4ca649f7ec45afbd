"""The arguments of a study's command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class StudyArguments:
    """What the studies of several shapes take; each says in its own words what it measures."""

    config: tyro.conf.Positional[Path]
    """YAML file of the run."""
    resolution: int | None = None
    """Samples along each side, instead of the config's."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder to write, instead of the config's."""
    fresh: bool = False
    """Measure anew what an earlier run has measured."""
